"""The table of guards: comparison, what each trip does to trading, cooldowns, what never lifts a restriction."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from gate_builders import (
    BTC,
    ETH,
    NOW,
    ZERO_HASH,
    D,
    a_book,
    a_fill,
    a_market,
    a_policy,
    a_request,
    a_review,
    a_signal,
    a_state,
    a_tick,
    an_order_event,
    approved,
    decided,
    failures,
    with_event,
    with_fill,
)
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import MarketStatistics, Regime
from gpt_trader.contracts.market import FutureTerms, Tick
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.risk_gate.domain.commands import received
from gpt_trader.risk_gate.domain.consequences import halted
from gpt_trader.risk_gate.domain.futures.account import FuturesAccount, MarginWindow
from gpt_trader.risk_gate.domain.gate import evolve, folded
from gpt_trader.risk_gate.domain.hints import HINTS
from gpt_trader.risk_gate.domain.records import CauseRaised, MarginSeen, Marked, PermitLogged, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.sweeps.comparison import Band, Comparison, band_of
from gpt_trader.risk_gate.domain.sweeps.conditions import broken
from gpt_trader.risk_gate.domain.sweeps.guard import Guard, Nature, judged
from gpt_trader.risk_gate.domain.sweeps.passing import marked
from gpt_trader.risk_gate.domain.sweeps.table import GUARDS
from gpt_trader.risk_gate.domain.sweeps.view import SweepView
from gpt_trader.risk_gate.domain.trading_state import CauseCode, spares_stops, standing
from gpt_trader.risk_gate.domain.venue import Traffic

BIP = "BIP-20DEC30-CDE"
POLICY = a_policy()
PACED = a_policy(
    exposure__clusters={}, exposure__default_cluster_fraction="1", exposure__correlated_fraction="1",
    limits__max_open_orders=100, exposure__per_asset_fraction="1", exposure__total_fraction="1",
    limits__max_position_notional=10**9, limits__notional_per_minute=10**9, limits__notional_per_hour=10**9,
    limits__notional_per_day=10**9, repeats__same_orders=100, signals__duplicate_window_seconds=0,
    frequency__trades_per_day=100, frequency__trades_per_hour=100, frequency__entries_per_hour=100,
    frequency__between_trades_seconds=0, frequency__per_product_seconds=0, frequency__messages_per_second=100,
)  # fmt: skip
SECOND = timedelta(seconds=1)
STOPPING = tuple(guard for guard in GUARDS if guard.restriction is not None)


def a_view(state: GateState | None = None, **changes: Any) -> SweepView:
    """Make a calm view: a healthy BTC market, equity as the day began."""
    fields: dict[str, Any] = {
        "state": state or a_state(POLICY),
        "policy": POLICY,
        "markets": {BTC: measured()},
        "marks": {},
        "equity": D(100000),
        "traffic": Traffic(requests=100, errors=0, budget_used=D(0)),
        "answerable_since": NOW - timedelta(seconds=90),
        "now": NOW,
    }
    return SweepView(**(fields | changes))


def measured(product: str = BTC, tick: Tick | None = None, depth: str = "500000", **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "volatility": D("0.03"),
        "volatility_median": D("0.03"),
        "volatility_samples": 30,
        "move_5m": D("0.01"),
        "mid_median_60s": D(50000),
        "volume_5m_notional": D(1000000),
        "spread_median_bps": D(2),
        "depth_median_notional": D(500000),
        "correlations": {},
        "regime": Regime.UNKNOWN,
    }
    statistics = MarketStatistics.model_validate(fields | changes)
    return a_market(product, tick=tick or a_tick(product), book=a_book(product, depth=depth), statistics=statistics)


def permitted() -> GateState:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    order_id = intent.client_order_id
    return evolve(state, PermitLogged(client_order_id=order_id, body_sha256=ZERO_HASH, origin_ns=None, at=NOW))


def filled(count: int, quantity: str = "0.001") -> GateState:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    for number in range(count):
        state = with_fill(state, a_fill(intent, quantity, number))
    return state


def holding(**quantities: str) -> GateState:
    held = {f"{name}-USD": (quantity, "50000") for name, quantity in quantities.items()}
    return a_state(POLICY, cash="80000", positions=held)


def correlated(coefficient: str, eth: str) -> SweepView:
    markets = {
        BTC: measured(BTC, correlations={ETH: D(coefficient)}),
        ETH: measured(ETH, correlations={BTC: D(coefficient)}),
    }
    marks = {BTC: D(50000), ETH: D(50000)}
    return a_view(holding(BTC="0.2", ETH=eth), markets=markets, marks=marks)


def weighing(quantity: str) -> SweepView:
    return a_view(holding(BTC=quantity), marks={BTC: D(50000)})


def aged(seconds: int) -> SweepView:
    market = measured(tick=a_tick(at=NOW - timedelta(seconds=seconds)))
    return a_view(holding(BTC="0.1"), marks={BTC: D(50000)}, markets={BTC: market})


def answering(errors: int, used: str = "0") -> SweepView:
    return a_view(traffic=Traffic(requests=100, errors=errors, budget_used=D(used)))


def market(**changes: Any) -> SweepView:
    return a_view(markets={BTC: measured(**changes)})


def long_bip(
    wallet: str, window_ends_in: timedelta = 9 * 3600 * SECOND, lives_for: timedelta | None = None
) -> SweepView:
    """Hold futures worth 5,000, which take 450 of maintenance margin now and 900 once the window has ended."""
    rates = {"intraday_margin_long": D("0.1"), "intraday_margin_short": D("0.1")}
    rates |= {"overnight_margin_long": D("0.2"), "overnight_margin_short": D("0.2")}
    expiry = NOW + (timedelta(days=99) if lives_for is None else lives_for)
    account = FuturesAccount(
        cash=D(wallet),
        initial=D(500),
        maintenance=D(450),
        buffer=None,
        window=MarginWindow.INTRADAY,
        window_ends_at=NOW + window_ends_in,
        has_intraday_rates=True,
        terms={BIP: FutureTerms(contract_size=D("0.01"), expires_at=expiry, **rates)},
        seen_at=NOW,
    )
    state = a_state(POLICY, positions={BIP: ("0.1", "50000")})
    return a_view(evolve(state, MarginSeen(account=account, at=NOW)), marks={BIP: D(50000)})


@dataclass(frozen=True, slots=True)
class Trip:
    """A view just over a guard's limit, and the nearest one within it."""

    over: Callable[[], SweepView]
    within: Callable[[], SweepView]


