"""G14-G18: whether it is paid for, valid and welcome at the venue, apart from our own orders, and reduces."""

from decimal import Decimal

from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import is_future
from gpt_trader.risk_gate.domain.checks.case import NO, UNASKED, YES, Case, Finding, at_least, at_most, missing
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.terms import agree, differences


def balance_covers_it(case: Case) -> Finding:
    """Cash or margin for an entry, the position for an exit, minus what open orders may still take; fees included."""
    if case.purpose.is_entry:
        return missing("margin") if case.account.cash is None else at_most(_cost(case), case.account.cash)
    return at_most(case.quantity, abs(case.account.position) - case.account.exits)


def _cost(case: Case) -> Decimal:
    """Return what an order takes from the dollars: all of a spot order's notional, the margin and fee of a future's."""
    margin, signal = case.account.margin, case.signal
    if margin is None or not is_future(signal.product):
        return case.notional
    return margin.cost_of(signal.product, signal.side, case.notional, case.policy.fee_rate)


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


def terms_are_the_venues(case: Case) -> Finding:
    """Require that market-data states the terms which the venue told the gate itself, in its last answer."""
    spec, terms = case.request.market.spec, case.request.market.terms
    if spec is None or terms is None:
        return missing("the venue's terms")
    if not terms.is_current:
        return False, "outdated", "the venue's terms"
    if agree(spec, terms):
        return YES
    found = differences(spec, terms)
    said, true = (", ".join(f"{one[0]} {one[place]}" for one in found) for place in (1, 2))
    return False, said, true


def fee_is_within_reserve(case: Case) -> Finding:
    """Require that the account's tier pays no more than sizing and reservations assume."""
    terms = case.request.market.terms
    return missing("the tier's fee") if terms is None else at_most(terms.taker_rate, case.policy.fee_rate)


def venue_would_take_it(case: Case) -> Finding:
    """Require that the venue has no objection to this very order; it is asked once nothing else objects."""
    preview = case.request.preview
    if not case.policy.preview.is_asked:
        return YES
    if preview is None:
        return UNASKED
    if (preview.quantity, preview.limit_price) != (case.quantity, case.limit_price):
        return False, f"asked for {preview.quantity} at {preview.limit_price}", "an answer for this order"
    return not preview.refusals, ", ".join(preview.refusals) or "none", "no refusal"


def order_does_not_meet_our_own(case: Case) -> Finding:
    """No open order of ours on the other side could match it; a stop that waits is not in the book."""
    if case.limit_price is None:
        return missing("a price")
    side = case.signal.side
    for kept in case.account.orders:
        is_opposite = kept.side is not side and kept.is_in_motion and kept.remaining > ZERO
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
