"""(j) fault storms: schedules of the real gate and executor per second of processor time."""

import time
from dataclasses import dataclass

from gpt_trader.lab.storm.campaign import Kind, campaign


@dataclass(frozen=True, slots=True)
class Storms:
    """What a campaign in one process took."""

    schedules: int
    events: int
    violated: int
    cpu: float
    wall: float


def measured(schedules: int) -> Storms:
    """Run the first seeds."""
    wall, cpu = time.monotonic(), time.process_time()
    tally = campaign(range(schedules), 1, Kind(), lambda _so_far: True)
    return Storms(tally.seeds, tally.steps, len(tally.failed), time.process_time() - cpu, time.monotonic() - wall)
