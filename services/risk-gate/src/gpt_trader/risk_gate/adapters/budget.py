"""One budget for all requests of the account, so that creates can never crowd out cancels."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_FIRST_BACK_OFF_SECONDS = 1.0
_LONGEST_BACK_OFF_SECONDS = 30.0


class Priority(StrEnum):
    """Who may dip how deep; the gate's own requests count as exits, for kill and reconciliation rest on them."""

    CANCEL = "cancel"
    EXIT = "exit"
    ENTRY = "entry"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetTerms:
    """Requests per second and at once; entries leave `entry_reserve` of the burst to others, reads `read_reserve`."""

    per_second: float = 30.0
    burst: float = 30.0
    entry_reserve: float = 0.2
    read_reserve: float = 0.4


@dataclass(slots=True, kw_only=True)
class RateBudget:
    """A token bucket that listens to the venue; `elapsed` counts monotonic seconds."""

    terms: BudgetTerms
    elapsed: Callable[[], float]
    _burst: float = field(init=False)
    _left: float = field(init=False)
    _counted_at: float = field(init=False)
    _reads_from: float = field(init=False)
    _back_off: float = field(init=False, default=_FIRST_BACK_OFF_SECONDS)

    def __post_init__(self) -> None:
        """Start full."""
        self._left = self._burst = self.terms.burst
        self._counted_at = self._reads_from = self.elapsed()

    def allows(self, priority: Priority) -> bool:
        """Whether one request of this priority may go now; takes nothing."""
        return self._shortage(priority) <= 0

    def take(self, priority: Priority) -> bool:
        """Take one request if this priority may."""
        if not self.allows(priority):
            return False
        self._left -= 1
        return True

    async def wait(self, priority: Priority, at_most_seconds: float) -> bool:
        """Take one request as soon as this priority may; False if that would be too late."""
        give_up_at = self.elapsed() + at_most_seconds
        while not self.take(priority):
            pause = max(self._shortage(priority), 0.0) + 0.001
            if self.elapsed() + pause > give_up_at:
                return False
            await asyncio.sleep(pause)
        return True

    def learn(self, status: int, headers: Mapping[str, str]) -> None:
        """Believe the venue's figures where they are lower than ours; after a 429 reads pause, longer each time."""
        now = self._refill()
        if status == 429:
            self._left = min(self._left, 0.0)
            self._reads_from = now + self._back_off
            self._back_off = min(2 * self._back_off, _LONGEST_BACK_OFF_SECONDS)
            return
        if now >= self._reads_from:
            self._back_off = _FIRST_BACK_OFF_SECONDS
        limit = headers.get("x-ratelimit-limit", "")
        if limit.isdecimal() and int(limit) > 0:
            self._burst = min(self.terms.burst, float(limit))
        remaining = headers.get("x-ratelimit-remaining", "")
        if remaining.isdecimal():
            self._left = min(self._left, float(remaining))

    def _shortage(self, priority: Priority) -> float:
        """Seconds until one request of this priority may go."""
        now = self._refill()
        missing = (1.0 + self._reserve(priority) - self._left) / self.terms.per_second
        if priority is Priority.READ:
            return max(missing, self._reads_from - now)
        return missing

    def _reserve(self, priority: Priority) -> float:
        match priority:
            case Priority.CANCEL | Priority.EXIT:
                return 0.0
            case Priority.ENTRY:
                return self.terms.entry_reserve * self._burst
            case Priority.READ:
                return self.terms.read_reserve * self._burst

    def _refill(self) -> float:
        now = self.elapsed()
        self._left = min(self._burst, self._left + (now - self._counted_at) * self.terms.per_second)
        self._counted_at = now
        return now
