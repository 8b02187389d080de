"""The clock of every simulated process: one time for all, for they run on machines that agree within their bound."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gpt_trader.lab.storm.timeline import Timeline

EPOCH = datetime(2026, 11, 2, 12, tzinfo=UTC)
"""A Monday noon: nothing that the policy counts per day or week turns over in a storm."""


@dataclass(frozen=True, slots=True)
class StormClock:
    """Implements Clock and the gate's MachineClock on simulated time."""

    timeline: Timeline

    def now(self) -> datetime:
        """Trading time; a storm runs on real time."""
        return EPOCH + timedelta(microseconds=round(self.timeline.now * 1_000_000))

    def wall(self) -> datetime:
        """Real time, simulated."""
        return self.now()

    def stretch(self, wall: timedelta) -> timedelta:
        """Real time passes as real time."""
        return wall

    def drift(self) -> timedelta:
        """Nobody sets the simulated machine's clock."""
        return timedelta()
