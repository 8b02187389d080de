"""Real time of this machine, for records and transport rules."""

from time import monotonic, time_ns


class RealStopwatch:
    """Wall clock and monotonic clock."""

    def unix_ns(self) -> int:
        """Return nanoseconds since 1970."""
        return time_ns()

    def elapsed(self) -> float:
        """Return monotonic seconds."""
        return monotonic()