TRIPS = {
    "daily_loss": Trip(lambda: a_view(equity=D(98000)), lambda: a_view(equity=D("98000.01"))),
    "halting_daily_loss": Trip(lambda: a_view(equity=D(97000)), lambda: a_view(equity=D("97000.01"))),
    "weekly_loss": Trip(lambda: a_view(equity=D(93000)), lambda: a_view(equity=D("93000.01"))),
    "drawdown": Trip(lambda: a_view(equity=D(90000)), lambda: a_view(equity=D("90000.01"))),
    "volatility": Trip(lambda: market(volatility=D("0.0901")), lambda: market(volatility=D("0.09"))),
    "move_in_5_min": Trip(lambda: market(move_5m=D("0.0501")), lambda: market(move_5m=D("0.05"))),
    "venue_error_share": Trip(lambda: answering(20), lambda: answering(19)),
    "halting_venue_error_share": Trip(lambda: answering(50), lambda: answering(49)),
    "rate_budget_used": Trip(lambda: answering(0, "0.9"), lambda: answering(0, "0.89")),
    "mark_age": Trip(lambda: aged(31), lambda: aged(30)),
    "concentration": Trip(lambda: weighing("0.2001"), lambda: weighing("0.2")),
    "correlated_share": Trip(lambda: correlated("0.8", "0.2001"), lambda: correlated("0.8", "0.2")),
    "spread_bps": Trip(
        lambda: market(tick=a_tick(bid="49974", ask="50026")), lambda: market(tick=a_tick(bid="49975", ask="50025"))
    ),
    "depth_notional": Trip(
        lambda: market(depth="79999", depth_median_notional=D(400000)),
        lambda: market(depth="80000", depth_median_notional=D(400000)),
    ),
    "unresolved_orders": Trip(
        lambda: a_view(permitted(), answerable_since=NOW),
        lambda: a_view(permitted(), answerable_since=NOW - timedelta(microseconds=1)),
    ),
    "stale_open_orders": Trip(
        lambda: a_view(permitted(), now=NOW + 300 * SECOND + timedelta(microseconds=1)),
        lambda: a_view(permitted(), now=NOW + 300 * SECOND),
    ),
    "liquidation_buffer": Trip(lambda: long_bip("517.49"), lambda: long_bip("517.5")),
    "buffer_after_the_window": Trip(
        lambda: long_bip("1034.99", 3600 * SECOND), lambda: long_bip("1034.99", 3601 * SECOND)
    ),
    "contract_expiry": Trip(
        lambda: long_bip("5000", lives_for=4 * 3600 * SECOND),
        lambda: long_bip("5000", lives_for=4 * 3600 * SECOND + SECOND),
    ),
    "fills_in_a_second": Trip(lambda: a_view(filled(11)), lambda: a_view(filled(10))),
    "value_in_a_second": Trip(lambda: a_view(filled(1, "0.4001")), lambda: a_view(filled(1, "0.4"))),
}
"""By the numbers of `prod`. A guard without an entry here fails the tests: it was never seen to trip."""


