"""One budget for all requests of the account, so that creates can never crowd out cancels."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from math import inf

_FIRST_BACK_OFF_SECONDS = 1.0
_LONGEST_BACK_OFF_SECONDS = 30.0
_MINUTES = 60


class Priority(StrEnum):
    """Who may dip how deep; the gate's own requests count as exits, for kill and reconciliation rest on them."""

    CANCEL = "cancel"
    EXIT = "exit"
    ENTRY = "entry"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetTerms:
    """Requests per second, at once and per hour; entries leave `entry_reserve` of the burst, reads `read_reserve`.

    Of the hour entries and reads leave half to what makes smaller, exits a tenth; no cancel waits for an hour to pass.
    """

    per_second: float = 30.0
    burst: float = 30.0
    per_hour: int = 10_000
    entry_reserve: float = 0.2
    read_reserve: float = 0.4
    hour_reserve: float = 0.5
    hour_exit_reserve: float = 0.1


@dataclass(slots=True)
class Hour:
    """Counts what was sent within the last hour, by minutes: the one that runs, and the sixty before it."""

    count: int = 0
    _minutes: deque[tuple[int, int]] = field(default_factory=deque)

    def add(self, now: float) -> None:
        """Count one."""
        minute = int(now // 60)
        known = self._minutes.pop()[1] if self._minutes and self._minutes[-1][0] == minute else 0
        self._minutes.append((minute, known + 1))
        self.count += 1

    def forget(self, now: float) -> None:
        """Drop what is more than an hour ago."""
        while self._minutes and self._minutes[0][0] < now // 60 - _MINUTES:
            self.count -= self._minutes.popleft()[1]


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
    _lowest: float = field(init=False)
    _hour: Hour = field(init=False, default_factory=Hour)

    def __post_init__(self) -> None:
        """Start full."""
        self._left = self._burst = self._lowest = self.terms.burst
        self._counted_at = self._reads_from = self.elapsed()

    def allows(self, priority: Priority) -> bool:
        """Whether one request of this priority may go now; takes nothing."""
        return self._shortage(priority) <= 0

    def take(self, priority: Priority) -> bool:
        """Take one request if this priority may."""
        if not self.allows(priority):
            return False
        self._left -= 1
        self._hour.add(self._counted_at)
        self._lowest = min(self._lowest, self._left)
        return True

    def most_used(self) -> Decimal:
        """Return the largest share that was spent at once since this was last asked, or that of the hour if larger."""
        self._refill()
        left = max(min(self._lowest, self._left), 0.0)
        self._lowest = self._left
        used = max(1 - left / self._burst, min(self._hour.count / self.terms.per_hour, 1.0))
        return Decimal(round(1000 * used)) / 1000

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
        """Believe the venue's figures where they are lower than ours; after a 429 reads pause, longer each time.

        They pause for as long as the venue asks, if that is longer and no more than half a minute.
        """
        now = self._refill()
        if status == 429:
            self._left = self._lowest = min(self._left, 0.0)
            asked = headers.get("retry-after", "")
            pause = min(float(asked), _LONGEST_BACK_OFF_SECONDS) if asked.isdecimal() else 0.0
            self._reads_from = now + max(self._back_off, pause)
            self._back_off = min(2 * self._back_off, _LONGEST_BACK_OFF_SECONDS)
            return
        if now >= self._reads_from:
            self._back_off = _FIRST_BACK_OFF_SECONDS
        limit = headers.get("x-ratelimit-limit", "")
        if limit.isdecimal() and float(limit) > 0:
            self._burst = min(self.terms.burst, float(limit))
        remaining = headers.get("x-ratelimit-remaining", "")
        if remaining.isdecimal():
            self._left = min(self._left, float(remaining))
        self._lowest = min(self._lowest, self._left)

    def _shortage(self, priority: Priority) -> float:
        """Seconds until one request of this priority may go."""
        now = self._refill()
        reserve = min(self._reserve(priority), max(self._burst - 1.0, 0.0))  # a full bucket lets everybody take one
        missing = (1.0 + reserve - self._left) / self.terms.per_second
        if self._hour.count >= self._most_of_hour(priority):
            missing = max(missing, 60.0 - now % 60)  # what is an hour old is forgotten by the minute
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

    def _most_of_hour(self, priority: Priority) -> float:
        match priority:
            case Priority.CANCEL:
                return inf
            case Priority.EXIT:
                return self.terms.per_hour * (1 - self.terms.hour_exit_reserve)
            case Priority.ENTRY | Priority.READ:
                return self.terms.per_hour * (1 - self.terms.hour_reserve)

    def _refill(self) -> float:
        now = self.elapsed()
        self._left = min(self._burst, self._left + (now - self._counted_at) * self.terms.per_second)
        self._counted_at = now
        self._hour.forget(now)
        return now
