"""The table of checks: all run, all are reported, in this order. A check that raises denies entries, and no exit.

A bug in a rule must not keep a position open: an exit is clamped to the position when it is sized, and the permit looks
at the trading state once more, so that nothing rests on one rule alone.
"""

from dataclasses import dataclass
from decimal import DecimalException

from gpt_trader.contracts.decisions import CheckResult, Outcome
from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.domain.checks import form, futures, limits, market, order, pace, reasonable, standing
from gpt_trader.risk_gate.domain.checks.case import (
    ALL,
    ENTRIES,
    EXITS,
    ORDINARY,
    UNASKED,
    YES,
    Case,
    Finding,
    Judge,
    written,
)


@dataclass(frozen=True, slots=True)
class Check:
    """One row: SPEC id, rule, judge, unit of value and limit, the orders it applies to, and its constant results."""

    check: str
    rule: str
    judge: Judge
    unit: str
    applies_to: tuple[Purpose, ...]
    skipped: CheckResult
    passed: CheckResult


def _row(check: str, judge: Judge, unit: str, applies_to: tuple[Purpose, ...]) -> Check:
    rule = judge.__name__
    skipped = CheckResult(check, rule, Outcome.SKIPPED, "", "", unit)
    passed = CheckResult(check, rule, Outcome.PASSED, written(YES[1]), written(YES[2]), unit)
    return Check(check, rule, judge, unit, applies_to, skipped, passed)


CHECKS: tuple[Check, ...] = (
    _row("G1", standing.signal_is_fresh, "s", ALL),
    _row("G1", standing.signal_has_not_expired, "time", ALL),
    _row("G1", standing.signal_id_is_first, "", ALL),
    _row("G1", standing.content_is_first, "", ENTRIES),
    _row("G1", standing.side_fits_action, "", ALL),
    _row("G2", standing.state_allows, "state", ALL),
    _row("G2", standing.venue_is_reachable, "", ORDINARY),
    _row("G2", standing.nothing_is_unknown, "", ENTRIES),
    _row("G3", market.product_is_in_universe, "", ENTRIES),
    _row("G3", market.product_accepts_orders, "flags", ALL),
    _row("G3", market.quote_is_ours, "currency", ENTRIES),
    _row("G4", market.mark_is_fresh, "s", ENTRIES),
    _row("G5", market.feed_is_clean, "state", ENTRIES),
    _row("G5", reasonable.market_is_two_sided, "", ENTRIES),
    _row("G5", reasonable.trade_is_near_book, "bps", ENTRIES),
    _row("G6", limits.equity_is_known, "", ENTRIES),
    _row("G6", limits.order_is_within_limit, "quote", ENTRIES),
    _row("G6", limits.order_is_within_share, "quote", ENTRIES),
    _row("G6", limits.order_is_within_volume, "quote", ENTRIES),
    _row("G6", limits.position_is_within_limit, "quote", ENTRIES),
    _row("G6", limits.leverage_is_within_limit, "x", ENTRIES),
    _row("G6", limits.daily_loss_is_within_limit, "quote", ENTRIES),
    _row("G6", limits.drawdown_is_within_limit, "fraction", ENTRIES),
    _row("G6", limits.open_orders_are_few, "orders", ENTRIES),
    _row("G6", limits.minute_is_within_limit, "quote", ENTRIES),
    _row("G6", limits.hour_is_within_limit, "quote", ENTRIES),
    _row("G6", limits.day_is_within_limit, "quote", ENTRIES),
    _row("G7", limits.asset_is_within_share, "quote", ENTRIES),
    _row("G7", limits.total_is_within_share, "quote", ENTRIES),
    _row("G7", limits.cluster_is_within_share, "quote", ENTRIES),
    _row("G7", limits.correlated_is_within_share, "quote", ENTRIES),
    _row("G8", futures.futures_are_allowed, "", ENTRIES),
    _row("G8", futures.contract_lives_on, "s", ENTRIES),
    _row("G8", futures.futures_leverage_is_within_limit, "x", ENTRIES),
    _row("G8", futures.futures_exposure_is_within_share, "quote", ENTRIES),
    _row("G8", futures.futures_position_is_within_share, "quote", ENTRIES),
    _row("G8", futures.initial_margin_is_covered, "quote", ENTRIES),
    _row("G8", futures.next_margin_is_covered, "quote", ENTRIES),
    _row("G8", futures.liquidation_buffer_is_kept, "fraction", ENTRIES),
    _row("G9", market.limit_is_within_collar, "bps", ORDINARY),
    _row("G9", reasonable.limit_is_within_period_collar, "bps", ENTRIES),
    _row("G9", reasonable.mark_has_not_jumped, "bps", ENTRIES),
    _row("G9", market.reference_is_within_collar, "bps", ENTRIES),
    _row("G9", market.spread_is_within_tier, "bps", ENTRIES),
    _row("G9", market.spread_is_within_hard_limit, "bps", EXITS),
    _row("G9", form.fallback_is_near_arrival, "bps", ENTRIES),
    _row("G10", market.book_is_fresh, "s", ENTRIES),
    _row("G10", market.impact_is_small, "bps", ENTRIES),
    _row("G10", market.depth_is_enough, "quote", ENTRIES),
    _row("G11", pace.trades_per_day_are_few, "orders", ENTRIES),
    _row("G11", pace.trades_per_hour_are_few, "orders", ENTRIES),
    _row("G11", pace.entries_per_hour_are_few, "orders", ENTRIES),
    _row("G11", pace.strategy_is_enabled, "", ENTRIES),
    _row("G11", pace.strategy_enters_rarely_in_a_day, "orders", ENTRIES),
    _row("G11", pace.strategy_enters_rarely_in_an_hour, "orders", ENTRIES),
    _row("G11", pace.trades_are_apart, "s", ENTRIES),
    _row("G11", pace.product_has_rested, "s", ENTRIES),
    _row("G11", pace.messages_per_second_are_few, "orders", ORDINARY),
    _row("G11", pace.messages_per_minute_are_few, "orders", ORDINARY),
    _row("G12", pace.losses_in_a_row_have_passed, "s", ENTRIES),
    _row("G12", pace.product_has_cooled_down, "s", ENTRIES),
    _row("G13", pace.order_is_not_repeating, "orders", ORDINARY),
    _row("G14", order.balance_covers_it, "", ALL),
    _row("G14", order.fee_is_within_reserve, "fraction", ENTRIES),
    _row("G15", order.terms_are_the_venues, "terms", ENTRIES),
    _row("G15", order.quantity_is_on_increment, "base", ALL),
    _row("G15", order.price_is_on_increment, "quote", ALL),
    _row("G15", form.form_is_allowed, "form", ALL),
    _row("G15", form.form_is_offered, "form", ALL),
    _row("G15", form.form_has_its_terms, "", ALL),
    _row("G15", form.entry_ends_by_itself, "s", ENTRIES),
    _row("G15", form.post_only_rests, "quote", ALL),
    _row("G15", order.notional_reaches_minimum, "quote", ENTRIES),
    _row("G16", order.venue_would_take_it, "", ORDINARY),
    _row("G17", order.order_does_not_meet_our_own, "", ALL),
    _row("G18", order.order_only_reduces, "base", ALL),
    _row("G19", pace.window_is_open, "time", ENTRIES),
)

