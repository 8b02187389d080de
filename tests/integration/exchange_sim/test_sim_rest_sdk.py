"""The official REST client, unmodified, against every endpoint the venue offers."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from requests import HTTPError

GRANULARITIES = {
    "ONE_MINUTE": 60,
    "FIVE_MINUTE": 300,
    "FIFTEEN_MINUTE": 900,
    "THIRTY_MINUTE": 1800,
    "ONE_HOUR": 3600,
    "TWO_HOUR": 7200,
    "FOUR_HOUR": 14400,
    "SIX_HOUR": 21600,
    "ONE_DAY": 86400,
}


def far_below(price: str) -> str:
    return str((Decimal(price) * Decimal("0.9")).quantize(Decimal("0.01")))


def far_above(price: str) -> str:
    return str((Decimal(price) * Decimal("1.1")).quantize(Decimal("0.01")))


def test_products_and_time(sim: Any) -> None:
    client = sim.client()

    products = client.get_products(product_type="SPOT")
    one = client.get_product("BTC-USD", get_tradability_status=True)

    assert products.num_products == 6
    assert {"BTC-USD", "ETH-USD"} <= {product.product_id for product in products.products}
    assert (one.base_increment, one.price_increment, one.status) == ("0.00000001", "0.01", "online")
    assert int(client.get_unix_time().epoch_millis) // 1000 == int(client.get_unix_time().epoch_seconds)
    assert client.get_products(product_ids=["ETH-USD"]).products[0].product_id == "ETH-USD"
    assert client.get_products(product_type="FUTURE").products == []


def test_book_and_best_bid_ask_agree(sim: Any) -> None:
    client = sim.client()

    sim.post_admin("/market", frozen=True)
    book = client.get_product_book("BTC-USD", limit=5)
    best = client.get_best_bid_ask(product_ids=["BTC-USD", "ETH-USD"])
    merged = client.get_product_book("BTC-USD", limit=2, aggregation_price_increment="100")
    sim.post_admin("/market", frozen=False)

    assert len(book.pricebook.bids) == 5
    assert Decimal(book.pricebook.bids[0].price) < Decimal(book.pricebook.asks[0].price)
    assert [one.product_id for one in best.pricebooks] == ["BTC-USD", "ETH-USD"]
    assert best.pricebooks[0].bids[0].price == book.pricebook.bids[0].price
    assert Decimal(merged.pricebook.bids[0].price) % 100 == 0


@pytest.mark.parametrize(("granularity", "length"), GRANULARITIES.items())
def test_candles_of_every_granularity_reach_350_buckets_back(sim: Any, granularity: str, length: int) -> None:
    client = sim.client()
    now = int(client.get_unix_time().epoch_seconds)

    newest = now - now % length
    candles = client.get_candles("BTC-USD", str(newest - 349 * length), str(newest), granularity).candles

    starts = [int(candle.start) for candle in candles]
    assert len(starts) >= 349
    assert starts == sorted(starts, reverse=True)


def test_market_trades_are_newest_first(sim: Any, eventually: Callable[..., Any]) -> None:
    client = sim.client()

    trades = eventually(lambda: client.get_market_trades("BTC-USD", limit=5).trades)

    assert [trade.time for trade in trades] == sorted((trade.time for trade in trades), reverse=True)
    assert trades[0].side in {"BUY", "SELL"}


def test_public_twins_answer_without_a_key(sim: Any) -> None:
    public = sim.public()
    now = int(public.get_unix_time().epoch_seconds)

    assert public.get_public_product("BTC-USD").product_id == "BTC-USD"
    assert len(public.get_public_products().products) == 6
    assert public.get_public_product_book("BTC-USD", limit=1).pricebook.bids
    assert public.get_public_candles("BTC-USD", str(now - 3600), str(now), "ONE_MINUTE").candles
    assert public.get_public_market_trades("BTC-USD", limit=1).trades


def test_accounts_page_by_cursor_and_can_be_read_singly(sim: Any) -> None:
    client = sim.client()

    first = client.get_accounts(limit=2)
    second = client.get_accounts(limit=250, cursor=first.cursor)
    one = client.get_account(first.accounts[0].uuid).account

    assert (first.has_next, second.has_next) == (True, False)
    currencies = [account.currency for account in [*first.accounts, *second.accounts]]
    assert len(set(currencies)) == len(currencies) == 7
    assert (one.currency, one.type, one.ready) == ("USD", "ACCOUNT_TYPE_FIAT", True)


def test_portfolios_fees_and_permissions(sim: Any) -> None:
    client = sim.client()

    portfolio = client.get_portfolios().portfolios[0]
    breakdown = client.get_portfolio_breakdown(portfolio.uuid).breakdown
    permissions = client.get_api_key_permissions()
    summary = client.get_transaction_summary(product_type="SPOT")

    assert breakdown.portfolio.uuid == portfolio.uuid == permissions.portfolio_uuid
    assert {position.asset for position in breakdown.spot_positions} >= {"USD", "BTC"}
    assert (permissions.can_view, permissions.can_trade, permissions.can_transfer) == (True, True, False)
    assert summary.fee_tier["taker_fee_rate"] == "0.001"


def test_a_marketable_order_fills_and_its_fills_add_up(sim: Any) -> None:
    client = sim.client()
    _, ask = sim.best()

    created = client.limit_order_ioc_buy("ioc-1", "BTC-USD", base_size="0.05", limit_price=far_above(ask))
    order = client.get_order(created.success_response["order_id"]).order
    fills = client.get_fills(order_ids=[order.order_id]).fills

    assert created.success
    assert order.status == "FILLED"
    assert sum(Decimal(fill.size) for fill in fills) == Decimal(order.filled_size) == Decimal("0.05")
    assert sum(Decimal(fill.commission) for fill in fills) == Decimal(order.total_fees)
    assert {fill.liquidity_indicator for fill in fills} == {"TAKER"}


def test_every_order_kind_is_accepted_and_echoed(sim: Any) -> None:
    client = sim.client()
    bid, ask = sim.best()
    low, high = far_below(bid), far_above(ask)
    end = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    replies = [
        client.market_order_buy("k1", "BTC-USD", quote_size="100"),
        client.market_order_sell("k2", "BTC-USD", base_size="0.001"),
        client.limit_order_gtc_buy("k3", "BTC-USD", "0.01", low, post_only=True),
        client.limit_order_gtd_buy("k4", "BTC-USD", "0.01", low, end),
        client.limit_order_fok_buy("k5", "BTC-USD", "0.01", high),
        client.stop_limit_order_gtc_buy("k6", "BTC-USD", "0.01", high, high, "STOP_DIRECTION_STOP_UP"),
        client.stop_limit_order_gtd_sell("k7", "BTC-USD", "0.01", low, low, end, "STOP_DIRECTION_STOP_DOWN"),
        client.trigger_bracket_order_gtc_sell("k8", "BTC-USD", "0.01", high, low),
        client.trigger_bracket_order_gtd_sell("k9", "BTC-USD", "0.01", high, low, end),
    ]

    orders = [client.get_order(reply.success_response["order_id"]).order for reply in replies]

    assert [order.order_type for order in orders] == (
        ["MARKET", "MARKET", "LIMIT", "LIMIT", "LIMIT", "STOP_LIMIT", "STOP_LIMIT", "BRACKET", "BRACKET"]
    )
    assert orders[3].order_configuration.limit_limit_gtd.end_time.startswith(end[:-1])
    assert orders[7].order_configuration.trigger_bracket_gtc.stop_trigger_price == low.rstrip("0").rstrip(".")
    open_ids = [order.order_id for order in orders if order.status == "OPEN"]
    assert len(open_ids) == 6
    assert all(result.success for result in client.cancel_orders(open_ids).results)


def test_a_refused_order_is_200_with_both_reasons(sim: Any) -> None:
    client = sim.client()

    reply = client.limit_order_gtc_buy("bad-1", "BTC-USD", base_size="3000", limit_price="60000")

    assert reply.success is False
    assert reply.error_response["error"] == "INSUFFICIENT_FUND"
    assert reply.error_response["preview_failure_reason"] == "PREVIEW_INSUFFICIENT_FUND"


def test_the_same_client_id_gives_the_original_order_and_echoes_the_new_body(sim: Any) -> None:
    client = sim.client()
    low = far_below(sim.best()[0])

    first = client.limit_order_gtc_buy("twice", "BTC-USD", "0.01", low)
    again = client.limit_order_gtc_buy("twice", "BTC-USD", "0.02", low)

    assert again.success_response["order_id"] == first.success_response["order_id"]
    assert again.order_configuration.limit_limit_gtc.base_size == "0.02"
    order = client.get_order(first.success_response["order_id"]).order
    assert order.order_configuration.limit_limit_gtc.base_size == "0.01"
    client.cancel_orders([order.order_id])


def test_preview_edit_and_cancel(sim: Any) -> None:
    client = sim.client()
    low = far_below(sim.best()[0])
    lower = str(Decimal(low) - 1)

    preview = client.preview_limit_order_gtc_buy("BTC-USD", "0.01", low)
    refused = client.preview_limit_order_gtc_buy("BTC-USD", "3000", low)
    created = client.limit_order_gtc_buy("edit-1", "BTC-USD", "0.01", low)
    order_id = created.success_response["order_id"]
    edit_preview = client.preview_edit_order(order_id, size="0.02", price=lower)
    edited = client.edit_order(order_id, size="0.02", price=lower)
    same = client.edit_order(order_id, size="0.02", price=lower)
    cancelled = client.cancel_orders([order_id, "unknown"])

    assert (preview.errs, refused.errs) == ([], ["PREVIEW_INSUFFICIENT_FUND"])
    assert Decimal(preview.commission_total) > 0
    assert (edit_preview.errors, edited.success) == ([], True)
    assert same.errors[0].edit_failure_reason == "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST"
    assert [result.success for result in cancelled.results] == [True, False]
    assert cancelled.results[1].failure_reason == "UNKNOWN_CANCEL_ORDER"
    order = client.get_order(order_id).order
    assert (order.status, order.edit_history[0].size) == ("CANCELLED", "0.02")


def test_close_position_is_for_futures_only(sim: Any) -> None:
    reply = sim.client().close_position("close-1", "BTC-USD")

    assert reply.error_response["error"] == "REDUCE_ONLY_NOT_ALLOWED_ON_SPOT_PRODUCTS"


def test_orders_and_fills_page_through_completely(sim: Any) -> None:
    client = sim.client()
    ask = sim.best("ETH-USD")[1]
    ids = [
        client.limit_order_ioc_buy(f"page-{n}", "ETH-USD", "0.01", far_above(ask)).success_response["order_id"]
        for n in range(5)
    ]

    seen, cursor = [], ""
    while True:
        page = client.list_orders(product_ids=["ETH-USD"], limit=2, cursor=cursor)
        seen += [order.order_id for order in page.orders]
        cursor = page.cursor
        if not page.has_next:
            break
    fills, cursor = [], ""
    while True:
        rows = client.get_fills(product_ids=["ETH-USD"], limit=2, cursor=cursor)
        fills += [fill.order_id for fill in rows.fills]
        cursor = rows.cursor
        if not cursor:
            break

    assert seen == ids[::-1]
    assert list(dict.fromkeys(fills)) == ids[::-1]
    assert client.list_orders(order_status=["OPEN"], product_ids=["ETH-USD"]).orders == []


def test_open_orders_hold_money_until_they_end(sim: Any) -> None:
    client = sim.client()
    usd = client.get_accounts().accounts[0].uuid
    low = far_below(sim.best()[0])
    before = Decimal(client.get_account(usd).account.hold["value"])

    order_id = client.limit_order_gtc_buy("hold-1", "BTC-USD", "1", low).success_response["order_id"]
    during = Decimal(client.get_account(usd).account.hold["value"])
    client.cancel_orders([order_id])
    after = Decimal(client.get_account(usd).account.hold["value"])

    assert during - before == Decimal(low) * Decimal("1.001")
    assert after == before


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.list_payment_methods(),
        lambda client: client.create_convert_quote("a", "b", "1"),
        lambda client: client.get_futures_balance_summary(),
        lambda client: client.list_perps_positions("x"),
        lambda client: client.create_portfolio("x"),
    ],
)
def test_what_the_venue_does_not_offer_is_a_permission_error(sim: Any, call: Callable[[Any], Any]) -> None:
    with pytest.raises(HTTPError, match="403"):
        call(sim.client())


def test_rate_limit_headers_count_down(start_sim: Callable[..., Any]) -> None:
    client = start_sim().client(rate_limit_headers=True)

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.get_product("BTC-USD"), range(8)))

    assert min(int(one.rate_limit_remaining) for one in answers) <= 27
    assert {one.rate_limit_limit for one in answers} == {"30"}


def test_the_market_clock_runs_faster_than_the_tokens(start_sim: Callable[..., Any]) -> None:
    sim = start_sim("--clock-start", "2024-03-01T00:00:00Z", "--clock-rate", "100")
    client = sim.client()

    asked = time.monotonic()
    before = datetime.fromisoformat(client.get_unix_time().iso)
    answered = time.monotonic()
    time.sleep(0.5)
    asked_again = time.monotonic()
    after = datetime.fromisoformat(client.get_unix_time().iso)
    answered_again = time.monotonic()

    assert before.year == 2024
    least, most = 100 * (asked_again - answered), 100 * (answered_again - asked)
    assert timedelta(seconds=least - 1) <= after - before <= timedelta(seconds=most + 1)
    assert client.get_accounts().accounts
