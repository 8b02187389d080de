"""Each check at its limit, one step inside and one step outside."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from gate_builders import (
    BTC,
    ETH,
    NOW,
    D,
    a_book,
    a_feed,
    a_fill,
    a_market,
    a_policy,
    a_request,
    a_review,
    a_signal,
    a_spec,
    a_state,
    a_tick,
    a_trade,
    an_order_event,
    approved,
    decided,
    failures,
    with_event,
    with_fill,
)

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.decisions import Outcome, Verdict
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import FeedState, Tier
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Side
from gpt_trader.risk_gate.domain.checks.table import CHECKS, RAISED, Check
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.records import CauseRaised, FillReported, Marked
from gpt_trader.risk_gate.domain.review import review

SECOND = timedelta(seconds=1)
MICRO = timedelta(microseconds=1)


def an_exit(**changes: Any) -> dict[str, Any]:
    return {"signal": a_signal(action=Action.EXIT, **changes)}


def held(policy: Any = None) -> Any:
    return a_state(policy, positions={BTC: ("0.1", "50000")})


def test_a_healthy_request_is_approved_and_every_row_is_reported() -> None:
    found = a_review()

    assert found.verdict is Verdict.APPROVED
    assert [check.rule for check in found.checks()] == [check.rule for check in CHECKS]


@pytest.mark.parametrize(
    ("age", "is_fresh"),
    [(30 * SECOND, True), (30 * SECOND + MICRO, False), (-SECOND, True), (-SECOND - MICRO, False)],
)
def test_a_signal_is_fresh_up_to_its_age_limit(age: timedelta, *, is_fresh: bool) -> None:
    signal = a_signal(created_at=NOW - age, expires_at=NOW + SECOND)

    assert ("signal_is_fresh" not in failures(a_review(signal=signal))) is is_fresh


@pytest.mark.parametrize(("left", "is_live"), [(MICRO, True), (timedelta(0), False), (-SECOND, False)])
def test_a_signal_is_not_judged_at_or_after_its_expiry(left: timedelta, *, is_live: bool) -> None:
    found = a_review(signal=a_signal(expires_at=NOW + left))

    assert ("signal_has_not_expired" not in failures(found)) is is_live


def test_the_same_signal_id_is_refused_for_ever() -> None:
    policy = a_policy()
    state, _ = decided(a_state(policy), policy, a_request())
    later = NOW + timedelta(days=400)

    again = review(a_request(signal=a_signal(created_at=later), now=later), state, policy)

    assert "signal_id_is_first" in failures(again)


@pytest.mark.parametrize(("after", "is_first"), [(59 * SECOND, False), (60 * SECOND, True)])
def test_the_same_content_is_refused_within_the_window(after: timedelta, *, is_first: bool) -> None:
    policy = a_policy()
    state, _ = approved(a_state(policy), policy, a_request())
    later = NOW + after

    again = review(a_request(signal=a_signal(signal_id="other", created_at=later), now=later), state, policy)

    assert ("content_is_first" not in failures(again)) is is_first


@pytest.mark.parametrize(
    ("action", "side", "fits"),
    [
        (Action.ENTER, Side.BUY, True),
        (Action.ENTER, Side.SELL, False),
        (Action.EXIT, Side.SELL, True),
        (Action.EXIT, Side.BUY, False),
    ],
)
def test_enter_buys_and_exit_sells_what_is_held(action: Action, side: Side, *, fits: bool) -> None:
    found = a_review(held(), signal=a_signal(action=action, side=side))

    assert ("side_fits_action" not in failures(found)) is fits


@pytest.mark.parametrize("status", list(TradingStatus))
@pytest.mark.parametrize("purpose", list(Purpose))
def test_each_state_allows_only_its_purposes(status: TradingStatus, purpose: Purpose) -> None:
    cause = Cause(code="operator_pause", status=status, detail="", product=None, since=NOW, until=None)
    state = evolve(held(), CauseRaised(cause=cause, at=NOW))
    signal = a_signal(action=Action.ENTER if purpose is Purpose.ENTRY else Action.EXIT)

    found = review(a_request(signal=signal, purpose=purpose), state, a_policy())

    is_allowed = {
        TradingStatus.ACTIVE: True,
        TradingStatus.REDUCE_ONLY: purpose is not Purpose.ENTRY,
        TradingStatus.PAUSED: purpose is not Purpose.ENTRY,
        TradingStatus.HALTED: purpose is Purpose.FLATTEN,
    }[status]
    assert ("state_allows" not in failures(found)) is is_allowed


def test_a_pause_of_one_product_leaves_the_others_alone() -> None:
    cause = Cause(code="stale_mark", status=TradingStatus.PAUSED, detail="", product=ETH, since=NOW, until=NOW + SECOND)
    state = evolve(a_state(), CauseRaised(cause=cause, at=NOW))

    assert "state_allows" not in failures(a_review(state))
    assert "state_allows" in failures(a_review(state, signal=a_signal(product=ETH, reference_price=D(50000))))


def test_a_product_with_an_unknown_order_takes_no_entry() -> None:
    policy = a_policy()
    state, intent = approved(a_state(policy), policy, a_request())
    state = with_event(state, an_order_event(intent, OrderStatus.UNKNOWN))

    found = review(a_request(signal=a_signal(signal_id="other")), state, policy)

    assert "nothing_is_unknown" in failures(found)


def test_outside_the_universe_nothing_is_entered_but_everything_can_be_exited() -> None:
    assert "product_is_in_universe" in failures(a_review(is_in_universe=False))
    assert a_review(held(), is_in_universe=False, **an_exit()).verdict is Verdict.APPROVED


@pytest.mark.parametrize(
    "flag",
    [{"is_disabled": True}, {"is_cancel_only": True}, {"is_post_only": True}, {"is_auction": True}, {"kind": "future"}],
)
def test_a_status_flag_of_the_venue_denies_entries_and_exits(flag: dict[str, object]) -> None:
    market = a_market(spec=a_spec(**flag))

    assert "product_accepts_orders" in failures(a_review(market=market))
    assert "product_accepts_orders" in failures(a_review(held(), market=market, **an_exit()))


def test_a_foreign_quote_currency_is_not_entered() -> None:
    assert "quote_is_ours" in failures(a_review(market=a_market(spec=a_spec(quote_currency="EUR"))))


@pytest.mark.parametrize(("age", "is_fresh"), [(30 * SECOND, True), (30 * SECOND + MICRO, False), (-2 * SECOND, False)])
def test_a_mark_is_fresh_up_to_its_age_limit(age: timedelta, *, is_fresh: bool) -> None:
    found = a_review(market=a_market(tick=a_tick(at=NOW - age)))

    assert ("mark_is_fresh" not in failures(found)) is is_fresh


def test_an_exit_passes_on_a_mark_of_any_age() -> None:
    market = a_market(tick=a_tick(at=NOW - timedelta(hours=1)), book=None, feed=None)

    assert a_review(held(), market=market, **an_exit()).verdict is Verdict.APPROVED


@pytest.mark.parametrize("state", list(FeedState))
def test_only_a_clean_feed_lets_entries_through(state: FeedState) -> None:
    found = a_review(market=a_market(feed=a_feed(state=state)))

    assert ("feed_is_clean" not in failures(found)) is (state is FeedState.CLEAN)


@pytest.mark.parametrize("part", ["spec", "tick", "book", "feed"])
def test_what_was_never_seen_denies_entries(part: str) -> None:
    assert a_review(market=a_market(**{part: None})).verdict is Verdict.DENIED


def test_a_held_product_without_a_mark_makes_equity_unknown_and_denies_entries() -> None:
    state = a_state(positions={ETH: ("1", "3000")})

    assert "equity_is_known" in failures(a_review(state))
    assert "equity_is_known" not in failures(a_review(state, marks={ETH: D(3000)}))


STEP = D("0.0000000001")


@pytest.mark.parametrize(
    ("rule", "section"),
    [
        ("order_is_within_limit", "limits__max_order_notional"),
        ("position_is_within_limit", "limits__max_position_notional"),
        ("minute_is_within_limit", "limits__notional_per_minute"),
        ("hour_is_within_limit", "limits__notional_per_hour"),
        ("day_is_within_limit", "limits__notional_per_day"),
    ],
)
def test_a_notional_limit_holds_at_the_limit_and_not_below(rule: str, section: str) -> None:
    whole = a_review(a_state(cash="1000"), a_policy())
    measured = next(D(check.value) for check in whole.checks() if check.rule == rule)

    for limit, holds in ((measured + STEP, True), (measured, True)):
        found = a_review(a_state(cash="1000"), a_policy(**{section: str(limit)}))
        assert (rule not in failures(found)) is holds
    too_small = a_review(a_state(cash="1000"), a_policy(**{section: "0.05"}))
    assert rule in failures(too_small)


def test_a_cap_with_no_room_left_denies_by_name() -> None:
    state = a_state(cash="100000", positions={BTC: ("0.2", "50000")})

    assert {"asset_is_within_share"} <= set(failures(a_review(state)))


def test_total_at_risk_counts_every_product() -> None:
    state = a_state(cash="70000", positions={ETH: ("10", "3000")})

    assert "total_is_within_share" in failures(a_review(state, marks={ETH: D(3000)}))


def test_a_cluster_counts_its_products_together() -> None:
    policy = a_policy(exposure__clusters={"majors": {"products": [BTC, ETH], "fraction": "0.10"}})
    state = a_state(policy, cash="90000", positions={ETH: ("3.3333333", "3000")})

    assert "cluster_is_within_share" in failures(a_review(state, policy, marks={ETH: D(3000)}))


def test_leverage_counts_worst_case_over_equity() -> None:
    policy = a_policy(limits__max_leverage="0.01")

    assert "leverage_is_within_limit" in failures(a_review(policy=policy))


@pytest.mark.parametrize(("loss", "is_within"), [("1999.99", True), ("2000", False), ("2000.01", False)])
def test_daily_loss_denies_entries_from_its_limit_on(loss: str, *, is_within: bool) -> None:
    state = a_state(cash=str(D(100000) - D(loss)), at=NOW - timedelta(days=1))
    state = evolve(state, Marked(equity=D(100000), marks={}, at=NOW))

    assert ("daily_loss_is_within_limit" not in failures(a_review(state))) is is_within


def test_the_first_decision_after_midnight_counts_no_loss_of_the_day_before() -> None:
    yesterday = NOW - timedelta(days=1)
    state = evolve(a_state(cash="90000", at=yesterday), Marked(equity=D(100000), marks={}, at=yesterday))
    state = replace(state, day_start_equity=D(100000))

    assert "daily_loss_is_within_limit" not in failures(a_review(state))


@pytest.mark.parametrize(("peak", "is_within"), [("111111", True), ("111112", False)])
def test_drawdown_denies_entries_from_its_limit_on(peak: str, *, is_within: bool) -> None:
    state = evolve(a_state(), Marked(equity=D(peak), marks={}, at=NOW - timedelta(hours=2)))

    assert ("drawdown_is_within_limit" not in failures(a_review(state))) is is_within


def test_open_orders_are_counted_up_to_the_limit() -> None:
    policy = a_policy(limits__max_open_orders=1)
    state, _ = approved(a_state(policy), policy, a_request())

    assert "open_orders_are_few" in failures(review(a_request(signal=a_signal(signal_id="2")), state, policy))


@pytest.mark.parametrize(
    ("price", "is_near"), [("50500", True), ("50500.01", False), ("49500", True), ("49499.99", False)]
)
def test_the_strategys_price_must_be_within_the_collar_of_the_mark(price: str, *, is_near: bool) -> None:
    found = a_review(signal=a_signal(reference_price=D(price)))

    assert ("reference_is_within_collar" not in failures(found)) is is_near


@pytest.mark.parametrize(
    ("tier", "ask", "is_tight"),
    [
        (Tier.T1, "50100", True),
        (Tier.T1, "50100.01", False),
        (Tier.T2, "50175", True),
        (Tier.T2, "50175.01", False),
        (Tier.T3, "50300", True),
        (Tier.T3, "50300.01", False),
    ],
)
def test_each_tier_has_its_spread(tier: Tier, ask: str, *, is_tight: bool) -> None:
    market = a_market(spec=a_spec(tier=tier), tick=a_tick(bid="50000", ask=ask))

    assert ("spread_is_within_tier" not in failures(a_review(market=market))) is is_tight


@pytest.mark.parametrize(("ask", "is_tight"), [("50400", True), ("50400.01", False)])
def test_an_ordinary_exit_needs_the_hard_spread_and_a_flatten_does_not(ask: str, *, is_tight: bool) -> None:
    market = a_market(tick=a_tick(bid="50000", ask=ask))

    assert ("spread_is_within_hard_limit" not in failures(a_review(held(), market=market, **an_exit()))) is is_tight
    assert not failures(a_review(held(), market=market, purpose=Purpose.FLATTEN, **an_exit()))


def test_an_order_needs_a_book_that_carries_it() -> None:
    thin = a_review(market=a_market(book=a_book(depth="9000")))
    old = a_review(market=a_market(book=a_book(at=NOW - 31 * SECOND)))

    assert {"depth_is_enough"} <= set(failures(thin))
    assert "book_is_fresh" in failures(old)


def test_an_order_that_walks_the_book_too_far_is_denied() -> None:
    found = a_review(market=a_market(book=a_book(depth="4000")))

    assert "impact_is_small" in failures(found)


def spaced(policy: Any, count: int, every: timedelta) -> Any:
    """Approve `count` entries, the last one `every` ago, each filled at once."""
    state = a_state(policy, cash="100000000", at=NOW - timedelta(days=2))
    for number in range(count):
        at = NOW - every * (count - number)
        signal = a_signal(signal_id=f"earlier-{number}", created_at=at, reference_price=D(50000 + number))
        state, intent = approved(state, policy, a_request(signal=signal, now=at))
        state = with_event(state, an_order_event(intent, OrderStatus.CANCELED))
    return state


LOOSE = {
    "frequency__trades_per_day": 1000,
    "frequency__trades_per_hour": 1000,
    "frequency__entries_per_hour": 1000,
    "frequency__strategy_entries_per_day": 1000,
    "frequency__strategy_entries_per_hour": 1000,
    "frequency__between_trades_seconds": 0,
    "frequency__per_product_seconds": 0,
    "repeats__same_orders": 1000,
    "signals__duplicate_window_seconds": 0,
    "limits__notional_per_minute": 1e9,
    "limits__notional_per_hour": 1e9,
    "limits__notional_per_day": 1e9,
}


@pytest.mark.parametrize(
    ("rule", "limit", "every"),
    [
        ("trades_per_day_are_few", {"frequency__trades_per_day": 3}, timedelta(hours=2)),
        ("trades_per_hour_are_few", {"frequency__trades_per_hour": 3}, timedelta(minutes=10)),
        ("entries_per_hour_are_few", {"frequency__entries_per_hour": 3}, timedelta(minutes=10)),
        ("messages_per_second_are_few", {"frequency__messages_per_second": 3}, timedelta(milliseconds=100)),
        ("messages_per_minute_are_few", {"frequency__messages_per_minute": 3}, timedelta(seconds=10)),
        ("order_is_not_repeating", {"repeats__same_orders": 3}, timedelta(minutes=5)),
    ],
)
def test_a_frequency_limit_lets_exactly_so_many_through(rule: str, limit: dict[str, int], every: timedelta) -> None:
    loose, strict = a_policy(**LOOSE), a_policy(**{**LOOSE, **limit})

    assert rule not in failures(review(a_request(), spaced(loose, 2, every), strict))
    assert rule in failures(review(a_request(), spaced(loose, 3, every), strict))


@pytest.mark.parametrize(
    ("rule", "limit"),
    [
        ("trades_are_apart", {"frequency__between_trades_seconds": 90}),
        ("product_has_rested", {"frequency__per_product_seconds": 90}),
    ],
)
def test_a_pause_between_trades_ends_after_its_time(rule: str, limit: dict[str, int]) -> None:
    loose, strict = a_policy(**LOOSE), a_policy(**{**LOOSE, **limit})

    assert rule in failures(review(a_request(), spaced(loose, 1, 89 * SECOND), strict))
    assert rule not in failures(review(a_request(), spaced(loose, 1, 90 * SECOND), strict))


def after_closing(prices: list[str], ago: timedelta, policy: Any) -> Any:
    """Open at 50000 and close at each of these prices, the last one `ago`."""
    state = a_state(policy, at=NOW - timedelta(hours=20))
    for number, price in enumerate(prices):
        at = NOW - ago - timedelta(minutes=len(prices) - number - 1)
        signal = a_signal(signal_id=f"in-{number}", created_at=at, reference_price=D(50000))
        state, entry = approved(state, policy, a_request(signal=signal, now=at))
        state = with_fill(state, a_fill(entry, entry.quantity, price=D(50000)))
        state = with_event(state, an_order_event(entry, OrderStatus.FILLED, filled_quantity=entry.quantity))
        signal = a_signal(signal_id=f"out-{number}", action=Action.EXIT, created_at=at)
        state, leave = approved(state, policy, a_request(signal=signal, now=at))
        state = with_fill(state, a_fill(leave, leave.quantity, price=D(price)))
        state = with_event(state, an_order_event(leave, OrderStatus.FILLED, filled_quantity=leave.quantity))
    return state


@pytest.mark.parametrize(
    ("price", "rest"),
    [("49000", timedelta(minutes=60)), ("45000", timedelta(minutes=120)), ("51000", timedelta(minutes=10))],
    ids=["loss", "stop", "win"],
)
def test_a_product_rests_after_a_loss_a_stop_and_a_win(price: str, rest: timedelta) -> None:
    loose, strict = a_policy(**LOOSE, cooldowns__after_win_seconds=0), a_policy(**LOOSE)

    early = review(a_request(), after_closing([price], rest - SECOND, loose), strict)
    late = review(a_request(), after_closing([price], rest, loose), strict)

    assert "product_has_cooled_down" in failures(early)
    assert "product_has_cooled_down" not in failures(late)


def test_three_losses_in_a_row_pause_entries_for_an_hour_and_a_win_breaks_the_row() -> None:
    calm = {
        "cooldowns__after_loss_seconds": 0,
        "cooldowns__after_win_seconds": 0,
        "cooldowns__consecutive_losses_seconds": 0,
    }
    loose, strict = a_policy(**LOOSE, **calm), a_policy(**LOOSE)
    rule = "losses_in_a_row_have_passed"

    three = after_closing(["49900", "49900", "49900"], timedelta(minutes=59), loose)
    later = after_closing(["49900", "49900", "49900"], timedelta(minutes=60), loose)
    broken = after_closing(["49900", "50100", "49900"], timedelta(minutes=59), loose)

    assert rule in failures(review(a_request(), three, strict))
    assert rule not in failures(review(a_request(), later, strict))
    assert rule not in failures(review(a_request(), broken, strict))


def test_a_loss_that_is_told_late_shortens_no_rest() -> None:
    state = a_state(positions={BTC: ("0.2", "50000"), ETH: ("1", "3000")})
    known = a_trade(Side.SELL, "0.1", "49000", number=1)
    late = a_trade(Side.SELL, "0.1", "49000", number=2).model_copy(update={"occurred_at": NOW - timedelta(hours=3)})
    for fill in (known, late):
        state = evolve(state, FillReported(fill=fill, sequence=0, is_slippage=False, raised=(), at=NOW))

    assert "product_has_cooled_down" in failures(a_review(state, marks={ETH: D(3000)}))


def test_an_order_that_cash_does_not_cover_is_denied() -> None:
    policy = a_policy(
        exposure__per_asset_fraction="1",
        exposure__total_fraction="1",
        sizing__tier_fractions={"T1": "1", "T2": "1", "T3": "1"},
    )
    state = a_state(policy, cash="1", positions={ETH: ("3", "3000")})

    assert "balance_covers_it" in failures(a_review(state, policy, marks={ETH: D(3000)}))


@pytest.mark.parametrize(("minimum", "is_enough"), [("0.09860712", True), ("0.09860713", True), ("0.09860714", False)])
def test_an_entry_below_the_venues_minimum_is_denied(minimum: str, *, is_enough: bool) -> None:
    found = a_review(market=a_market(spec=a_spec(base_min_size=D(minimum))))

    assert ("quantity_is_on_increment" not in failures(found)) is is_enough


def test_dust_never_blocks_the_exit_of_a_whole_position() -> None:
    state = a_state(positions={BTC: ("0.00001", "50000")})
    market = a_market(spec=a_spec(base_min_size=D("0.001"), quote_min_size=D(10)))

    assert a_review(state, market=market, **an_exit()).verdict is Verdict.APPROVED


def test_an_entry_below_the_profiles_minimum_is_denied() -> None:
    assert "notional_reaches_minimum" in failures(a_review(a_state(cash="100")))


def test_an_exit_does_not_meet_our_own_open_entry() -> None:
    policy = a_policy(exposure__per_asset_fraction="0.2")
    state, _ = approved(held(policy), policy, a_request())

    found = review(a_request(**an_exit(signal_id="out")), state, policy)

    assert "order_does_not_meet_our_own" in failures(found)
    assert "order_does_not_meet_our_own" not in failures(review(a_request(**an_exit()), held(policy), policy))


def test_a_second_exit_takes_only_what_the_first_leaves() -> None:
    policy = a_policy()
    state, first = approved(held(policy), policy, a_request(**an_exit()))

    second = review(a_request(**an_exit(signal_id="again")), state, policy)

    assert first.quantity == D("0.1")
    assert second.quantity == 0
    assert second.verdict is Verdict.DENIED


def test_an_exit_of_what_is_not_held_is_denied() -> None:
    assert {"order_only_reduces"} <= set(failures(a_review(**an_exit())))


@pytest.mark.parametrize(
    ("now", "is_open"),
    [
        (NOW.replace(hour=14, minute=0), True),
        (NOW.replace(hour=13, minute=59, second=59), False),
        (NOW.replace(hour=14, minute=59, second=59), True),
        (NOW.replace(hour=15, minute=0), False),
        (NOW.replace(day=21, hour=14, minute=30), False),
    ],
)
def test_the_canary_enters_only_within_its_window(now: Any, *, is_open: bool) -> None:
    policy = a_policy("canary")
    found = review(a_request(signal=a_signal(created_at=now), now=now), a_state(policy), policy)

    assert ("window_is_open" not in failures(found)) is is_open


def test_a_flatten_skips_what_spec_says_and_nothing_else() -> None:
    found = a_review(held(), purpose=Purpose.FLATTEN, **an_exit())
    skipped = {check.check for check in found.checks() if check.outcome is Outcome.SKIPPED}
    run = {check.check for check in found.checks() if check.outcome is not Outcome.SKIPPED}

    assert run >= {"G1", "G2", "G3", "G14", "G15", "G17", "G18"}
    assert skipped >= {"G7", "G9", "G10", "G11", "G12", "G13", "G19"}
    assert not run & {"G7", "G9", "G10", "G11", "G12", "G13", "G19"}


@pytest.mark.parametrize("row", CHECKS, ids=lambda row: f"{row.check}.{row.rule}")
@pytest.mark.parametrize("error", [KeyError, ZeroDivisionError, TypeError, ValueError, AttributeError])
def test_a_check_that_raises_denies_entries_and_no_exit(error: type[Exception], row: Check) -> None:
    def broken(_case: object) -> tuple[bool, str, str]:
        raise error("a bug")

    table = tuple(replace(kept, judge=broken) if kept is row else kept for kept in CHECKS)

    entry = review(a_request(), a_state(), a_policy(), table)
    leaving = review(a_request(**an_exit()), held(), a_policy(), table)

    assert leaving.verdict is Verdict.APPROVED
    assert all(found.outcome is not Outcome.PASSED for found in leaving.checks() if found.value == RAISED)
    if Purpose.ENTRY in row.applies_to:
        assert entry.verdict is Verdict.DENIED
        assert failures(entry)[row.rule].value == RAISED


def test_a_denial_lists_everything_that_is_wrong() -> None:
    market = a_market(feed=a_feed(state=FeedState.GAP), tick=a_tick(at=NOW - 40 * SECOND), spec=a_spec(is_auction=True))

    rules = set(failures(a_review(market=market, is_in_universe=False, signal=a_signal(side=Side.SELL))))

    assert rules >= {
        "feed_is_clean", "mark_is_fresh", "product_accepts_orders", "product_is_in_universe", "side_fits_action",
    }  # fmt: skip


@pytest.mark.parametrize("price", ["1E+30", "1E-18", "99999999999999999999.123456789"])
def test_absurd_prices_deny_and_never_raise(price: str) -> None:
    tick = a_tick(bid=price, ask=price)

    found = a_review(market=a_market(tick=tick))

    assert found.verdict is Verdict.DENIED
    assert found.quantity >= Decimal(0)
