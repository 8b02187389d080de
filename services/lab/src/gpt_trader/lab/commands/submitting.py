"""`lab storm --on-bus`: the seeds go to the workers on the bus."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from gpt_trader.contracts.subjects import Zone
from gpt_trader.lab.queue.pieces import cut, named
from gpt_trader.lab.queue.submission import Submission
from gpt_trader.lab.storm.campaign import Kind, Tally, prepare
from gpt_trader.runtime.bus import BusError, connect
from gpt_trader.runtime.clock import SystemClock
from gpt_trader.runtime.secret_files import KeyUnusable


class BusUnusable(Exception):
    """The seeds could not be submitted, or what became of them could not be read."""


def submitted(
    url: str, seed_file: Path | None, seeds: range, kind: Kind, told: Callable[[Tally], bool]
) -> tuple[str, ...]:
    """Have workers run the seeds; returns which were not run and why. Raises BusUnusable."""
    prepare()  # as the workers do: what breaks is cut down here
    try:
        return asyncio.run(_submitted(url, seed_file, seeds, kind, told))
    except (BusError, KeyUnusable) as error:
        raise BusUnusable(str(error)) from error


async def _submitted(
    url: str, seed_file: Path | None, seeds: range, kind: Kind, told: Callable[[Tally], bool]
) -> tuple[str, ...]:
    pieces = cut(seeds, kind)
    campaign = named(pieces, SystemClock().wall().isoformat())
    async with connect(url, seed_file, Zone.OPERATOR) as bus:
        _say(f"campaign {campaign}: {len(pieces)} pieces")
        submission = Submission(bus=bus, campaign=campaign, pieces=tuple(pieces), told=told, warn=_say)
        await submission.run()
    for release in sorted(submission.foreign()):
        _say(f"workers of release {release} ran some of it: their storms may be others than yours")
    return tuple(f"seeds {one.seeds.start} to {one.seeds.stop - 1}: {why}" for one, why in submission.undone())


def _say(text: str) -> None:
    sys.stderr.write(f"lab storm: {text}\n")