def guard_of(name: str) -> Guard:
    return next(guard for guard in GUARDS if guard.name == name)


def swept(view: SweepView) -> tuple[Record, ...]:
    return tuple(record for guard in GUARDS for record in judged(guard, view).records)


def status(state: GateState, view: SweepView) -> TradingStatus:
    product = next((cause.product for cause in state.causes if cause.product is not None), BTC)
    return standing(state.causes, product, view.now).status


def bands(guard: Guard, view: SweepView) -> set[Band]:
    return {one.band for one in judged(guard, view).findings}


@pytest.mark.parametrize("guard", STOPPING, ids=lambda guard: guard.name)
def test_a_trip_of_every_guard_that_restricts_changes_the_trading_state_at_its_limit(guard: Guard) -> None:
    trip = TRIPS[guard.name]
    over, within = trip.over(), trip.within()
    assert guard.restriction is not None

    after = folded(judged(guard, over).records, over.state)

    assert status(after, over) is guard.restriction.status
    assert [cause.code for cause in after.causes] == [guard.restriction.code]
    assert judged(guard, within).records == ()
    assert Band.TRIPPED not in bands(guard, within)


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_sweeping_twice_at_the_same_time_adds_nothing(guard: Guard) -> None:
    view = TRIPS[guard.name].over()
    assert Band.TRIPPED in bands(guard, view)

    again = replace(view, state=folded(judged(guard, view).records, view.state))

    assert judged(guard, again).records == ()


@pytest.mark.parametrize("guard", STOPPING, ids=lambda guard: guard.name)
def test_only_a_recoverable_guard_lifts_its_restriction_and_not_before_its_cooldown(guard: Guard) -> None:
    trip, restriction = TRIPS[guard.name], guard.restriction
    assert restriction is not None
    over, within, cooldown = trip.over(), trip.within(), restriction.cooldown(POLICY)

    def is_lifted(after: timedelta) -> bool:
        causes = folded(judged(guard, over).records, over.state).causes
        since = tuple(cause.model_copy(update={"since": within.now - after}) for cause in causes)
        return bool(judged(guard, replace(within, state=replace(within.state, causes=since))).records)

    assert is_lifted(cooldown) is (restriction.nature is Nature.RECOVERABLE)
    assert not cooldown or not is_lifted(cooldown - timedelta(microseconds=1))


def test_the_pause_of_a_stale_product_ends_also_when_it_was_sold_meanwhile() -> None:
    stale, guard = aged(31), guard_of("mark_age")
    sold = replace(a_state(POLICY), causes=folded(judged(guard, stale).records, stale.state).causes)
    later = NOW + guard.restriction.cooldown(POLICY) if guard.restriction else NOW
    fresh = {BTC: measured(tick=a_tick(at=later))}

    assert judged(guard, a_view(sold, markets={BTC: measured()}, now=later)).records == ()
    (record,) = judged(guard, a_view(sold, markets=fresh, now=later)).records
    assert evolve(sold, record).causes == ()


@pytest.mark.parametrize("guard", STOPPING, ids=lambda guard: guard.name)
def test_the_unknown_lifts_nothing(guard: Guard) -> None:
    view = TRIPS[guard.name].over()
    held = folded(judged(guard, view).records, view.state)
    market = a_market(tick=None, book=None, feed=None, statistics=None)
    later = NOW + timedelta(hours=1)
    blind = replace(view, state=held, markets={BTC: market}, marks={}, equity=None, traffic=None, now=later)

    is_told = guard.name in {"unresolved_orders", "fills_in_a_second", "value_in_a_second", "concentration"}
    assert is_told or judged(guard, blind).records == ()


