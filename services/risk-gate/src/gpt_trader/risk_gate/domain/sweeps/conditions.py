"""What holds while something outside is so: causes in force, and kill switches."""

from datetime import datetime

from gpt_trader.risk_gate.domain.consequences import halted, reduce_only
from gpt_trader.risk_gate.domain.records import CauseCleared, CauseRaised, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode, holds

_SHOWN = 400
"""How much of the errors of broken guards is kept."""


def restricts(state: GateState, code: CauseCode, now: datetime) -> bool:
    """Whether a cause of this code holds."""
    return any(cause.code == code and holds(cause, now) for cause in state.causes)


def followed(state: GateState, code: CauseCode, detail: str, now: datetime, *, is_present: bool) -> tuple[Record, ...]:
    """Halt while a kill switch is set; once it is gone a plain kill remains, which a reset may end."""
    if is_present is restricts(state, code, now):
        return ()
    if is_present:
        return (CauseRaised(cause=halted(code, detail, now), at=now),)
    return (
        CauseRaised(cause=halted(CauseCode.KILL, f"{detail}, and is gone now", now), at=now),
        CauseCleared(code=code, product=None, reason="it is gone", at=now),
    )


def broken(state: GateState, errors: tuple[str, ...], now: datetime) -> tuple[Record, ...]:
    """Go reduce-only while a guard can't do its work."""
    code = CauseCode.GUARD_BROKEN
    if bool(errors) is restricts(state, code, now):
        return ()
    if errors:
        return (CauseRaised(cause=reduce_only(code, "; ".join(errors)[:_SHOWN], now), at=now),)
    return (CauseCleared(code=code, product=None, reason="every guard works", at=now),)
