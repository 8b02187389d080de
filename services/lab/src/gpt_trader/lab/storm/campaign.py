"""Many seeds, by ranges, in as many processes as are asked for; what is counted is the same for any number of them."""

import gc
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context

from gpt_trader.lab.storm.protections import PROTECTIONS
from gpt_trader.lab.storm.storm import Outcome, Plan, run_all
from gpt_trader.lab.storm.terms import policy
from gpt_trader.lab.storm.weakness import NOTHING_MISSING
from gpt_trader.runtime import logs

SMALLEST = 20
"""Seeds of one range: a few seconds, after which somebody hears how far it is."""


@dataclass(slots=True)
class Tally:
    """What the seeds so far added up to; `failed` are the outcomes that broke an invariant, in order of seed."""

    seeds: int = 0
    steps: int = 0
    simulated_ms: int = 0
    """Whole, so that the sum is the same in any order."""
    approved: int = 0
    orders: int = 0
    crashes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count more."""
        for one in outcomes:
            self.seeds += 1
            self.steps += one.steps
            self.simulated_ms += round(one.seconds * 1000)
            self.approved += one.approved
            self.orders += one.orders
            self.crashes += one.crashes
            self.faults.update(f"{fault.site}: {fault.kind}" for fault in one.struck)
            if one.violations:
                self.failed.append(one)
        self.failed.sort(key=lambda one: one.seed)

    def merge(self, part: "Tally") -> None:
        """Count what somebody else counted."""
        self.seeds += part.seeds
        self.steps += part.steps
        self.simulated_ms += part.simulated_ms
        self.approved += part.approved
        self.orders += part.orders
        self.crashes += part.crashes
        self.faults.update(part.faults)
        self.failed = sorted([*self.failed, *part.failed], key=lambda one: one.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What all schedules of a campaign share: which protection is missing, if one is, and how long they are."""

    without: str | None = None
    length: int = 1

    def plan(self, seed: int) -> Plan:
        """Return the schedule of a seed."""
        weakness = NOTHING_MISSING if self.without is None else PROTECTIONS[self.without]
        return Plan(seed=seed, length=self.length, weakness=weakness)


def campaign(seeds: range, jobs: int, kind: Kind, told: Callable[[Tally], bool]) -> Tally:
    """Run all seeds; `told` hears of each range, and ends the campaign by returning False."""
    tally = Tally()
    prepare()
    for part in _parts(seeds, jobs, kind):
        tally.merge(part)
        if not told(tally):
            break
    return tally


def prepare() -> None:
    """Make this process fit for thousands of schedules: silent, and with nothing old to collect again and again."""
    logs.silence(for_good=True)
    policy()  # half a second of YAML, which each process would read for itself
    gc.collect()
    gc.freeze()
    gc.disable()  # each range collects what it leaves, when no task of it can be closed any more


def tallied(seeds: range, kind: Kind, is_wanted: Callable[[], bool] = lambda: True) -> Tally:
    """Run seeds in a prepared process; it ends early when they are not wanted, or a missing protection showed."""

    def goes_on(outcome: Outcome) -> bool:
        return is_wanted() and (kind.without is None or not outcome.violations)

    tally = Tally()
    for part in ranges(seeds):  # each collects what it leaves
        outcomes = run_all(map(kind.plan, part), goes_on)
        tally.add(outcomes)
        if not goes_on(outcomes[-1]):
            break
    return tally


def ranges(seeds: range, size: int = SMALLEST) -> Sequence[range]:
    """Cut seeds into pieces."""
    return [seeds[start : start + size] for start in range(0, len(seeds), size)]


def _parts(seeds: range, jobs: int, kind: Kind) -> Iterator[Tally]:
    if jobs == 1:
        yield from (tallied(one, kind) for one in ranges(seeds))
        return
    with ProcessPoolExecutor(jobs, get_context("fork"), _begin) as pool:
        futures: list[Future[Tally]] = [pool.submit(tallied, one, kind) for one in ranges(seeds)]
        try:
            yield from (future.result() for future in as_completed(futures))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Leave an interrupt to the parent: it ends this process in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
