"""Each guard of the sweeps through the running gate: what it measures, what its trip does, and how that ends."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from stand import BTC, ETH, PRICES, SOL, TERMS, Stand, Terms, approved, failed, policy, promptly, trips, until

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.signals import Action
from gpt_trader.contracts.telemetry import Alert, Severity


@pytest.fixture(scope="module")
def stand_terms() -> Terms:
    """Ask the venue every second, so that its health shows within seconds, and let it be slow to answer."""
    return replace(TERMS, settings={"risk-gate": {"reconcile_seconds": 1, "venue_answer_seconds": 20}})


def told(stand: Stand, code: str, within: float = 5.0) -> Alert:
    """Wait for an alert (SPEC OB7: within 5 s) and return it."""
    return next(iter(promptly(lambda: [one for one in stand.seen.alerts if one.code == code], f"alert {code}", within)))


def statuses(stand: Stand) -> Counter[str]:
    return Counter(row["status"] for row in stand.orders(BTC))


def fall(stand: Stand, percent: str) -> None:
    stand.price(BTC, PRICES[BTC] * (1 - Decimal(percent) / 100))


@trips("move_in_5_min")
@policy(breakers={"move_fraction": "0.02", "pause_seconds": 4})
def test_a_market_that_moves_too_far_within_5_minutes_takes_no_entries(stand: Stand) -> None:
    """First in this file: for five minutes a market remembers what other tests did to it."""
    stand.price(SOL, PRICES[SOL] * Decimal("1.03"))
    cause = stand.until_cause("fast_move", product=SOL)
    denied = stand.enter(SOL)

    assert (cause.status, stand.state().status) == (TradingStatus.PAUSED, TradingStatus.ACTIVE)
    assert "state_allows" in failed(denied)


@trips("drawdown_is_within_limit", "drawdown")
@policy(limits={"drawdown_fraction": "0.002"}, losses={"drawdown_warn_fraction": "0.001"})
def test_a_drawdown_warns_then_blocks_entries_until_an_operator_takes_note_of_it(stand: Stand) -> None:
    """Before all that trade: what other tests pay in fees is a fall from the peak, too."""
    stand.hold(BTC)
    stand.seen.alerts.clear()
    fall(stand, "3")
    warning = told(stand, "drawdown_warning")
    is_calm = not stand.state().causes
    fall(stand, "6")
    cause = stand.until_cause("drawdown")
    denied = stand.enter(ETH)
    stand.command("resume")
    stand.command("reset")
    stand.until_gone("drawdown")
    after = stand.enter(ETH)

    assert (is_calm, cause.status) == (True, TradingStatus.PAUSED)
    assert "drawdown" in warning.text
    assert failed(denied).keys() == {"state_allows", "drawdown_is_within_limit"}
    approved(after)
    assert stand.account().peak_equity < stand.account().day_start_equity


@trips("concentration")
@policy(breakers={"concentration_fraction": "0.01"})
def test_a_product_that_weighs_too_much_takes_no_entries_until_it_is_reduced(stand: Stand) -> None:
    stand.seen.alerts.clear()
    stand.hold(BTC)
    cause = stand.until_cause("concentration", product=BTC)
    alert = told(stand, "concentration")
    denied = stand.enter(BTC)
    elsewhere = stand.state().status
    stand.leave(BTC)
    stand.until_gone("concentration")

    assert (cause.status, elsewhere) == (TradingStatus.PAUSED, TradingStatus.ACTIVE)
    assert failed(denied).keys() == {"state_allows"}
    assert (alert.severity, BTC in alert.text, bool(alert.hint)) == (Severity.WARNING, True, True)
    assert told(stand, "concentration_ended").severity is Severity.INFO


@trips("strategy_is_enabled", "strategy_enters_rarely_in_an_hour")
@policy(frequency={"strategy_entries_per_hour": 1})
def test_a_strategy_that_enters_too_often_is_off_until_it_is_resumed_also_over_a_restart(stand: Stand) -> None:
    stand.hold(BTC, strategy="hasty")
    one_more = stand.enter(ETH, strategy="hasty")
    stand.until_cause("strategy_throttled")
    stand.restart("risk-gate")
    stand.every_market_heard()
    until(lambda: {cause.code for cause in stand.state().causes} == {"strategy_throttled"}, "the end of starting")
    off = stand.enter(ETH, strategy="hasty")
    other = stand.enter(ETH, strategy="patient")
    stand.command("resume")
    stand.until_gone("strategy_throttled")
    stand.settled()
    resumed = stand.enter(ETH, strategy="hasty")

    assert failed(one_more).keys() == {"strategy_enters_rarely_in_an_hour"}
    assert "strategy_is_enabled" in failed(off)
    approved(other)
    approved(resumed)


@trips("strategy_enters_rarely_in_a_day")
@policy(frequency={"strategy_entries_per_day": 1})
def test_a_strategy_that_enters_too_often_in_a_day_is_switched_off(stand: Stand) -> None:
    stand.hold(BTC, strategy="daily")
    one_more = stand.enter(ETH, strategy="daily")

    assert failed(one_more).keys() == {"strategy_enters_rarely_in_a_day"}
    assert stand.until_cause("strategy_throttled").strategy == "daily"


@trips("value_in_a_second")
@policy(working={"notional_per_second": 100, "burst_pause_seconds": 4})
def test_too_much_filled_within_a_second_pauses_the_product(stand: Stand) -> None:
    stand.hold(BTC)

    assert stand.until_cause("filled_value", product=BTC).status is TradingStatus.PAUSED
    stand.until_gone("filled_value")


@trips("fills_in_a_second")
@policy(working={"fills_per_second": 1})
def test_too_many_fills_within_a_second_pause_the_product(stand: Stand) -> None:
    stand.price(BTC, PRICES[BTC], depth="30000")  # an entry takes more than one level
    stand.hold(BTC)

    assert stand.until_cause("fill_burst", product=BTC).status is TradingStatus.PAUSED
    stand.until_gone("fill_burst")


@trips("stale_open_orders")
@policy(working={"unfilled_seconds": 1, "cancels_unfilled": True})
def test_an_order_that_works_too_long_is_told_of_and_canceled(stand: Stand) -> None:
    stand.seen.alerts.clear()
    stand.delays(pending_ms=60_000)
    decision = stand.enter(BTC)
    approved(decision)
    alert = told(stand, "stale_open_orders")
    stand.settled()

    assert BTC in alert.text
    assert [(row["status"], row["filled_size"]) for row in stand.orders(BTC)] == [("CANCELLED", "0")]
    assert stand.state().status is TradingStatus.ACTIVE


@trips("mark_age")
@policy(marks={"stale_seconds": 4})
def test_a_held_product_that_goes_silent_is_paused_without_any_signal(stand: Stand) -> None:
    stand.hold(BTC)
    stand.freeze("market-data")
    cause = stand.until_cause("stale_mark", product=BTC)
    stand.thaw("market-data")
    stand.until_gone("stale_mark")

    assert cause.status is TradingStatus.PAUSED
    assert "mark_age" in cause.detail


@trips("venue_error_share")
@policy(venue_health={"window_seconds": 6, "min_requests": 4, "halt_fraction": 1, "pause_seconds": 4})
def test_a_venue_that_fails_too_often_blocks_entries_until_it_answers_again(stand: Stand) -> None:
    stand.fault("http_500_before_accept", "GET /api/v3/brokerage/accounts", times=-1)
    cause = stand.until_cause("venue_errors")
    denied = stand.enter(BTC)
    stand.fault("http_500_before_accept", times=0)
    stand.until_gone("venue_errors")

    assert cause.status is TradingStatus.PAUSED
    assert "state_allows" in failed(denied)


@trips("halting_venue_error_share")
@policy(venue_health={"window_seconds": 6, "min_requests": 4, "halt_fraction": "0.3"})
def test_a_venue_that_is_gone_halts_until_it_answers_again_without_an_operator(stand: Stand) -> None:
    stand.fault("http_500_before_accept", "GET /api/v3/brokerage", times=-1)
    cause = stand.until_cause("venue_failing")
    stand.until_status(TradingStatus.HALTED)
    stand.fault("http_500_before_accept", times=0)
    stand.until_gone("venue_failing")
    stand.trading()

    assert cause.status is TradingStatus.HALTED
    approved(stand.enter(BTC))


@policy(venue_health={"window_seconds": 6, "min_requests": 1000})
@trips("rate_budget_used")
def test_a_spent_rate_budget_blocks_entries_until_there_is_room_again(stand: Stand) -> None:
    """The venue says that there were too many requests: then the budget is spent, whatever we counted."""
    stand.fault("http_429", "GET /api/v3/brokerage/accounts", times=1)
    cause = stand.until_cause("rate_budget")
    denied = stand.decided(stand.ask(Action.ENTER, BTC))
    stand.until_gone("rate_budget")

    assert cause.status is TradingStatus.PAUSED
    assert "rate_budget_used 1, limit 0.9 fraction" in cause.detail
    assert failed(denied).keys() == {"state_allows"}
    stand.trading()
    approved(stand.enter(BTC))


def test_a_kill_is_told_within_5_s_also_while_a_create_is_still_in_flight(stand: Stand) -> None:
    stand.seen.alerts.clear()
    stand.fault("slow_ms", "POST /api/v3/brokerage/orders", value=8000)
    decision = stand.enter(BTC)
    until(lambda: stand.state().creates_in_flight, "a create in flight")
    stand.command("kill")
    alert = told(stand, "kill")
    is_acknowledged = stand.state().status is TradingStatus.HALTED
    stand.until_status(TradingStatus.HALTED)

    approved(decision)
    assert (alert.severity, is_acknowledged) == (Severity.CRITICAL, False)


def test_a_kill_leaves_none_of_250_open_orders_though_cancels_fail_and_some_are_pending(stand: Stand) -> None:
    """Reliability C15: zero open after 5 s."""
    stand.freeze("risk-gate")
    for number in range(250):
        if number == 200:
            stand.delays(pending_ms=60_000)
        stand.external(BTC, "buy", "0.0001", "20000")
    open_before = statuses(stand)
    stand.fault("http_500_before_accept", "POST /api/v3/brokerage/orders/batch_cancel", times=1)
    stand.command("kill")
    stand.thaw("risk-gate")
    promptly(lambda: not {"OPEN", "PENDING", "QUEUED", "CANCEL_QUEUED"} & set(statuses(stand)), "no open order", 5)

    assert (open_before["OPEN"], open_before["PENDING"]) == (200, 50)
    assert stand.until_cause("kill").status is TradingStatus.HALTED


@trips("spread_bps", "depth_notional")
@policy(breakers={"spread_multiple": 5, "depth_share": "0.5"})
def test_a_market_that_dries_up_against_its_own_median_takes_no_entries(stand: Stand) -> None:
    a_minute_ago = stand.clock.now() - timedelta(minutes=1)
    for product in (ETH, SOL):  # the gate measures against the minutes before this one, and has just been started
        book = stand.seen.books[product]
        old = book.model_copy(update={"occurred_at": a_minute_ago, "received_at": a_minute_ago})
        stand.publish(subjects.books(book.product), old)
    stand.price(ETH, PRICES[ETH], spread_bps="20")
    stand.price(SOL, PRICES[SOL], depth="200000")
    spread = stand.until_cause("wide_spread", product=ETH)
    depth = stand.until_cause("thin_book", product=SOL)
    stand.price(ETH, PRICES[ETH])
    stand.price(SOL, PRICES[SOL])
    stand.until_gone("wide_spread")
    stand.until_gone("thin_book")

    assert {spread.status, depth.status} == {TradingStatus.PAUSED}


@trips("daily_loss_is_within_limit", "daily_loss", "halting_daily_loss", "weekly_loss")
@policy(
    limits={"daily_loss_fraction": "0.003"},
    losses={"daily_warn_fraction": "0.002", "weekly_fraction": "0.0035", "daily_halt_fraction": "0.004"},
)
def test_a_loss_warns_then_goes_reduce_only_for_the_day_for_the_week_and_then_halts(stand: Stand) -> None:
    """Last in this file: nobody can lift what it leaves behind."""
    stand.seen.alerts.clear()
    stand.hold(BTC)
    start = stand.account().day_start_equity
    lost = start - stand.account().equity
    share = stand.position(BTC) * PRICES[BTC] / start

    def lose(fraction: str) -> None:
        fall(stand, str((Decimal(fraction) - lost / start) / share * 100))

    lose("0.0025")
    told(stand, "daily_loss_warning")
    is_restricted = bool(stand.cause("daily_loss") or stand.cause("weekly_loss"))
    lose("0.0032")
    day = stand.until_cause("daily_loss")
    denied = stand.enter(ETH)
    lose("0.0037")
    week = stand.until_cause("weekly_loss")
    lose("0.0045")
    stand.until_cause("daily_loss_halt")
    stand.until_status(TradingStatus.HALTED)

    assert not is_restricted, "a warning restricts nothing"
    assert "daily_loss_is_within_limit" in failed(denied)
    assert (day.status, week.status) == (TradingStatus.REDUCE_ONLY, TradingStatus.REDUCE_ONLY)
    assert day.until is not None
    assert week.until is not None
    assert week.until.isoweekday() == 1
    assert told(stand, "daily_loss_halt").severity is Severity.CRITICAL
