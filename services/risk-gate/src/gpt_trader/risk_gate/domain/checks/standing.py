"""G1 and G2: whether the request is fresh, first and well-formed, and its kind may be traded now."""

from datetime import timedelta

from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.risk_gate.domain.checks.case import NO, YES, Case, Finding
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.trading_state import allows, phrase

_NO_TIME = timedelta(0)
_ENTRY_SIDE = Side.BUY
"""Spot only: a position is never below zero."""


def signal_is_fresh(case: Case) -> Finding:
    """No older than the limit, and not from the future."""
    age = case.now - case.signal.created_at
    limits = case.policy.signals
    is_fresh = -limits.max_clock_skew_seconds <= age <= limits.max_age_seconds
    return is_fresh, age, limits.max_age_seconds


def signal_has_not_expired(case: Case) -> Finding:
    """Judged before its expiry."""
    left = case.signal.expires_at - case.now
    return left > _NO_TIME, left, _NO_TIME


def signal_id_is_first(case: Case) -> Finding:
    """Require that the same id is refused for ever."""
    return NO if case.signal.signal_id in case.state.signal_ids else YES


def content_is_first(case: Case) -> Finding:
    """Require that the same wish was not approved a moment ago."""
    start = case.now - case.policy.signals.duplicate_window_seconds
    alike = case.state.history.of_kind(kind_of(case.signal)).since(start)
    return NO if alike and content_of(case.signal) in alike else YES


def side_fits_action(case: Case) -> Finding:
    """Enter buys; exit is opposite to what is held."""
    if case.signal.action is Action.ENTER:
        return YES if case.signal.side is _ENTRY_SIDE else NO
    return YES if case.account.position * case.signal.side.sign <= ZERO else NO


def state_allows(case: Case) -> Finding:
    """Require that the trading state, global and of the product, allows this purpose."""
    standing = case.standing
    if allows(standing.status, case.purpose):
        return True, standing.status.value, phrase(standing.status)
    return False, standing.status.value, ",".join(standing.codes)


def nothing_is_unknown(case: Case) -> Finding:
    """No order of the product has an unknown outcome."""
    for kept in case.state.approvals.values():
        if kept.status is OrderStatus.UNKNOWN and kept.product == case.signal.product:
            return NO
    return YES


def content_of(signal: Signal) -> str:
    """Name what a signal asks for, whatever its id and time."""
    return f"{kind_of(signal)}/{signal.action}/{signal.reference_price}"


def kind_of(signal: Signal) -> str:
    """Name the strategy, product and side, for counting repeats."""
    return f"{signal.strategy}/{signal.product}/{signal.side}"
