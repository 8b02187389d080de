"""Time as an argument: real, or scaled so that a demo day passes in minutes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gpt_trader.contracts.message import Instant

Rate = Annotated[Decimal, Field(gt=0, le=100_000)]
"""Seconds of trading time per second of real time."""


class Clock(Protocol):
    """The only source of time; decisions see `now`, tokens and latencies see `wall`."""

    def now(self) -> datetime:
        """Trading time, UTC; may run faster than real time."""
        ...

    def wall(self) -> datetime:
        """Real time, UTC."""
        ...

    def stretch(self, wall: timedelta) -> timedelta:
        """How much trading time passes during a stretch of real time."""
        ...


class ClockChoice(Protocol):
    """Settings that say which clock all processes of one run share."""

    @property
    def clock_origin(self) -> datetime | None:
        """Real time at which the scaled clock was started."""
        ...

    @property
    def clock_start(self) -> datetime | None:
        """Trading time at the origin."""
        ...

    @property
    def clock_rate(self) -> Decimal:
        """Seconds of trading time per second of real time."""
        ...


class ClockSettings(BaseModel):
    """A clock as data; without origin and start it is the system clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clock_origin: Instant | None = None
    clock_start: Instant | None = None
    clock_rate: Rate = Decimal(1)

    @model_validator(mode="after")
    def _is_complete(self) -> "ClockSettings":
        require_complete(self)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemClock:
    """Real time."""

    def now(self) -> datetime:
        """Return real time, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the clock

    def wall(self) -> datetime:
        """Return real time, UTC."""
        return self.now()

    def at(self, wall: datetime) -> datetime:
        """Return the trading time at a real time, which is the same."""
        return wall

    def stretch(self, wall: timedelta) -> timedelta:
        """Real time passes as real time."""
        return wall


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledClock:
    """Trading time that started at `start` when real time was `origin`, and runs `rate` times as fast."""

    origin: datetime
    start: datetime
    rate: Decimal

    def now(self) -> datetime:
        """Return scaled time, exact to the microsecond."""
        return self.at(self.wall())

    def at(self, wall: datetime) -> datetime:
        """Return the trading time at a real time."""
        return self.start + self.stretch(wall - self.origin)

    def wall(self) -> datetime:
        """Return real time, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the clock

    def stretch(self, wall: timedelta) -> timedelta:
        """Multiply in whole microseconds, so that no float rounds a timestamp."""
        return timedelta(microseconds=int(wall // timedelta(microseconds=1) * self.rate))


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyClock:
    """A clock that nobody can set: real time when it was made, plus what the monotonic clock counted since.

    Whoever sets the machine's clock shortens no window and keeps no approval alive; `drift` tells of it.
    """

    clock: SystemClock | ScaledClock
    made_at: datetime
    since: float
    elapsed: Callable[[], float]

    @classmethod
    def made(cls, clock: SystemClock | ScaledClock, elapsed: Callable[[], float] = time.monotonic) -> Self:
        """Take over from a clock that may be set; `elapsed` counts seconds and is never set."""
        return cls(clock=clock, made_at=clock.wall(), since=elapsed(), elapsed=elapsed)

    def now(self) -> datetime:
        """Return trading time, UTC; it never goes back."""
        return self.clock.at(self.wall())

    def wall(self) -> datetime:
        """Return real time, UTC, as it would be if nobody had set the machine's clock."""
        return self.made_at + timedelta(microseconds=int((self.elapsed() - self.since) * 1_000_000))

    def stretch(self, wall: timedelta) -> timedelta:
        """Stretch as the clock underneath."""
        return self.clock.stretch(wall)

    def drift(self) -> timedelta:
        """How far the machine's clock was set forward (or back, below zero) since this clock was made."""
        return self.clock.wall() - self.wall()


def require_complete(choice: ClockChoice) -> None:
    """Refuse half a scaled clock: processes that disagree about time would misjudge every expiry."""
    if (choice.clock_origin is None) != (choice.clock_start is None):
        raise ValueError("clock_origin and clock_start must be given together")
    if choice.clock_origin is None and choice.clock_rate != 1:
        raise ValueError("clock_rate other than 1 needs clock_origin and clock_start")


def clock_of(choice: ClockChoice) -> SystemClock | ScaledClock:
    """Make the clock that the settings ask for."""
    if choice.clock_origin is None or choice.clock_start is None:
        return SystemClock()
    return ScaledClock(origin=choice.clock_origin, start=choice.clock_start, rate=choice.clock_rate)
