"""The course of one run: open the system, break it by the schedule, let it rest, compare everything."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from faults import End, Faults
from nursery import Nurseries
from people import Operator, Strategy
from relay import Weather
from schedule import Planned, drawn
from verdict import Evidence, diff, gathered, is_at_rest
from world import LINKS, World, open_world

from gpt_trader.runtime.bus import BusError

GAP = (2.0, 6.0)
"""Seconds from one fault to the next: faults overlap, and the system gets up in between."""
REST_WITHIN = 200.0
"""Seconds until everything must have ended: an order of which nobody spoke is looked up after 90 s."""


@dataclass(slots=True)
class Outcome:
    """What a run was and what it found."""

    seed: int
    seconds: float
    schedule: list[Planned]
    faults: Counter[str] = field(default_factory=Counter)
    skipped: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)

    @property
    def document(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "seed": self.seed,
            "seconds": self.seconds,
            "faults": dict(sorted(self.faults.items())),
            "skipped": self.skipped,
            **self.figures,
            "final_diff": self.differences,
            "notes": self.notes,
            "processes_that_ended_by_themselves": self.ended,
            "schedule": [asdict(one) for one in self.schedule],
        }


def chaos(
    folder: Path,
    nurseries: Nurseries,
    seed: int,
    seconds: float,
    *,
    may_mount: bool,
    gap: tuple[float, float] = GAP,
    kinds: Sequence[str] = (),
    say: Callable[[str], None],
) -> Outcome:
    """Run the system under a seed's faults, let it rest, and compare everything."""
    schedule = drawn(Random(f"{seed}:faults"), seconds, gap, kinds)
    outcome = Outcome(seed, seconds, schedule)
    has_slow_disks = any(fault.kind == "slow-disk" for fault in schedule)
    world = open_world(folder, nurseries, may_mount=may_mount, has_slow_disks=has_slow_disks)
    try:
        say(
            f"seed {seed}: {len(schedule)} faults in {seconds:g} s; full disk by {next(iter(world.small.values())).how}"
        )
        _run(world, outcome, say)
    finally:
        world.close()
    return outcome


def _run(world: World, outcome: Outcome, say: Callable[[str], None]) -> None:
    world.stand.trading()
    for product in world.stand.system.terms.tiers:
        world.stand.let_go(product)
    operator = Operator(world)
    strategy = Strategy(world, Random(f"{outcome.seed}:orders"), 0.3)
    faults = Faults(world, operator)
    threads = [threading.Thread(target=work, daemon=True) for work in (strategy.trade, operator.watch)]
    world.began = time.monotonic()
    for thread in threads:
        thread.start()
    with contextlib.suppress(KeyboardInterrupt):
        _storm(world, faults, outcome, say)
    say(f"{world.at:7.1f} s  the faults are over; waiting for rest")
    world.is_over.set()
    threads[0].join()
    found = _rest(world, operator, faults, outcome)
    outcome.skipped = faults.skipped
    outcome.notes = world.notes
    outcome.ended = [asdict(one) for one in world.ended]
    if found is not None:
        outcome.differences += [*faults.problems, *diff(found)]
        outcome.figures = figures(found, world, strategy, operator) | {"cold_starts": faults.cold_starts}


def _storm(world: World, faults: Faults, outcome: Outcome, say: Callable[[str], None]) -> None:
    """Begin and end what is due, until the schedule's time is over."""
    waiting, ending = list(outcome.schedule), list[tuple[float, End]]()
    try:
        while waiting or ending or world.at < outcome.seconds:
            for due in [one for one in ending if world.at >= one[0]]:
                due[1]()
                ending.remove(due)
            if waiting and world.at >= waiting[0].at:
                fault = waiting.pop(0)
                say(str(fault))
                outcome.faults[fault.kind] += 1
                ending.append((world.at + fault.lasts, faults.begin(fault)))
            world.supervise()
            world.forget()
            time.sleep(0.05)
    finally:
        for _, end in ending:
            end()


def _rest(world: World, operator: Operator, faults: Faults, outcome: Outcome) -> Evidence | None:
    """End every fault, let supervisor and operator do their work, and wait until nothing more is to come."""
    for name in LINKS:
        world.network.turn(name, Weather.CLEAR)
    world.revive()
    operator.is_patient = False
    _calm_venue(world)
    deadline, found = time.monotonic() + REST_WITHIN, None
    while time.monotonic() < deadline:
        world.supervise()
        world.forget()
        with contextlib.suppress(BusError, TimeoutError, OSError):
            operator.look()
            if _is_calm(world):
                found = gathered(world)
                if is_at_rest(found):
                    return found
        time.sleep(0.5)
    states = world.stand.seen.states
    causes = [f"{cause.code} {cause.product or ''}: {cause.detail}" for cause in states[-1].causes] if states else []
    outcome.differences.append(f"no rest after {REST_WITHIN:g} s; causes: {causes or 'none'}")
    faults.problems = [*faults.problems]
    return found if found is not None else gathered(world)


def _calm_venue(world: World) -> None:
    stand = world.stand
    for armed in stand.system.ask_exchange("/faults", {"kind": "ws_gap", "times": 0})["armed"]:
        if armed["kind"] != "no_idempotency":
            stand.fault(armed["kind"], times=0)
    stand.delays(pending_ms=0, visibility_ms=0, cancel_ms=0)


def _is_calm(world: World) -> bool:
    stand = world.stand
    is_up = all(stand.system.is_ready(name) for name in stand.system.ports.health if name in stand.system.children)
    return is_up and bool(stand.seen.states) and not stand.state().causes and not stand.account().open_orders


def figures(found: Evidence, world: World, strategy: Strategy, operator: Operator) -> dict[str, Any]:
    """Count what happened."""
    ends = Counter(event.status.value for event in found.events if event.status.is_terminal)
    orders = [row for row in found.books["orders"] if row["owner"] != "stranger"]
    return {
        "signals": dict(strategy.counts),
        "decisions": dict(Counter(one.verdict.value for one in found.decisions)),
        "approvals": len(found.intents),
        "orders_at_the_venue": len(orders),
        "fills_at_the_venue": len(found.books["fills"]),
        "ends": dict(sorted(ends.items())),
        "were_unknown": len({event.client_order_id for event in found.events if event.status == "unknown"}),
        "restarts": world.starts,
        "operator": dict(operator.acts),
        "connections_broken": sum(link.broken for link in world.network.links.values()),
    }
