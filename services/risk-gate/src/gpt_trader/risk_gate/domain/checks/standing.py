"""G1 and G2: whether the request is fresh, first and well-formed, and its kind may be traded now."""

from datetime import timedelta

from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import is_future
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.risk_gate.domain.checks.case import NO, ORDINARY, YES, Case, Finding
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.shape import Follows
from gpt_trader.risk_gate.domain.trading_state import CauseCode, allows, phrase

_NO_TIME = timedelta(0)


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
    return NO if wish_of(case.signal, case.purpose, case.request.follows) in case.state.signal_ids else YES


def content_is_first(case: Case) -> Finding:
    """Require that the same wish was not approved a moment ago."""
    start = case.now - case.policy.signals.duplicate_window_seconds
    alike = case.state.history.of_kind(kind_of(case.signal)).since(start)
    return NO if alike and content_of(case.signal) in alike else YES


def side_fits_action(case: Case) -> Finding:
    """Enter buys spot, and adds to a future on the side that is held; exit is opposite to what is held."""
    signal, is_entry = case.signal, case.signal.action is Action.ENTER
    if not is_future(signal.product) and signal.side is not (Side.BUY if is_entry else Side.SELL):
        return False, "short", "spot is never held short"
    same_way = case.account.position * signal.side.sign
    return YES if (same_way >= ZERO if is_entry else same_way <= ZERO) else NO


def state_allows(case: Case) -> Finding:
    """Require that the trading state, global and of the product, allows this purpose."""
    standing = case.standing
    if allows(standing.status, case.purpose):
        return True, standing.status.value, phrase(standing.status)
    return False, standing.status.value, ",".join(standing.codes)


def venue_is_reachable(case: Case) -> Finding:
    """Require that the venue answered when it was last asked: what it can't take now would have an unknown fate."""
    return NO if CauseCode.VENUE_DOWN in case.standing.codes else YES


def nothing_is_unknown(case: Case) -> Finding:
    """No order of the product has an unknown outcome."""
    for kept in case.account.orders:
        if kept.status is OrderStatus.UNKNOWN:
            return NO
    return YES


def wish_of(signal: Signal, purpose: Purpose, follows: Follows | None) -> str:
    """Name a wish by its id and by who has it: an id is made of public parts, and no strategy may use up the gate's."""
    return f"{'asked' if purpose in ORDINARY and follows is None else 'own'}/{signal.signal_id}"


def content_of(signal: Signal) -> str:
    """Name what a signal asks for, whatever its id and time."""
    return f"{kind_of(signal)}/{signal.action}/{signal.reference_price}"


def kind_of(signal: Signal) -> str:
    """Name the strategy, product and side, for counting repeats."""
    return f"{signal.strategy}/{signal.product}/{signal.side}"
