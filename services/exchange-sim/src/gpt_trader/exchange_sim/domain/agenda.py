"""What is due when: timers of orders, in the order in which they were set, and the next step of each market."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from heapq import heappop, heappush


class Action(StrEnum):
    """What a timer does to its order."""

    ACTIVATE = "activate"
    CANCEL = "cancel"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True, order=True)
class Timer:
    """Something to do to an order; of two at the same time the one that was set first goes first."""

    at: datetime
    number: int
    action: Action
    order_id: str


@dataclass(slots=True)
class Agenda:
    """Two queues by time."""

    _timers: list[Timer] = field(default_factory=list)
    _markets: list[tuple[datetime, str]] = field(default_factory=list)
    _count: int = 0

    @property
    def next_timer(self) -> datetime | None:
        """When the next timer is due."""
        return self._timers[0].at if self._timers else None

    @property
    def next_market(self) -> datetime | None:
        """When the next market makes a step."""
        return self._markets[0][0] if self._markets else None

    def set_timer(self, at: datetime, action: Action, order_id: str) -> None:
        """Have something done to an order at a time."""
        self._count += 1
        heappush(self._timers, Timer(at, self._count, action, order_id))

    def expect_market(self, at: datetime, product_id: str) -> None:
        """Have a market make its next step at a time."""
        heappush(self._markets, (at, product_id))

    def take_timer(self) -> Timer:
        """Return the next timer, which is over with this."""
        return heappop(self._timers)

    def take_market(self) -> str:
        """Return the product whose market makes the next step."""
        return heappop(self._markets)[1]
