"""How the venue took our requests of late: the gate's own and the executor's, for all leave through one link."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

_MOST = 20_000
"""More than the rate budget lets out within any window that is asked for."""


@dataclass(slots=True, kw_only=True)
class RequestLog:
    """Remembers when each request ended and whether it failed; `elapsed` counts monotonic seconds."""

    elapsed: Callable[[], float]
    _ended: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=_MOST))

    def answered(self, status: int) -> None:
        """Note an answer: too many requests, a timeout or a fault of theirs is an error, a refusal is none."""
        self._ended.append((self.elapsed(), status in {408, 429} or status >= 500))

    def failed(self) -> None:
        """Note that no answer came."""
        self._ended.append((self.elapsed(), True))

    def counted(self, seconds: float) -> tuple[int, int]:
        """Return the requests and the errors among them within the last seconds."""
        since = self.elapsed() - seconds
        recent = [is_error for at, is_error in self._ended if at > since]
        return len(recent), sum(recent)
