"""Rules of the order book, of money and of each order kind."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gpt_trader.exchange_sim.domain.delays import Delays
from gpt_trader.exchange_sim.domain.markets import MarketStep, Touch
from gpt_trader.exchange_sim.domain.orders import OrderKind, Side, Status, StopDirection, Terms, Trigger
from gpt_trader.exchange_sim.domain.validation import Refusal

START = datetime(2026, 1, 1, tzinfo=UTC)
BTC = "BTC-USD"


def a_step(seconds: int, price: str, taker: str = "BUY", quantity: str = "1", **more: Any) -> MarketStep:
    return MarketStep(
        at=START + timedelta(seconds=seconds),
        price=Decimal(price),
        taker=Side(taker),
        quantity=Decimal(quantity),
        spread=Decimal("0.02"),
        **more,
    )


def test_a_resting_order_trades_at_its_own_price_and_pays_the_maker_fee(bench: Any) -> None:
    maker = bench.order("BUY", base_size="2", limit_price="100")

    bench.stranger("SELL", "2", "90")

    assert (maker.status, maker.filled, maker.filled_value) == (Status.FILLED, Decimal(2), Decimal(200))
    assert maker.fees == Decimal("0.2")
    assert maker.hold == 0


def test_better_prices_trade_first_and_equal_prices_in_order_of_time(bench: Any) -> None:
    first = bench.stranger("SELL", "1", "101")
    second = bench.stranger("SELL", "1", "101")
    better = bench.stranger("SELL", "1", "100.5")

    bench.order("BUY", base_size="1.5", limit_price="101")

    assert [order.filled for order in (better, first, second)] == [Decimal(1), Decimal("0.5"), Decimal(0)]


def test_a_partly_filled_order_stays_open_with_the_rest_held(bench: Any) -> None:
    order = bench.order("BUY", base_size="3", limit_price="100")

    bench.stranger("SELL", "1", "100")

    assert (order.status, order.filled, order.remaining) == (Status.OPEN, Decimal(1), Decimal(2))
    assert order.hold == 2 * 100 * Decimal("1.002")
    assert bench.available("USD") == Decimal(1000000) - Decimal("100.1") - order.hold


def test_cancel_releases_the_hold_and_cannot_be_repeated(bench: Any) -> None:
    order = bench.order("BUY", base_size="3", limit_price="100")

    reasons = [bench.venue.cancel(order.order_id, bench.now) for _ in range(2)]

    assert reasons == [None, "INVALID_CANCEL_REQUEST"]
    assert bench.available("USD") == Decimal(1000000)
    assert bench.venue.cancel("nothing", bench.now) == "UNKNOWN_CANCEL_ORDER"


def test_a_sell_holds_base_currency(bench: Any) -> None:
    bench.order("SELL", base_size="3", limit_price="100")

    assert bench.available("BTC") == Decimal(997)


def test_immediate_or_cancel_keeps_its_fills_and_cancels_the_rest(bench: Any) -> None:
    bench.stranger("SELL", "1", "100")

    order = bench.order("BUY", OrderKind.LIMIT_IOC, base_size="2", limit_price="100")

    assert (order.status, order.filled, order.hold) == (Status.CANCELLED, Decimal(1), Decimal(0))


def test_fill_or_kill_takes_all_or_nothing(bench: Any) -> None:
    bench.stranger("SELL", "1", "100")

    killed = bench.order("BUY", OrderKind.LIMIT_FOK, base_size="2", limit_price="100")
    filled = bench.order("BUY", OrderKind.LIMIT_FOK, base_size="1", limit_price="100")

    assert (killed.status, killed.filled) == (Status.CANCELLED, Decimal(0))
    assert (filled.status, filled.filled) == (Status.FILLED, Decimal(1))


def test_a_market_buy_by_quote_spends_at_most_its_budget_fees_included(bench: Any) -> None:
    bench.stranger("SELL", "0.5", "100")
    bench.stranger("SELL", "10", "101")

    order = bench.order("BUY", OrderKind.MARKET_IOC, quote_size="100")

    spent = order.filled_value + order.fees
    assert order.status is Status.FILLED
    assert Decimal("99.99") < spent <= 100
    assert bench.available("USD") == Decimal(1000000) - spent


def test_a_market_order_stops_at_the_price_protection(bench: Any) -> None:
    bench.stranger("BUY", "1", "99")
    bench.stranger("SELL", "1", "100")
    bench.stranger("SELL", "1", "110")

    order = bench.order("BUY", OrderKind.MARKET_IOC, base_size="2")

    assert (order.status, order.filled) == (Status.CANCELLED, Decimal(1))


def test_a_good_till_date_order_expires_in_market_time(bench: Any) -> None:
    order = bench.order(
        "BUY", OrderKind.LIMIT_GTD, base_size="1", limit_price="90", end_time=bench.now + timedelta(seconds=30)
    )

    bench.wait(29)
    assert order.status is Status.OPEN
    bench.wait(1)

    assert (order.status, order.hold) == (Status.EXPIRED, Decimal(0))


def test_a_stop_limit_waits_for_the_last_price_and_then_trades(bench_with: Callable[..., Any]) -> None:
    bench = bench_with([a_step(0, "100"), a_step(10, "98", "SELL")])
    bench.wait(0)
    order = bench.order(
        "SELL",
        OrderKind.STOP_LIMIT_GTC,
        base_size="1",
        limit_price="95",
        stop_price="99",
        stop_direction=StopDirection.DOWN,
    )
    assert (order.status, order.trigger, order.is_resting) == (Status.OPEN, Trigger.WAITING, False)

    bench.wait(10)

    assert (order.status, order.trigger, order.filled) == (Status.FILLED, Trigger.TRIGGERED, Decimal(1))


@pytest.mark.parametrize(("exit_price", "value"), [("121", Decimal(120)), ("89", Decimal(89))])
def test_a_bracket_takes_profit_or_stops_the_loss(
    bench_with: Callable[..., Any], exit_price: str, value: Decimal
) -> None:
    taker = "BUY" if exit_price == "121" else "SELL"
    bench = bench_with([a_step(0, "100"), a_step(10, exit_price, taker)])
    bench.wait(0)
    order = bench.order("SELL", OrderKind.BRACKET_GTC, base_size="1", limit_price="120", stop_price="90")
    assert bench.available("BTC") == Decimal(999)

    bench.wait(10)

    assert order.status is Status.FILLED
    assert abs(order.filled_value - value) < Decimal("0.1")


def test_an_attached_bracket_is_placed_for_what_the_parent_filled(bench_with: Callable[..., Any]) -> None:
    bench = bench_with([a_step(0, "100")])
    bench.wait(0)
    attached = Terms(kind=OrderKind.BRACKET_GTC, limit_price=Decimal(120), stop_price=Decimal(90))

    parent = bench.order("BUY", base_size="1", limit_price="101", attached=attached)

    child = bench.venue.orders[parent.attached_order_id]
    assert (child.side, child.size, child.originating_order_id) == (Side.SELL, Decimal(1), parent.order_id)
    assert (child.status, child.trigger) == (Status.OPEN, Trigger.WAITING)


def test_own_orders_shrink_each_other_instead_of_trading(bench: Any) -> None:
    resting = bench.order("SELL", base_size="1", limit_price="100")

    taker = bench.order("BUY", base_size="3", limit_price="100")

    assert (resting.status, resting.filled) == (Status.CANCELLED, Decimal(0))
    assert (taker.status, taker.size, taker.filled) == (Status.OPEN, Decimal(2), Decimal(0))
    assert bench.venue.clearing.fills == []
    assert bench.available("BTC") == Decimal(1000)


def test_the_market_moving_through_an_order_fills_it_at_its_price(bench_with: Callable[..., Any]) -> None:
    bench = bench_with([a_step(0, "100"), a_step(10, "95", "SELL")])
    bench.wait(0)
    order = bench.order("BUY", base_size="1", limit_price="97")

    bench.wait(10)

    assert (order.status, order.filled_value) == (Status.FILLED, Decimal(97))


def test_an_order_joins_the_queue_behind_what_already_rests(bench_with: Callable[..., Any]) -> None:
    touch = Touch(quantity=Decimal(5))
    steps = [a_step(0, "100", "SELL", "1", bid=touch), a_step(10, "100", "SELL", "3", bid=touch)]
    bench = bench_with([*steps, a_step(20, "100", "SELL", "3", bid=touch)])
    bench.wait(0)
    order = bench.order("BUY", base_size="2", limit_price="100")

    bench.wait(10)
    assert order.filled == 0
    bench.wait(10)

    assert order.filled == 2


def test_a_missing_side_leaves_no_quote_on_it(bench_with: Callable[..., Any]) -> None:
    bench = bench_with([a_step(0, "100", "SELL", "0", ask=None)])

    bench.wait(0)

    book = bench.venue.listings[BTC].book
    assert (book.bids.best, book.asks.best) == (Decimal(100), None)


def test_an_edit_keeps_the_turn_only_when_it_shrinks_at_the_same_price(bench: Any) -> None:
    first = bench.order("BUY", base_size="2", limit_price="100")
    second = bench.order("BUY", owner="neighbour", base_size="1", limit_price="100")

    assert bench.venue.edit(first.order_id, Decimal(100), Decimal(1), bench.now) is None
    bench.stranger("SELL", "1", "100")
    assert (first.filled, second.filled) == (Decimal(1), Decimal(0))

    third = bench.order("BUY", base_size="1", limit_price="99")
    assert bench.venue.edit(third.order_id, Decimal(100), Decimal(2), bench.now) is None
    bench.stranger("SELL", "1", "100")

    assert (second.filled, third.filled) == (Decimal(1), Decimal(0))
    assert third.hold == 2 * 100 * Decimal("1.002")


def test_edit_reasons_follow_the_venue(bench: Any) -> None:
    order = bench.order("BUY", base_size="2", limit_price="100")
    edit = bench.venue.edit

    assert edit("none", Decimal(1), Decimal(1), bench.now) == "ORDER_NOT_FOUND"
    assert edit(order.order_id, Decimal(100), Decimal(2), bench.now) == "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST"
    assert edit(order.order_id, Decimal("100.001"), Decimal(2), bench.now) == "INVALID_EDITED_PRICE"
    assert edit(order.order_id, Decimal(100), Decimal(0), bench.now) == "CANNOT_EDIT_TO_BELOW_FILLED_SIZE"
    assert edit(order.order_id, Decimal(100), Decimal(10**9), bench.now) == "INVALID_EDITED_SIZE"


def test_a_stop_that_waits_is_given_another_trigger_that_is_not_reached_yet(bench: Any) -> None:
    bench.stranger("SELL", "1", "100")
    bench.order("BUY", base_size="1", limit_price="100")
    terms = {"base_size": "1", "limit_price": "90", "stop_price": "91", "stop_direction": StopDirection.DOWN}
    order = bench.order("SELL", kind=OrderKind.STOP_LIMIT_GTC, **terms)
    one, edit = Decimal(1), bench.venue.edit

    assert edit(order.order_id, Decimal(92), one, bench.now, Decimal(93)) is None
    assert (order.limit, order.terms.stop_price, order.trigger) == (92, 93, Trigger.WAITING)
    for limit, stop in ((92, "1000"), (92, "91"), (92, "93.0001")):
        assert edit(order.order_id, Decimal(limit), one, bench.now, Decimal(stop)) == "INVALID_EDITED_PRICE"
    resting = bench.order("BUY", base_size="1", limit_price="80")
    assert edit(resting.order_id, Decimal(80), one, bench.now, Decimal(85)) == "INVALID_EDITED_PRICE"


POST_ONLY = {"base_size": "1", "limit_price": "101", "post_only": True}
REFUSALS = [
    ("BUY", OrderKind.LIMIT_GTC, {"base_size": "1.000000001", "limit_price": "90"}, "INVALID_SIZE_PRECISION"),
    ("BUY", OrderKind.LIMIT_GTC, {"base_size": "1", "limit_price": "90.001"}, "INVALID_PRICE_PRECISION"),
    ("BUY", OrderKind.LIMIT_GTC, {"base_size": "99999", "limit_price": "90"}, "PREVIEW_INVALID_BASE_SIZE_TOO_LARGE"),
    ("BUY", OrderKind.LIMIT_GTC, {"base_size": "0.001", "limit_price": "90"}, "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL"),
    ("BUY", OrderKind.LIMIT_GTC, {"base_size": "3000", "limit_price": "9000"}, "INSUFFICIENT_FUND"),
    ("SELL", OrderKind.LIMIT_GTC, {"base_size": "1001", "limit_price": "9000"}, "INSUFFICIENT_FUND"),
    ("BUY", OrderKind.LIMIT_GTC, POST_ONLY, "INVALID_LIMIT_PRICE_POST_ONLY"),
    ("BUY", OrderKind.LIMIT_GTC, {"limit_price": "101"}, "INVALID_REQUEST"),
    ("BUY", OrderKind.LIMIT_GTD, {"base_size": "1", "limit_price": "90"}, "GTD_ORDERS_MUST_HAVE_END_TIME"),
    ("BUY", OrderKind.LIMIT_GTD, {"base_size": "1", "limit_price": "90", "end_time": START}, "END_TIME_IS_IN_THE_PAST"),
    ("BUY", OrderKind.MARKET_IOC, {"quote_size": "0.5"}, "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL"),
    ("SELL", OrderKind.MARKET_IOC, {"quote_size": "50"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
    ("BUY", OrderKind.MARKET_FOK, {"quote_size": "50"}, "UNSUPPORTED_ORDER_CONFIGURATION"),
    ("BUY", OrderKind.TWAP, {}, "UNSUPPORTED_ORDER_CONFIGURATION"),
    (
        "SELL",
        OrderKind.STOP_LIMIT_GTC,
        {"base_size": "1", "limit_price": "90", "stop_price": "105", "stop_direction": StopDirection.DOWN},
        "PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE",
    ),
    ("SELL", OrderKind.BRACKET_GTC, {"base_size": "1", "limit_price": "90", "stop_price": "80"}, "INVALID_LIMIT_PRICE"),
]  # fmt: skip


@pytest.mark.parametrize(("side", "kind", "terms", "reason"), REFUSALS)
def test_refusals_carry_both_reason_fields(
    bench_with: Callable[..., Any], side: str, kind: OrderKind, terms: dict[str, Any], reason: str
) -> None:
    bench = bench_with([a_step(0, "100")])
    bench.wait(0)

    outcome = bench.place(side, kind, **terms)

    assert isinstance(outcome, Refusal)
    if reason.startswith("PREVIEW_"):
        assert (outcome.reason, outcome.preview) == ("UNKNOWN_FAILURE_REASON", reason)
    else:
        assert (outcome.reason, outcome.preview) == (reason, f"PREVIEW_{reason}")
    assert bench.venue.orders == {}


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"trading_disabled": True}, "TRADING_DISABLED"),
        ({"is_disabled": True}, "UNTRADABLE_PRODUCT"),
        ({"cancel_only": True}, "ORDER_ENTRY_DISABLED"),
        ({"post_only": True}, "UNKNOWN_FAILURE_REASON"),
    ],
)
def test_product_flags_close_the_door(bench: Any, flags: dict[str, bool], reason: str) -> None:
    listing = bench.venue.listings[BTC]
    listing.product = listing.product.with_flags(flags)

    outcome = bench.place("BUY", base_size="1", limit_price="90")

    assert isinstance(outcome, Refusal)
    assert outcome.reason == reason


def test_a_known_client_id_returns_its_order_whatever_the_body(bench: Any) -> None:
    first = bench.place("BUY", base_size="1", limit_price="90", client_order_id="same")
    again = bench.place("SELL", base_size="5", limit_price="200", client_order_id="same")

    assert (again.order_id, again.is_repeat) == (first.order_id, True)
    assert len(bench.venue.orders) == 1

    bench.venue.is_idempotent = False
    other = bench.place("BUY", base_size="1", limit_price="90", client_order_id="same")
    assert other.order_id != first.order_id


def test_delays_pass_through_pending_invisible_and_cancel_queued(bench_with: Callable[..., Any]) -> None:
    second = timedelta(seconds=1)
    bench = bench_with([], Delays(pending=second, visibility=2 * second, cancel=second))
    order = bench.order("BUY", base_size="1", limit_price="90")

    assert order.status is Status.PENDING
    assert bench.venue.visible(order.order_id, bench.now) is None
    bench.wait(2)
    assert order.status is Status.OPEN
    assert bench.venue.visible(order.order_id, bench.now) is order
    assert bench.venue.cancel(order.order_id, bench.now) is None
    assert order.status is Status.CANCEL_QUEUED
    assert bench.venue.cancel(order.order_id, bench.now) == "DUPLICATE_CANCEL_REQUEST"
    bench.wait(1)
    assert order.status is Status.CANCELLED
    assert bench.events(order) == ["accepted", "opened", "cancel_queued", "cancelled"]


def test_an_order_fails_when_trading_stops_while_it_is_pending(bench_with: Callable[..., Any]) -> None:
    bench = bench_with([], Delays(pending=timedelta(seconds=1)))
    order = bench.order("BUY", base_size="1", limit_price="90")
    listing = bench.venue.listings[BTC]
    listing.product = listing.product.with_flags({"trading_disabled": True})

    bench.wait(1)

    assert (order.status, order.hold) == (Status.FAILED, Decimal(0))


def test_the_five_hundred_and_first_open_order_is_refused(bench: Any) -> None:
    for _ in range(500):
        bench.order("BUY", base_size="0.1", limit_price="90")

    outcome = bench.place("BUY", base_size="0.1", limit_price="90")

    assert isinstance(outcome, Refusal)
