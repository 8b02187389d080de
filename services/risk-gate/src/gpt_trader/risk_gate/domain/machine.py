"""What the machine under the gate must give: room on the disk, a disk that answers, a clock that nobody sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gpt_trader.risk_gate.domain.consequences import reduce_only
from gpt_trader.risk_gate.domain.records import CauseCleared, CauseRaised, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.sweeps.conditions import restricts
from gpt_trader.risk_gate.domain.trading_state import CauseCode


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineView:
    """What one look found: room where the journal is, the last wait for that disk, how far the clock was set."""

    free_bytes: int
    write_wait: timedelta
    clock_drift: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLimits:
    """From where on entries stop: while what is under way can still be written down, and nothing is late yet."""

    min_free_bytes: int
    slow_write: timedelta
    clock_drift: timedelta


def watched(state: GateState, seen: MachineView, limits: MachineLimits, now: datetime) -> tuple[Record, ...]:
    """Go reduce-only for what is missing, and lift it once it is back; nothing to record, most of the time."""
    space = f"{seen.free_bytes} bytes are free for the journal, {limits.min_free_bytes} must be"
    wait = f"the journal's disk took {seen.write_wait.total_seconds():.3f} s to write"
    drift = f"the machine's clock was set by {seen.clock_drift.total_seconds():+.3f} s"
    return (
        *_followed(state, CauseCode.DISK_SPACE, space, now, is_bad=seen.free_bytes < limits.min_free_bytes),
        *_followed(state, CauseCode.SLOW_DISK, wait, now, is_bad=seen.write_wait > limits.slow_write),
        *_followed(state, CauseCode.CLOCK_JUMP, drift, now, is_bad=abs(seen.clock_drift) > limits.clock_drift),
    )


def bus_watched(state: GateState, room: Mapping[str, int], least: int, now: datetime) -> tuple[Record, ...]:
    """Go reduce-only while a stream that drops nothing has less room left than exits may need, or does not say."""
    scarce = [f"{stream} can take {left} bytes more" for stream, left in room.items() if left < least]
    detail = f"{', '.join(scarce) or 'there is room again'}; {least} must be left" if room else "the bus does not say"
    return _followed(state, CauseCode.BUS_STORE, detail, now, is_bad=bool(scarce) or not room)


def _followed(state: GateState, code: CauseCode, detail: str, now: datetime, *, is_bad: bool) -> tuple[Record, ...]:
    if is_bad is restricts(state, code, now):
        return ()
    if is_bad:
        return (CauseRaised(cause=reduce_only(code, detail, now), at=now),)
    return (CauseCleared(code=code, product=None, reason=detail, at=now),)
