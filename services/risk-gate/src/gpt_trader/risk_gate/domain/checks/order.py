"""G14, G15, G17, G18: whether it is paid for, valid at the venue, apart from our own orders, and reduces."""

from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.checks.case import NO, YES, Case, Finding, at_least, at_most, missing
from gpt_trader.risk_gate.domain.increments import ZERO


def balance_covers_it(case: Case) -> Finding:
    """Cash, or the position sold from, minus what open orders may still take; fees included."""
    if case.signal.side is Side.BUY:
        return at_most(case.notional, case.account.cash)
    return at_most(case.quantity, abs(case.account.position) - case.account.exits)


def quantity_is_on_increment(case: Case) -> Finding:
    """Require a positive multiple of the base increment, within the venue's bounds.

    The minimum never blocks the exit of a whole position: the venue, not we, refuses dust.
    """
    spec = case.spec
    if spec is None:
        return missing("product rules")
    is_whole_exit = (
        not case.purpose.is_entry
        and case.quantity >= abs(case.account.position) - case.account.exits - spec.base_increment
    )
    least = spec.base_increment if is_whole_exit else spec.base_min_size
    is_valid = least <= case.quantity <= spec.base_max_size and case.quantity % spec.base_increment == ZERO
    return is_valid, case.quantity, least


def price_is_on_increment(case: Case) -> Finding:
    """Require a positive multiple of the price increment."""
    if case.spec is None or case.limit_price is None:
        return missing("a price")
    is_valid = case.limit_price > ZERO and case.limit_price % case.spec.price_increment == ZERO
    return is_valid, case.limit_price, case.spec.price_increment


def notional_reaches_minimum(case: Case) -> Finding:
    """At least what the venue, and the profile, call an order."""
    if case.spec is None or case.limit_price is None:
        return missing("product rules")
    least = max(case.spec.quote_min_size, case.policy.sizing.min_order_notional)
    return at_least(case.quantity * case.limit_price, least)


def order_does_not_meet_our_own(case: Case) -> Finding:
    """No open order of ours on the other side could match it."""
    if case.limit_price is None:
        return missing("a price")
    side = case.signal.side
    for kept in case.state.approvals.values():
        is_opposite = kept.product == case.signal.product and kept.side is not side and kept.remaining > ZERO
        if is_opposite and (case.limit_price - kept.limit_price) * side.sign >= ZERO:
            return NO
    return YES


def order_only_reduces(case: Case) -> Finding:
    """Require that an exit is opposite to the position and not larger than what no other exit takes."""
    if case.purpose is Purpose.ENTRY:
        return YES
    if case.account.position * case.signal.side.sign >= ZERO:
        return False, case.account.position, "an opposite position"
    return at_most(case.quantity, abs(case.account.position) - case.account.exits)