def test_each_guard_has_a_name_and_a_cause_of_its_own() -> None:
    assert len({guard.name for guard in GUARDS}) == len(GUARDS) == len(TRIPS)
    assert len({guard.restriction.code for guard in STOPPING if guard.restriction}) == len(STOPPING)


def test_a_held_product_without_any_tick_is_stale_but_not_while_the_gate_starts() -> None:
    view = a_view(holding(BTC="0.1"), markets={BTC: a_market(tick=None)})
    starting = CauseRaised(
        cause=broken(view.state, ("x",), NOW)[0].cause.model_copy(update={"code": "starting"}), at=NOW
    )

    assert bands(guard_of("mark_age"), view) == {Band.TRIPPED}
    assert bands(guard_of("mark_age"), replace(view, state=evolve(view.state, starting))) == set()


@given(
    comparison=st.sampled_from(Comparison),
    value=st.decimals(allow_nan=True, allow_infinity=True, places=None),
    limit=st.decimals(allow_nan=True, allow_infinity=True, places=None),
)
def test_what_is_no_finite_number_is_unknown_and_all_else_has_a_place(
    comparison: Comparison, value: Decimal, limit: Decimal
) -> None:
    found = band_of(comparison, value, limit, None)

    assert (found is Band.UNKNOWN) is not (value.is_finite() and limit.is_finite())
    assert band_of(comparison, None, limit, None) is band_of(comparison, value, None, None) is Band.UNKNOWN


@given(limit=st.decimals(min_value=-(10**6), max_value=10**6, places=8), step=st.sampled_from(["1e-8", "1", "1e6"]))
def test_a_comparison_turns_exactly_at_its_limit(limit: Decimal, step: str) -> None:
    above, below = limit + D(step), limit - D(step)

    def over(comparison: Comparison, value: Decimal) -> bool:
        return band_of(comparison, value, limit, None) is Band.TRIPPED

    assert [over(Comparison.GT, one) for one in (below, limit, above)] == [False, False, True]
    assert [over(Comparison.GE, one) for one in (below, limit, above)] == [False, True, True]
    assert [over(Comparison.LT, one) for one in (below, limit, above)] == [True, False, False]
    assert [over(Comparison.LE, one) for one in (below, limit, above)] == [True, True, False]
    assert over(Comparison.ABS_GT, above) is over(Comparison.ABS_GT, -above)
    assert over(Comparison.ABS_GE, abs(limit)) or limit < 0


def test_a_warning_is_a_band_before_the_limit_and_stops_nothing() -> None:
    view = a_view(equity=D(99000))

    assert bands(guard_of("daily_loss"), view) == {Band.WARN}
    assert bands(guard_of("daily_loss"), replace(view, equity=D("99000.01"))) == {Band.OK}
    assert swept(view) == ()


def test_a_daily_loss_ends_at_midnight_and_a_weekly_one_on_monday() -> None:
    view = a_view(equity=D(93000))

    ends = {cause.code: cause.until for cause in folded(swept(view), view.state).causes}

    midnight = NOW.replace(hour=0, minute=0) + timedelta(days=1)
    monday = midnight + timedelta(days=4)
    assert (ends[CauseCode.DAILY_LOSS], ends[CauseCode.WEEKLY_LOSS]) == (midnight, monday)
    assert monday.isoweekday() == 1


def test_the_week_begins_with_its_first_valuation_and_not_with_each_day() -> None:
    state = a_state(POLICY)
    tuesday, monday = NOW + timedelta(days=1), NOW + timedelta(days=5)

    state = folded([Marked(equity=D(90), marks={}, at=tuesday)], state)
    assert (state.day_start_equity, state.week_start_equity) == (D(90), D(100000))
    state = folded([Marked(equity=D(80), marks={}, at=monday)], state)
    assert (state.week, state.week_start_equity) == (monday.date(), D(80))


