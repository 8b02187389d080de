"""The table of checks: all run, all are reported, in this order. A check that raises denies; it never passes."""

from dataclasses import dataclass
from decimal import DecimalException

from gpt_trader.contracts.decisions import CheckResult, Outcome
from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.domain.checks import limits, market, order, pace, standing
from gpt_trader.risk_gate.domain.checks.case import ALL, ENTRIES, ORDINARY, Case, Judge


@dataclass(frozen=True, slots=True)
class Check:
    """One row: the SPEC id, the rule's name, its judge, the unit of value and limit, and to which orders it applies."""

    check: str
    rule: str
    judge: Judge
    unit: str
    applies_to: frozenset[Purpose]
    skipped: CheckResult


def _row(check: str, judge: Judge, unit: str, applies_to: frozenset[Purpose]) -> Check:
    rule = judge.__name__
    return Check(check, rule, judge, unit, applies_to, CheckResult(check, rule, Outcome.SKIPPED, "", "", unit))


CHECKS: tuple[Check, ...] = (
    _row("G1", standing.signal_is_fresh, "s", ALL),
    _row("G1", standing.signal_has_not_expired, "time", ALL),
    _row("G1", standing.signal_id_is_first, "", ALL),
    _row("G1", standing.content_is_first, "", ENTRIES),
    _row("G1", standing.side_fits_action, "", ALL),
    _row("G2", standing.state_allows, "state", ALL),
    _row("G2", standing.nothing_is_unknown, "", ENTRIES),
    _row("G3", market.product_is_in_universe, "", ENTRIES),
    _row("G3", market.product_accepts_orders, "flags", ALL),
    _row("G3", market.quote_is_ours, "currency", ENTRIES),
    _row("G4", market.mark_is_fresh, "s", ENTRIES),
    _row("G5", market.feed_is_clean, "state", ENTRIES),
    _row("G6", limits.equity_is_known, "", ENTRIES),
    _row("G6", limits.order_is_within_limit, "quote", ENTRIES),
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
    _row("G9", market.limit_is_within_collar, "bps", ORDINARY),
    _row("G9", market.reference_is_within_collar, "bps", ENTRIES),
    _row("G9", market.spread_is_within_tier, "bps", ENTRIES),
    _row("G9", market.spread_is_within_hard_limit, "bps", ORDINARY),
    _row("G10", market.book_is_fresh, "s", ENTRIES),
    _row("G10", market.impact_is_small, "bps", ENTRIES),
    _row("G10", market.depth_is_enough, "quote", ENTRIES),
    _row("G11", pace.trades_per_day_are_few, "orders", ENTRIES),
    _row("G11", pace.trades_per_hour_are_few, "orders", ENTRIES),
    _row("G11", pace.entries_per_hour_are_few, "orders", ENTRIES),
    _row("G11", pace.trades_are_apart, "s", ENTRIES),
    _row("G11", pace.product_has_rested, "s", ENTRIES),
    _row("G11", pace.messages_per_second_are_few, "orders", ORDINARY),
    _row("G11", pace.messages_per_minute_are_few, "orders", ORDINARY),
    _row("G12", pace.losses_in_a_row_have_passed, "s", ENTRIES),
    _row("G12", pace.product_has_cooled_down, "s", ENTRIES),
    _row("G13", pace.order_is_not_repeating, "orders", ORDINARY),
    _row("G14", order.balance_covers_it, "", ALL),
    _row("G15", order.quantity_is_on_increment, "base", ALL),
    _row("G15", order.price_is_on_increment, "quote", ALL),
    _row("G15", order.notional_reaches_minimum, "quote", ENTRIES),
    _row("G17", order.order_does_not_meet_our_own, "", ALL),
    _row("G18", order.order_only_reduces, "base", ALL),
    _row("G19", pace.window_is_open, "time", ENTRIES),
)

RAISED = "raised"
INFRASTRUCTURE = frozenset({"G4", "G5"})
"""Failures of the world, not of the wish; enough of them escalate (G22)."""

_BROKEN = (ArithmeticError, DecimalException, LookupError, TypeError, ValueError, AttributeError)
"""What a bug in a rule looks like; anything else ends the process, which denies as well."""


def run(case: Case, checks: tuple[Check, ...]) -> tuple[CheckResult, ...]:
    """Judge a case by every check that applies to its purpose."""
    purpose = case.purpose
    return tuple([_result(check, case) if purpose in check.applies_to else check.skipped for check in checks])


def _result(check: Check, case: Case) -> CheckResult:
    try:
        holds, value, limit = check.judge(case)
    except _BROKEN as error:
        return CheckResult(check.check, check.rule, Outcome.FAILED, RAISED, "", check.unit, repr(error))
    outcome = Outcome.PASSED if holds else Outcome.FAILED
    return CheckResult(check.check, check.rule, outcome, value, limit, check.unit)


def is_infrastructure(checks: tuple[CheckResult, ...]) -> bool:
    """Whether something the gate relies on was missing: market data, equity, or a check that raised."""
    return any(
        found.outcome is Outcome.FAILED
        and (found.check in INFRASTRUCTURE or found.value == RAISED or found.rule == "equity_is_known")
        for found in checks
    )
