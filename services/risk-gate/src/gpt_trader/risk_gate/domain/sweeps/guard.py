"""One guard: what it measures, against what, and what a trip does to trading."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import CauseCleared, CauseRaised, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.sweeps.comparison import Band, Comparison, band_of
from gpt_trader.risk_gate.domain.sweeps.view import SweepView
from gpt_trader.risk_gate.domain.trading_state import CauseCode, holds

_BROKEN = (ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
"""What a bug in a guard looks like; anything else ends the process, which stops trading as well."""


class Nature(StrEnum):
    """How a trip ends: by the gate itself once all is well and the cooldown is over, or at its time or by a person."""

    RECOVERABLE = "recoverable"
    CRITICAL = "critical"


def _never(_policy: Policy) -> timedelta:
    return timedelta(0)


def _open_end(_now: datetime) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """What a trip does. `cooldown` is its least length, `until` the time of day or week that ends it, if any does."""

    code: CauseCode
    status: TradingStatus
    nature: Nature
    cooldown: Callable[[Policy], timedelta] = _never
    until: Callable[[datetime], datetime | None] = _open_end


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One measured value with its limits; `orders` are those that a trip cancels."""

    value: Decimal | None
    limit: Decimal | None
    warn: Decimal | None = None
    product: str | None = None
    detail: str = ""
    orders: tuple[ClientOrderId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A row of the table. Without a restriction a trip is only told; `trips_blind` = the unknown is a trip."""

    spec: str
    name: str
    unit: str
    comparison: Comparison
    measure: Callable[[SweepView], tuple[Reading, ...]]
    restriction: Restriction | None
    trips_blind: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A reading and where it lies."""

    reading: Reading
    band: Band


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one guard found, and what has to be recorded; `error` when the guard itself broke."""

    guard: Guard
    findings: tuple[Finding, ...]
    records: tuple[Record, ...]
    error: str = ""


def judged(guard: Guard, view: SweepView) -> Judgement:
    """Look once; a guard that breaks lifts nothing."""
    try:
        found = tuple(Finding(reading, _band(guard, reading)) for reading in guard.measure(view))
    except _BROKEN as error:
        return Judgement(guard, (), (), f"{guard.name}: {error!r}")
    restriction = guard.restriction
    if restriction is None:
        return Judgement(guard, found, ())
    return Judgement(guard, found, tuple(record for one in found for record in _effect(guard, restriction, one, view)))


def holding(state: GateState, code: str, product: str | None, now: datetime) -> Cause | None:
    """Return the cause of this code and product that holds."""
    for cause in state.causes:
        if cause.code == code and cause.product == product and holds(cause, now):
            return cause
    return None


def _band(guard: Guard, reading: Reading) -> Band:
    band = band_of(guard.comparison, reading.value, reading.limit, reading.warn)
    return Band.TRIPPED if band is Band.UNKNOWN and guard.trips_blind else band


def _effect(guard: Guard, restriction: Restriction, found: Finding, view: SweepView) -> tuple[Record, ...]:
    cause = holding(view.state, restriction.code, found.reading.product, view.now)
    if found.band is Band.TRIPPED:
        return () if cause is not None else (_raised(guard, restriction, found.reading, view.now),)
    is_lifted = (
        cause is not None
        and restriction.nature is Nature.RECOVERABLE
        and found.band is not Band.UNKNOWN
        and cause.until is None
        and view.now - cause.since >= restriction.cooldown(view.policy)
    )
    if not is_lifted:
        return ()
    reason = f"{guard.name} is {written(found.reading.value)} {guard.unit}".rstrip()
    return (CauseCleared(code=restriction.code, product=found.reading.product, reason=reason, at=view.now),)


def _raised(guard: Guard, restriction: Restriction, reading: Reading, now: datetime) -> CauseRaised:
    cause = Cause(
        code=restriction.code,
        status=restriction.status,
        detail=described(guard, reading),
        product=reading.product,
        since=now,
        until=restriction.until(now),
    )
    return CauseRaised(cause=cause, at=now)


def described(guard: Guard, reading: Reading) -> str:
    """Say what was measured against what."""
    measured = f"{guard.name} {written(reading.value)}, limit {written(reading.limit)} {guard.unit}".rstrip()
    return f"{measured}: {reading.detail}" if reading.detail else measured


def written(value: Decimal | None) -> str:
    """Write a figure for people: six significant digits at most."""
    return "unknown" if value is None else f"{value:.6g}"