def test_before_the_first_valuation_of_a_day_its_loss_is_unknown() -> None:
    tomorrow = a_view(equity=D(500), now=NOW + timedelta(days=1))

    assert bands(guard_of("daily_loss"), tomorrow) == {Band.UNKNOWN}
    state = folded(marked(tomorrow), tomorrow.state)
    assert (state.day, state.day_start_equity) == (tomorrow.now.date(), D(500))
    assert bands(guard_of("daily_loss"), replace(tomorrow, state=state)) == {Band.OK}


def test_without_marks_equity_is_unknown_and_nothing_is_concluded() -> None:
    view = a_view(holding(BTC="1"), equity=None)

    assert swept(view) == ()
    assert marked(view) == ()


def test_a_reset_takes_note_of_a_drawdown_and_the_next_valuation_is_the_peak() -> None:
    view = a_view(equity=D(90000))
    guard = guard_of("drawdown")
    state = folded(judged(guard, view).records, view.state)

    resumed = evolve(state, received(subjects.CONTROL_RESUME, b"", 1, state, NOW))
    after = evolve(state, received(subjects.CONTROL_RESET, b"", 1, state, NOW))
    valued = folded(marked(replace(view, state=after)), after)

    assert [cause.code for cause in resumed.causes] == [CauseCode.DRAWDOWN]
    assert (after.causes, valued.peak_equity) == ((), D(90000))
    assert bands(guard, replace(view, state=valued)) == {Band.OK}


def test_a_reset_for_another_reason_leaves_the_peak() -> None:
    state = a_state(POLICY)
    state = evolve(state, received(subjects.CONTROL_KILL, b"", 1, state, NOW))

    assert evolve(state, received(subjects.CONTROL_RESET, b"", 2, state, NOW)).peak_equity == D(100000)


def test_an_order_whose_fate_stays_unknown_restricts_trading_until_it_is_known() -> None:
    guard = guard_of("unresolved_orders")
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    permit = PermitLogged(client_order_id=intent.client_order_id, body_sha256=ZERO_HASH, origin_ns=None, at=NOW)
    view = a_view(evolve(state, permit), answerable_since=NOW)

    late = folded(judged(guard, view).records, view.state)
    known = with_event(late, an_order_event(intent, OrderStatus.OPEN))

    assert status(late, view) is TradingStatus.REDUCE_ONLY
    assert status(folded(judged(guard, replace(view, state=known)).records, known), view) is TradingStatus.ACTIVE


def test_fills_are_a_burst_by_the_time_they_happened_and_only_when_they_are_news() -> None:
    guard = guard_of("fills_in_a_second")
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    slow = state
    for number in range(11):
        fill = a_fill(intent, "0.001", number, occurred_at=NOW + number * SECOND / 10)
        slow = with_fill(slow, fill)

    assert bands(guard, a_view(slow, now=NOW + SECOND)) == {Band.OK}
    assert bands(guard, a_view(filled(11), now=NOW + SECOND)) == {Band.OK}


def test_with_few_requests_nobody_can_tell_how_the_venue_does() -> None:
    few = a_view(traffic=Traffic(requests=19, errors=19, budget_used=D(0)))

    assert bands(guard_of("venue_error_share"), few) == {Band.UNKNOWN}
    assert swept(few) == ()


@pytest.mark.parametrize(("coefficient", "is_together"), [("0.8", True), ("0.79", False), ("-0.9", False)])
def test_only_what_moves_together_is_summed(coefficient: str, *, is_together: bool) -> None:
    found = bands(guard_of("correlated_share"), correlated(coefficient, "0.3"))

    assert (found == {Band.TRIPPED}) is is_together


def test_a_large_position_that_nothing_moves_with_is_left_to_its_own_limit() -> None:
    alone = a_view(holding(BTC="1.5"), markets={BTC: measured(BTC)}, marks={BTC: D(50000)})

    assert bands(guard_of("correlated_share"), alone) == {Band.OK}
    assert bands(guard_of("correlated_share"), correlated("0.1", "1.5")) == {Band.OK}
    assert bands(guard_of("correlated_share"), correlated("0.8", "1.5")) == {Band.TRIPPED}


def test_an_unknown_correlation_between_two_holdings_leaves_the_share_open() -> None:
    markets = {BTC: measured(BTC), ETH: measured(ETH)}
    view = a_view(holding(BTC="0.2", ETH="0.3"), markets=markets, marks={BTC: D(50000), ETH: D(50000)})

    assert bands(guard_of("correlated_share"), view) == {Band.UNKNOWN}


