"""G15 and G9: whether an order may go in its form, at this venue, for this purpose, and at a price that fits it."""

from datetime import timedelta

from gpt_trader.contracts.forms import OrderForm, TimeInForce
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.checks.case import YES, Case, Finding, at_most, missing
from gpt_trader.risk_gate.domain.forms import last_step, offered
from gpt_trader.risk_gate.domain.increments import BPS
from gpt_trader.risk_gate.domain.policy.execution import BRACKETS
from gpt_trader.risk_gate.domain.shape import STOPS

_ENDING = frozenset({OrderForm.LIMIT_IOC, OrderForm.LIMIT_FOK, OrderForm.LIMIT_GTD})
_MAKING = frozenset({OrderForm.LIMIT_GTD, OrderForm.LIMIT_GTC})


def form_is_allowed(case: Case) -> Finding:
    """Require that the policy lets orders of this type go."""
    form = case.shape.form
    return YES if form in case.policy.execution.forms else (False, form.value, "execution.forms")


def form_is_offered(case: Case) -> Finding:
    """Require that the venue takes this type for this product, as one order of which every part was approved.

    Of an attached take-profit and stop the venue makes an order of its own, that nobody approved (I1).
    """
    shape = case.shape
    if case.spec is None:
        return missing("product rules")
    if shape.is_attached:
        return False, "attached", "an order of its own"
    if shape.post_only and shape.form not in _MAKING:
        return False, f"{shape.form.value} post-only", "limit GTD or GTC"
    return YES if shape.form in offered(case.spec) else (False, shape.form.value, "offered by the venue")


def form_has_its_terms(case: Case) -> Finding:
    """Require the end, the trigger and the target that the form is made of."""
    shape, signal = case.shape, case.signal
    if shape.form.time_in_force is TimeInForce.GTD and shape.end_time is None:
        return missing("an end")
    if shape.form in STOPS and case.trigger is None:
        return missing("a stop price")
    return missing("a target price") if shape.form in BRACKETS and signal.target_price is None else YES


def entry_ends_by_itself(case: Case) -> Finding:
    """Require that what may add risk is over soon, also when gate and executor are gone (C17)."""
    shape, limit = case.shape, case.policy.execution.entry_life_seconds
    if shape.form not in _ENDING:
        return False, shape.form.value, "ends by itself"
    life = timedelta(0) if shape.end_time is None else shape.end_time - case.now
    return life <= limit, life, limit


def post_only_rests(case: Case) -> Finding:
    """Require that what is to make takes nothing: the venue would refuse it."""
    if not case.shape.post_only:
        return YES
    if case.limit_price is None or case.tick is None:
        return missing("a price")
    touch = case.tick.ask if case.signal.side is Side.BUY else case.tick.bid
    return (touch - case.limit_price) * case.signal.side.sign > 0, case.limit_price, touch


def fallback_is_near_arrival(case: Case) -> Finding:
    """Require that what was not made can be taken near the mark at which the wish arrived."""
    follows = case.request.follows
    if follows is None or follows.number < last_step(case.policy.execution):
        return YES
    if case.tick is None or case.spec is None:
        return missing("a price")
    touch = case.tick.ask if case.signal.side is Side.BUY else case.tick.bid
    away = (touch - follows.arrival_mark) * case.signal.side.sign / follows.arrival_mark * BPS
    return at_most(away, case.policy.execution.fallback_bps[case.spec.tier])