_ONCE: frozenset[Judge] = frozenset(
    {
        standing.content_is_first,
        limits.minute_is_within_limit,
        limits.hour_is_within_limit,
        limits.day_is_within_limit,
        pace.trades_per_day_are_few,
        pace.trades_per_hour_are_few,
        pace.entries_per_hour_are_few,
        pace.strategy_enters_rarely_in_a_day,
        pace.strategy_enters_rarely_in_an_hour,
        pace.trades_are_apart,
        pace.product_has_rested,
        pace.order_is_not_repeating,
    }
)
"""What counts wishes is asked of a wish, and not again of each further order that it takes to fill it."""

RAISED = "raised"
INFRASTRUCTURE = frozenset({"G4", "G5"})
"""Failures of the world, not of the wish; enough of them escalate (G22)."""

_BROKEN = (ArithmeticError, DecimalException, LookupError, TypeError, ValueError, AttributeError)
"""What a bug in a rule looks like; anything else ends the process, which denies as well."""

Findings = tuple[Finding | None, ...]
"""One per row of the table; None where the row does not apply to the order's purpose."""


def run(case: Case, checks: tuple[Check, ...]) -> Findings:
    """Judge a case by every check that applies to its purpose; once one raised, each is run on its own."""
    purpose = case.purpose
    if case.request.follows is not None:
        asked = (purpose in check.applies_to and check.judge not in _ONCE for check in checks)
        return tuple([_found(check, case) if is_asked else None for check, is_asked in zip(checks, asked, strict=True)])
    try:
        return tuple([check.judge(case) if purpose in check.applies_to else None for check in checks])
    except _BROKEN:
        return tuple([_found(check, case) if purpose in check.applies_to else None for check in checks])


def _found(check: Check, case: Case) -> Finding:
    try:
        return check.judge(case)
    except _BROKEN as error:
        return not case.purpose.is_entry, RAISED, repr(error)


def all_hold(findings: Findings) -> bool:
    """Whether no rule objects."""
    for found in findings:  # noqa: SIM110 - three times as fast as all() on the hottest path
        if found is not None and not found[0]:
            return False
    return True


def reported(findings: Findings, checks: tuple[Check, ...]) -> tuple[CheckResult, ...]:
    """Write the findings down, row by row."""
    return tuple([_result(check, found) for check, found in zip(checks, findings, strict=True)])


_OUTCOMES = {
    (True, False): Outcome.PASSED,
    (True, True): Outcome.SKIPPED,
    (False, False): Outcome.FAILED,
    (False, True): Outcome.FAILED,
}
"""By whether the rule holds, and whether it raised."""


def _result(check: Check, found: Finding | None) -> CheckResult:
    if found is None or found is UNASKED:
        return check.skipped
    if found is YES:
        return check.passed
    holds, value, limit = found
    outcome = _OUTCOMES[holds, value is RAISED]
    return CheckResult(check.check, check.rule, outcome, written(value), written(limit), check.unit)


def is_infrastructure(checks: tuple[CheckResult, ...]) -> bool:
    """Whether something the gate relies on was missing: market data, equity, or a check that raised."""
    failed = [found for found in checks if found.outcome is Outcome.FAILED]
    return any(
        found.check in INFRASTRUCTURE or found.value == RAISED or found.rule == "equity_is_known" for found in failed
    )