def test_a_volatility_with_too_few_samples_says_nothing() -> None:
    view = market(volatility=D(1), volatility_samples=29)

    assert bands(guard_of("volatility"), view) == {Band.UNKNOWN}


def test_a_guard_that_breaks_lifts_nothing_and_goes_reduce_only_until_it_works() -> None:
    view = market(depth="1")
    guard = guard_of("depth_notional")
    state = folded(judged(guard, view).records, view.state)
    torn = replace(guard, measure=lambda seen: ({}[seen.now],))

    found = judged(torn, replace(view, state=state))
    restricted = folded(broken(state, (found.error,), NOW), state)

    assert found.records == ()
    assert "depth_notional: KeyError" in found.error
    assert standing(restricted.causes, None, NOW).status is TradingStatus.REDUCE_ONLY
    assert broken(restricted, (found.error,), NOW) == ()
    assert folded(broken(restricted, (), NOW), restricted).causes == state.causes


def test_an_unfilled_order_is_canceled_where_the_policy_says_so() -> None:
    view = TRIPS["stale_open_orders"].over()
    kept = replace(view, policy=a_policy(working__cancels_unfilled=False))
    guard = guard_of("stale_open_orders")

    assert [one.reading.orders for one in judged(guard, view).findings] == [tuple(view.state.approvals)]
    assert [one.reading.orders for one in judged(guard, kept).findings] == [()]


def entered(count: int, strategy: str = "trend", state: GateState | None = None) -> GateState:
    state = state or a_state(PACED)
    for number in range(count):
        signal = a_signal(signal_id=f"{strategy}-{number}", strategy=strategy)
        state, _ = decided(state, PACED, a_request(signal=signal))
    return state


def denials(state: GateState, strategy: str = "trend") -> set[str]:
    signal = a_signal(signal_id="probe", strategy=strategy)
    return set(failures(a_review(state, PACED, signal=signal)))


def test_one_entry_more_than_allowed_switches_the_strategy_off_until_it_is_resumed() -> None:
    state = entered(4)
    assert denials(state) == {"strategy_enters_rarely_in_an_hour"}

    latched = entered(5)
    later = a_signal(signal_id="later", created_at=NOW + timedelta(days=2))
    resumed = evolve(latched, received(subjects.CONTROL_RESUME, b"", 1, latched, NOW))

    assert denials(latched) == {"strategy_is_enabled", "strategy_enters_rarely_in_an_hour"}
    assert denials(latched, "reversion") == set()
    assert standing(latched.causes, BTC, NOW).status is TradingStatus.ACTIVE
    assert "strategy_is_enabled" in failures(a_review(latched, PACED, signal=later, now=later.created_at))
    assert denials(resumed) == set()


def test_resuming_one_product_switches_no_strategy_on() -> None:
    state = entered(5)

    after = evolve(state, received(subjects.CONTROL_RESUME, b'{"product":"BTC-USD"}', 1, state, NOW))

    assert "strategy_is_enabled" in denials(after)


def test_every_cause_has_a_hint_of_its_own() -> None:
    assert set(HINTS) == set(CauseCode)
    assert all(HINTS.values())


@pytest.mark.parametrize(
    ("codes", "is_spared"),
    [((CauseCode.VENUE_FAILING,), True), ((CauseCode.VENUE_FAILING, CauseCode.KILL), False), ((), False)],
)
def test_stops_at_the_venue_stay_only_while_nothing_but_its_failure_halts(
    codes: tuple[CauseCode, ...], *, is_spared: bool
) -> None:
    causes = tuple(halted(code, "", NOW) for code in codes)

    assert spares_stops(causes, NOW) is is_spared


def test_a_multiple_of_a_tiny_median_means_nothing() -> None:
    tight = market(tick=a_tick(bid="49989", ask="50011"), spread_median_bps=D("0.011"))
    still = market(volatility=D("0.0199"), volatility_median=D("0.001"))
    deep = market(depth="100000", depth_median_notional=D(10**9))

    assert swept(tight) == swept(still) == swept(deep) == ()
    assert bands(guard_of("spread_bps"), market(tick=a_tick(bid="49987", ask="50013"), spread_median_bps=D(0))) == {
        Band.TRIPPED
    }
    assert bands(guard_of("depth_notional"), market(depth="99999", depth_median_notional=D(10**9))) == {Band.TRIPPED}
