"""RG4, RG12: how far liquidation is, now and by the rates that follow, and how near a contract's expiry."""

from decimal import Decimal

from gpt_trader.contracts.market import is_future
from gpt_trader.risk_gate.domain.futures.margin import is_step_near
from gpt_trader.risk_gate.domain.futures.reduction import held_of
from gpt_trader.risk_gate.domain.increments import ONE, ZERO
from gpt_trader.risk_gate.domain.sweeps.guard import Reading
from gpt_trader.risk_gate.domain.sweeps.orders import seconds
from gpt_trader.risk_gate.domain.sweeps.view import SweepView
from gpt_trader.risk_gate.domain.trading_state import CauseCode

_NOTHING_REQUIRED = Decimal(10)
"""A thousand per cent: how Coinbase writes the buffer of an account without positions."""


def liquidation_buffer(view: SweepView) -> tuple[Reading, ...]:
    """Measure the buffer by the rates of now: ours at fresh marks, or the venue's own if that is smaller."""
    held = held_of(view.state, view.marks)
    if held is None:
        return _unknown(view)
    ours, theirs = held.buffer(view.policy, is_intraday=held.account.is_intraday), held.account.buffer
    known = [one for one in (ours, theirs if held.sides else None) if one is not None]
    return (_reading(view, min(known, default=_NOTHING_REQUIRED)),)


def buffer_after_the_window(view: SweepView) -> tuple[Reading, ...]:
    """Measure the buffer by the rates that follow, once the lower ones end within the lead time."""
    held = held_of(view.state, view.marks)
    if held is None:
        return _unknown(view)
    is_near = is_step_near(held.account, view.policy, view.now)
    buffer = held.buffer(view.policy, is_intraday=False) if is_near else None
    return (_reading(view, _NOTHING_REQUIRED if buffer is None else buffer),)


def contract_expiries(view: SweepView) -> tuple[Reading, ...]:
    """Measure the time that each contract held has left; one that is not held any more restricts nothing."""
    terms = {} if view.state.futures is None else view.state.futures.terms
    limit = seconds(view.policy.futures.close_before_expiry_seconds)
    found = []
    for product in view.held():
        expiry = terms[product].expires_at if product in terms else None
        if is_future(product) and expiry is not None:
            detail = f"expires at {expiry.isoformat()}"
            found.append(Reading(value=seconds(expiry - view.now), limit=limit, product=product, detail=detail))
    known = {reading.product for reading in found}
    over = {one.product for one in view.state.causes if one.code == CauseCode.CONTRACT_EXPIRY} - known
    flat = (Reading(value=ONE, limit=ZERO, product=product) for product in sorted(name for name in over if name))
    return (*found, *flat)


def _reading(view: SweepView, buffer: Decimal) -> Reading:
    limits = view.policy.futures
    return Reading(
        value=buffer,
        limit=limits.buffer_fraction,
        warn=limits.buffer_recovered_fraction,
        detail=f"{buffer:.4f} of maintenance margin, at least {limits.buffer_fraction}",
    )


def _unknown(view: SweepView) -> tuple[Reading, ...]:
    """Say that it can't be told; without futures there is nothing to tell."""
    is_any_held = any(is_future(product) for product in view.held())
    return (Reading(value=None, limit=view.policy.futures.buffer_fraction),) if is_any_held else ()
