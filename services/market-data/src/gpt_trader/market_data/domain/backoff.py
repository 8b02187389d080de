"""How long to wait before connecting again."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential wait with a cap; the jitter keeps replicas from returning in step."""

    first: timedelta
    cap: timedelta
    jitter: float

    def wait(self, attempt: int, chance: float) -> timedelta:
        """Return the wait before `attempt` (from 0); `chance` in [0, 1) picks the place within the jitter."""
        doubled: timedelta = self.first * 2 ** min(attempt, 32)
        plain = min(doubled, self.cap)
        return plain * (1 + self.jitter * (2 * chance - 1))
