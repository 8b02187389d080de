"""One schedule: a few seconds of orders and faults, then calm until everything rests, then the books are compared."""

import gc
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gpt_trader.lab.storm import market, rest
from gpt_trader.lab.storm.executor import serve_executor
from gpt_trader.lab.storm.fate import Fate, Fault
from gpt_trader.lab.storm.gate import serve_gate
from gpt_trader.lab.storm.process import Process
from gpt_trader.lab.storm.timeline import ProcessLoop
from gpt_trader.lab.storm.weakness import NOTHING_MISSING, Weakness
from gpt_trader.lab.storm.witness import Violation
from gpt_trader.lab.storm.world import World

_OPENED_BY = 4.0
_STORM_SECONDS = 0.8
_REST_SECONDS = 120.0
_ASKED_SECONDS = 0.25
"""Seconds in which signals come; the storm outlasts what becomes of them, and ends with it."""
_LOOK_SECONDS = 0.05
_FEWEST_SIGNALS = 2
_MORE_SIGNALS = 2
_NETWORK_ODDS = {"bus restarts": 0.02, "gate cut off": 0.01, "executor cut off": 0.02, "kill": 0.02}
_OUTAGE = (0.05, 0.6)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one seed led to."""

    seed: int
    steps: int
    seconds: float
    approved: int
    orders: int
    crashes: int
    struck: tuple[Fault, ...]
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A schedule to run: the seed says everything, `only` leaves out the other faults, `tell` hears each event.

    `length` makes the storm so many times longer, with so many times more signals.
    """

    seed: int
    length: int = 1
    weakness: Weakness = NOTHING_MISSING
    only: frozenset[Fault] | None = None
    tell: Callable[[float, str], None] | None = None


def run(plan: Plan) -> Outcome:
    """Run one schedule."""
    (outcome,) = run_all([plan], lambda _outcome: True)
    return outcome


def run_all(plans: Iterable[Plan], goes_on: Callable[[Outcome], bool]) -> list[Outcome]:
    """Run schedules one after the other, as long as `goes_on` says so after one."""
    outcomes: list[Outcome] = []
    with _silence():
        for plan in plans:
            outcomes.append(_in_folder(plan))
            if not goes_on(outcomes[-1]):
                break
    return outcomes


def _in_folder(plan: Plan) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="storm-", dir=_memory()))
    try:
        return _run(plan, folder)
    finally:
        shutil.rmtree(folder)


def _run(plan: Plan, folder: Path) -> Outcome:
    fate = Fate(plan.seed, plan.only, is_calm=True)
    world = World.made(folder, fate, plan.weakness)
    tell = plan.tell
    if tell is not None:
        fate.tell = lambda text: tell(world.timeline.now, text)
    processes = _processes(world)
    for process in processes:
        process.start()
    market.begin(world)
    _until(world, processes, _OPENED_BY, rest.is_opened)
    asked = world.timeline.now + _ASKED_SECONDS * plan.length
    _storm(world, plan.length)
    _until(world, processes, asked + _STORM_SECONDS, lambda _: world.timeline.now >= asked and rest.is_reached(world))
    fate.is_calm = True
    _until(world, processes, world.timeline.now + _REST_SECONDS, rest.is_reached)
    if not world.witness.violations:
        rest.compare(world)
    return Outcome(
        seed=plan.seed,
        steps=world.timeline.steps,
        seconds=world.timeline.now,
        approved=len(world.witness.approved),
        orders=len(world.venue.orders),
        crashes=sum(len(process.lives) - 1 for process in processes),
        struck=tuple(fate.struck),
        violations=tuple(world.witness.violations),
    )


def _processes(world: World) -> tuple[Process, Process]:
    async def gate(_process: Process, loop: ProcessLoop) -> None:
        await serve_gate(world, loop, world.folder / "gate")

    async def executor(_process: Process, loop: ProcessLoop) -> None:
        await serve_executor(world, loop, world.folder / "executor")

    shared = (world.timeline, world.loop, world.fate)
    return Process("gate", gate, *shared), Process("executor", executor, *shared)


def _storm(world: World, length: int) -> None:
    """Let faults strike from now on, and spread signals over the time."""
    market.tick(world)
    world.fate.is_calm = False
    count = length * _FEWEST_SIGNALS + world.fate.number("signals", length * _MORE_SIGNALS)
    for number in range(count):
        world.loop.later(world.fate.seconds("signals", 0.0, length * _ASKED_SECONDS), market.ask, world, number)
    _disturb(world)


def _disturb(world: World) -> None:
    """Now and then cut a connection, restart the bus, or kill."""
    match world.fate.strike("network", _NETWORK_ODDS):
        case "bus restarts":
            world.server.restart(world.timeline.now)
            for bus in world.buses:
                bus.drop(world.fate.seconds("network", *_OUTAGE))
        case "gate cut off":
            _cut(world, "risk-gate")
        case "executor cut off":
            _cut(world, "executor")
        case "kill":
            market.kill(world)
        case _:
            pass
    if not world.fate.is_calm:
        world.loop.later(0.1, partial(_disturb, world))


def _cut(world: World, zone: str) -> None:
    for bus in world.buses:
        if bus.zone == zone:
            bus.drop(world.fate.seconds("network", *_OUTAGE))


def _until(world: World, processes: tuple[Process, ...], end: float, is_reached: Callable[[World], bool]) -> None:
    """Run until an end is reached, a time is, or an invariant is broken."""
    while world.timeline.now < end:
        world.timeline.run(world.timeline.now + _LOOK_SECONDS)
        for process in processes:
            for bug in (*process.bugs, *process.loop.bugs):
                where = str(bug).replace(str(world.folder), "disk")  # so that the same storm says the same
                world.witness.violated("bug", f"{process.name}: {type(bug).__name__}: {where}")
        if world.witness.violations or is_reached(world):
            return


def _memory() -> str | None:
    """Return a folder in memory, where there is one: a storm's disks are simulated."""
    folder = Path("/dev/shm")  # noqa: S108 - the folder made in it is private
    return str(folder) if folder.is_dir() else None


@contextmanager
def _silence() -> Iterator[None]:
    """Let the tasks of dead processes be closed when all is over: they may object, and nobody is there to hear it."""
    hook = sys.unraisablehook
    sys.unraisablehook = _ignore
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
            gc.collect()
    finally:
        sys.unraisablehook = hook


def _ignore(_problem: object) -> None:
    """Hear nothing."""
