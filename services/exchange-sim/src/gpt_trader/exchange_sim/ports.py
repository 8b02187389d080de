"""What the adapters and the shell need of each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gpt_trader.exchange_sim.domain.accounts import CashMoved
from gpt_trader.exchange_sim.domain.execution import Event, OrderChanged, Traded
from gpt_trader.exchange_sim.domain.venue import Venue


class CannotStart(Exception):
    """A setting or file is unusable; the message names it."""


class Stopwatch(Protocol):
    """Real time: for tokens, limits, records and transport rules."""

    def unix_ns(self) -> int:
        """Return nanoseconds since 1970, by the wall clock."""
        ...

    def elapsed(self) -> float:
        """Return monotonic seconds."""
        ...


class Feed(Protocol):
    """Whoever passes on what happened at the venue."""

    def on_events(self, events: Sequence[Event], now: datetime) -> None:
        """Take what just happened, in order."""
        ...

    def on_pulse(self, now: datetime) -> None:
        """Send what is collected or due."""
        ...

    def restart(self) -> None:
        """Forget the venue that was, for another one takes its place."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One event with the wall-clock nanosecond it was accepted at."""

    accepted_at_ns: int
    event: OrderChanged | Traded | CashMoved


class Floor(Protocol):
    """The venue together with its clock and its feeds."""

    @property
    def venue(self) -> Venue:
        """The exchange."""
        ...

    @property
    def journal(self) -> Sequence[JournalEntry]:
        """Every event that touched an order or futures cash, in order."""
        ...

    def now(self) -> datetime:
        """Return market time, never going back."""
        ...

    def publish(self) -> None:
        """Hand what the venue just did to the feeds."""
        ...

    def pulse(self) -> None:
        """Bring the market to the present and flush the feeds."""
        ...

    def restart(self) -> None:
        """Open the venue anew, as if the process had been started."""
        ...
