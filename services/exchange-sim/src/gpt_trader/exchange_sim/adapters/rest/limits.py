"""Requests per second, per key or per address."""

from dataclasses import dataclass, field

from gpt_trader.exchange_sim.ports import Stopwatch


@dataclass(slots=True, kw_only=True)
class RateLimit:
    """Token buckets that hold one second's worth; zero means unlimited."""

    per_second: int
    stopwatch: Stopwatch
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)

    def take(self, who: str) -> int | None:
        """Use one request; the answer is how many remain, None when there was none left."""
        if not self.per_second:
            return self.per_second
        now = self.stopwatch.elapsed()
        left, at = self._buckets.get(who, (float(self.per_second), now))
        left = min(float(self.per_second), left + (now - at) * self.per_second)
        if left < 1:
            self._buckets[who] = (left, now)
            return None
        self._buckets[who] = (left - 1, now)
        return int(left - 1)

    def headers(self, remaining: int) -> dict[str, str]:
        """Describe the limit as the venue does."""
        return {
            "x-ratelimit-limit": str(self.per_second),
            "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-reset": "1",
        }
