"""Causes that come and go, by the gate or by an operator."""

from dataclasses import replace
from datetime import datetime

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.maker import Makers
from gpt_trader.risk_gate.domain.state import GateState, WantedFlatten
from gpt_trader.risk_gate.domain.trading_state import CauseCode, cleared, raised, without_expired


def restricted(state: GateState, causes: tuple[Cause, ...], at: datetime) -> GateState:
    """Add causes, and drop those that have run out; a halt ends the wishes under way."""
    if not causes:
        return state
    restricted = without_expired(state.causes, at)
    for cause in causes:
        restricted = raised(restricted, cause)
    return replace(state, causes=restricted, makers=_left(state.makers, causes))


def commanded(state: GateState, record: records.CommandReceived) -> GateState:
    """Carry out what a command was found to mean."""
    causes = without_expired(state.causes, record.at)
    for cause in record.cleared:
        causes = cleared(causes, cause.code, cause.product, cause.strategy)
    for cause in record.raised:
        causes = raised(causes, cause)
    if any(cause.code == CauseCode.DRAWDOWN for cause in record.cleared):
        state = replace(state, peak_equity=None)  # the operator took note of the fall: the next valuation is the peak
    resumed = {cause.strategy for cause in record.cleared if cause.strategy is not None}
    if resumed:
        state = replace(state, history=state.history.counting_anew(resumed))
    state = replace(
        state,
        causes=causes,
        control_sequence=max(record.sequence, state.control_sequence),
        makers=_left(state.makers, record.raised),
    )
    if record.subject != subjects.CONTROL_FLATTEN or not record.raised:
        return state
    wanted = WantedFlatten(sequence=record.sequence, product=record.raised[0].product, at=record.at)
    return replace(state, flattens=(*state.flattens, wanted))


def _left(makers: Makers, causes: tuple[Cause, ...]) -> Makers:
    """End what was wished before a halt: the end of its order may be reported after the reset (I3)."""
    return {} if any(cause.status is TradingStatus.HALTED for cause in causes) else makers
