"""Keeps wrong prices from being traded on (SPEC MD9): a jump that no trade confirms is quarantined."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierLimits:
    """What counts as a jump. Moves under `floor` never do: in a quiet market sigma is nearly nothing."""

    sigmas: Decimal
    window: timedelta
    floor: Decimal
    move: Decimal
    confirmed_within: Decimal
    min_samples: int = 30


class OutlierFilter:
    """One product's memory of the last mids. Trades confirm a level: a mid near the last print is believed."""

    def __init__(self, limits: OutlierLimits) -> None:
        self._limits = limits
        self._returns: deque[tuple[datetime, Decimal]] = deque()
        self._sum = _ZERO
        self._squares = _ZERO
        self._mid: Decimal | None = None
        self._printed: Decimal | None = None

    def traded(self, price: Decimal) -> None:
        """Remember a print: volume at a price is what confirms it."""
        self._printed = price

    def accepts(self, mid: Decimal, now: datetime) -> bool:
        """Judge a mid; an accepted one becomes the measure of the next."""
        if self._mid is None:
            self._mid = mid
            return True
        change = mid / self._mid - 1
        self._forget(now - self._limits.window)
        if self._is_jump(abs(change)) and not self._is_confirmed(mid):
            return False
        self._mid = mid
        self._returns.append((now, change))
        self._sum += change
        self._squares += change * change
        return True

    def _is_jump(self, change: Decimal) -> bool:
        if change <= self._limits.floor:
            return False
        if change > self._limits.move:
            return True
        count = len(self._returns)
        if count < self._limits.min_samples:
            return False
        mean = self._sum / count
        variance = max(self._squares / count - mean * mean, _ZERO)
        return change * change > self._limits.sigmas**2 * variance

    def _is_confirmed(self, mid: Decimal) -> bool:
        return self._printed is not None and abs(mid / self._printed - 1) <= self._limits.confirmed_within

    def _forget(self, before: datetime) -> None:
        while self._returns and self._returns[0][0] < before:
            _, change = self._returns.popleft()
            self._sum -= change
            self._squares -= change * change
