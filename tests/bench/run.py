"""`make bench`: latency, decisions per second, memory and kill, measured on this machine in one run.

Prints a table, writes var/bench.json. `--short` is a smoke of a minute or two; `--only a,b` picks sections.
Missing a goal is reported, never an error: machines differ, so compare ratios.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [
    str(HERE),
    str(HERE / "bench_strategy" / "src"),
    str(HERE.parent / "e2e"),
    str(HERE.parent / "scenarios"),
    str(HERE.parent / "unit" / "risk_gate"),
]

import bare_chain  # noqa: E402 - the benches are scripts beside each other, not a package
import bench_system  # noqa: E402 - as above
import chain  # noqa: E402 - as above
import decisions  # noqa: E402 - as above
import executing  # noqa: E402 - as above
import inside  # noqa: E402 - as above
import kill  # noqa: E402 - as above
import orjson  # noqa: E402 - as above
import parts  # noqa: E402 - as above
import past  # noqa: E402 - as above
import resources  # noqa: E402 - as above
import storms  # noqa: E402 - as above
from harness import RunningSystem  # noqa: E402 - as above
from report import Line, Spread, as_json, show, spread, step  # noqa: E402 - as above

from gpt_trader.contracts.signals import Action  # noqa: E402 - as above

_EVENTS = {100: 60, 1000: 800}
"""Market events per second at the venue that give about so many ticks per second on the bus."""
_NAMES = {Action.EXIT: "tick -> exit order at venue", Action.ENTER: "candle -> entry order at venue"}


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured."""

    chain_seconds: float
    bare_seconds: float
    reviews: int
    orders_today: int
    flood: int
    watch_seconds: float
    kills: int
    pasts: tuple[int, ...]
    records: int
    open_orders: int
    storms: int


SHORT = Extent(
    chain_seconds=10,
    bare_seconds=5,
    reviews=4000,
    orders_today=200,
    flood=300,
    watch_seconds=5,
    kills=10,
    pasts=(1000, 100_000),
    records=20_000,
    open_orders=500,
    storms=40,
)
FULL = Extent(
    chain_seconds=90,
    bare_seconds=60,
    reviews=20000,
    orders_today=2000,
    flood=5000,
    watch_seconds=20,
    kills=200,
    pasts=(1000, 100_000, 1_000_000),
    records=1_000_000,
    open_orders=5000,
    storms=1000,
)


class Bench:
    """Collects figures while it measures."""

    def __init__(self, folder: Path, extent: Extent) -> None:
        self.folder = folder
        self.extent = extent
        self.lines: list[Line] = []
        self.raw: dict[str, object] = {}

    def say(self, line: Line) -> None:
        """Print and keep."""
        self.lines.append(line)
        show(line)

    def under_load(self, ticks: int, sections: set[str]) -> None:
        """Measure (a) and (c) on one running system."""
        events = _EVENTS[ticks]
        step(f"starting the whole system at {events} market events/s for {ticks} ticks/s")
        neighbours = resources.Neighbours()
        stride = len(bench_system.PRODUCTS)
        with bench_system.benched(self._folder(f"load-{ticks}"), ticks_per_second=events, stride=stride) as running:
            bench_system.wait_for_orders(running)
            time.sleep(3)
            before = self._ticks(running)
            since = time.time_ns()
            neighbours.begin()
            if "c" in sections and ticks >= 1000:
                self._resources(running, f"at {ticks} ticks/s")
            bench_system.sleep(self.extent.chain_seconds, f"orders at {ticks} ticks/s")
            seen = (self._ticks(running) - before) / (time.time_ns() - since) * 1e9
            seconds = (time.time_ns() - since) / 1e9
            others = neighbours.share()
            time.sleep(1)
            if "a" in sections:
                found = chain.measured(running, since)
        if "a" in sections:
            self._chain(ticks, f"{seen:.0f} ticks/s on the bus, others used {others:.0f} % of a core", seconds, found)

    def idle(self, sections: set[str]) -> None:
        """(c) at rest, then (b) through the bus of the same system."""
        step("starting the whole system with one market event/s")
        with bench_system.idle(self._folder("idle")) as running:
            time.sleep(5)
            if "c" in sections:
                self._resources(running, "idle")
            if "b" in sections:
                step(f"feeding {self.extent.flood} signals to the gate")
                neighbours = resources.Neighbours()
                neighbours.begin()
                found = decisions.through_the_bus(running, self.extent.flood)
                self.raw["decisions_bus"] = found
                first, last = found["first_fifth_per_second"], found["last_fifth_per_second"]
                others = f"others used {neighbours.share():.0f} % of a core"
                detail = f"first fifth {first:,.0f}/s, last {last:,.0f}/s; {others}"
                rate = f"{found['decisions_per_second']:,.0f}/s ({detail})"
                self.say(Line("b", "gate decisions through the bus, each fsynced twice", rate))

    def pure(self) -> None:
        """(b) without a bus."""
        step("reviewing in a loop")
        found = decisions.pure(self.extent.reviews, self.extent.orders_today)
        self.raw["decisions_pure"] = found
        every = f"{found['checks_evaluated']:.0f} checks evaluated, best of 3"
        states = {
            "fresh": "a fresh gate",
            "hour": f"60 orders this hour, {found['open_approvals']:.0f} open",
            "day": f"{self.extent.orders_today} orders today",
        }
        for name, state in states.items():
            rate = found[name]
            self.say(Line("b", f"pure review, {every}, {state}", f"{rate:,.0f}/s", ">= 20,000/s", rate >= 20_000))
        self.say(Line("b", "pure decide: review, intent, canonical record, hash", f"{found['decide']:,.0f}/s"))

    def gathering(self) -> None:
        """(e): everything a decision looks at, on an ordinary gate and on a busy one."""
        for products, orders, goal in ((3, 5, 10_000), (50, 100, None)):
            found = past.gathered(self.extent.reviews // 4, products, orders)
            self.raw[f"gathered_{products}_{orders}"] = found
            what = f"gather and review, {found['checks']:.0f} checks, {products} positions, {orders} orders open"
            rate, aim = found["gather_and_review"], "" if goal is None else f">= {goal:,}/s on one core"
            self.say(Line("e", what, f"{rate:,.0f}/s", aim, None if goal is None else rate >= goal))
            self.say(Line("e", "the same, the orders changed since the last one", f"{found['after_a_change']:,.0f}/s"))

    def deciding(self) -> None:
        """(f): inside the running gate, which shares the machine's cores with all others or has one to itself."""
        step("deciding in one process, part by part")
        found = parts.measured(self.extent.reviews // 10)
        self.raw["deciding_parts"] = {
            kind: {part: asdict(one) for part, one in of.items()} for kind, of in found.items()
        }
        for kind, of in found.items():
            self.say(Line("f", f"processor time of a decision that is {kind}", str(of[parts.WHOLE])))
            split = ", ".join(f"{part} {spent:.2f}" for part, spent in parts.shares(of).items())
            self.say(Line("f", "its parts, medians", f"{split} ms; {_between(of)}"))
        for name, is_apart in (("sharing", False), ("apart", True)):
            if is_apart and len(os.sched_getaffinity(0)) < 2:
                return
            self._deciding(name, is_apart=is_apart)

    def _deciding(self, name: str, *, is_apart: bool) -> None:
        step(f"starting a system with {len(inside.PRODUCTS)} products and 100 orders open")
        neighbours = resources.Neighbours()
        folder = self._folder(f"deciding-{name}")
        neighbours.begin()
        found = inside.latency(folder, self.extent.bare_seconds, is_apart=is_apart)
        self.raw[f"deciding_{name}"] = asdict(found)
        others = f"others used {neighbours.share():.0f} % of a core"
        rate = f"{found.decisions / found.seconds:.0f} signals/s evenly after {inside.WARM_UP} s of warm-up"
        rate += (
            f" (at most {found.late:.0f} ms late, {found.unconfirmed} not confirmed), {found.open_orders} orders open"
        )
        rate += f", {found.bus_messages:,.0f} messages/s on the bus; {others}"
        rate += f"; the gate used {found.cpu:.2f} ms of processor a decision, all its work included"
        self.say(Line("f", "the gate has a core to itself" if is_apart else "the gate shares all cores", rate))
        for what, took in (("decision on disk", found.with_disk), ("the same, disk not counted", found.without_disk)):
            self.say(Line("f", f"signal received -> {what}", str(took), "p99 < 2 ms", took.p99 < 2))
        self.say(Line("f", "of it the wait for the disk", str(found.disk)))
        self.say(Line("f", "signal stored by the bus -> decision on disk", str(found.since_stored)))
        self.say(Line("f", "signal stored by the bus -> decision stored by the bus", str(found.to_stored)))

    def history(self) -> None:
        """(g): the same order on gates with ever more behind them."""
        costs = past.against_history(self.extent.pasts, self.extent.reviews // 8)
        self.raw["history"] = [asdict(cost) for cost in costs]
        for cost in costs:
            against = f"{cost.review / costs[0].review:.2f}x and {cost.fold / costs[0].fold:.2f}x the first"
            spent = f"review {cost.review:.0f} us, fold {cost.fold:.1f} us a record"
            value = f"{spent} ({against}), {cost.ids / 1e6:.2f} MB of ids"
            is_flat = cost.review <= 1.5 * costs[0].review and cost.fold <= 2 * costs[0].fold
            self.say(Line("g", f"a decision after {cost.fills:,} fills", value, "<= 1.5x and 2x", is_flat))

    def restarts(self) -> None:
        """(h): by snapshot and tail, and by the whole fold."""
        past.check_template()
        step(f"writing a journal of {self.extent.records:,} records and starting from it three times")
        found = past.restarts(self._folder("restart"), self.extent.records)
        self.raw["restart"] = asdict(found)
        quick, whole = found.shortcut, found.whole
        size = f"journal {found.journal_megabytes:.0f} MB, snapshot {found.snapshot_megabytes:.1f} MB"
        value = f"{quick.wall:.1f} s, {quick.cpu:.1f} s of processor ({quick.folded:,} records folded; {size})"
        self.say(Line("h", f"start after {quick.records:,} records by snapshot", value, "< 10 s", quick.wall < 10))
        value = (
            f"{whole.wall:.1f} s, {whole.cpu:.1f} s of processor; the audit of the chain {found.verified_seconds:.1f} s"
        )
        self.say(Line("h", "the same by the whole fold", value))
        is_equal = quick.state == whole.state
        self.say(Line("h", "state hash of both", quick.state[:16] if is_equal else "DIFFERENT", "equal", is_equal))
        paused = (
            f"{found.snapshot_held_milliseconds:.1f} ms without letting go, of {found.snapshot_seconds * 1e3:.0f} ms"
        )
        self.say(Line("h", "writing the snapshot holds decisions up", paused))

    def executing(self) -> None:
        """(i): the executor alone."""
        step(
            f"opening {self.extent.open_orders:,} orders, and agreeing with a venue of {2 * self.extent.open_orders:,}"
        )
        found = executing.measured(
            self._folder("executing"), self.extent.open_orders, self.extent.bare_seconds, 2 * self.extent.open_orders
        )
        self.raw["executing"] = asdict(found)
        what = f"intent due -> request on the wire, {executing.RATE}/s, {found.open_orders:,} orders open"
        value = f"{found.to_request}; {found.order_cpu:.2f} ms of processor an order"
        self.say(Line("i", what, value))
        self.say(Line("i", "the same, disk not counted", str(found.own), "p99 < 5 ms", found.own.p99 < 5))
        self.say(Line("i", "the floor: one fsync and the same request by the same client", str(found.floor)))
        self.say(Line("i", "the same, disk not counted", str(found.floor_own)))
        what = f"reconciliation of {found.listed:,} orders, all ended meanwhile"
        spent = f"{found.reconcile_seconds:.1f} s, {found.reconcile_cpu:.1f} s of processor"
        value = f"{spent}, {found.ended:,} ended; journal folded in {found.fold_seconds:.1f} s"
        self.say(Line("i", what, value, "< 5 s", found.reconcile_seconds < 5 and found.ended == found.listed))

    def storms(self) -> None:
        """(j): in one process, which has no more than one core."""
        step(f"running {self.extent.storms} fault storms")
        found = storms.measured(self.extent.storms)
        self.raw["storms"] = asdict(found)
        rate, events = found.schedules / found.cpu, found.events / found.schedules
        value = (
            f"{rate:.0f}/s of processor time, {events:.0f} events each, {found.cpu / found.events * 1e6:.0f} us each"
        )
        self.say(Line("j", "fault storms", value, ">= 100/s of >= 200 events", rate >= 100 and events >= 200))
        per_second = f"{found.events / found.cpu:,.0f}/s"
        self.say(Line("j", "their events", per_second, ">= 20,000/s", found.events / found.cpu >= 20_000))
        self.say(Line("j", "storms that broke an invariant", str(found.violated), "0", found.violated == 0))

    def kills(self) -> None:
        """(d)."""
        step("starting the whole system with an order at every chance")
        with bench_system.benched(self._folder("kill"), ticks_per_second=200, stride=2) as running:
            bench_system.wait_for_orders(running)
            neighbours = resources.Neighbours()
            neighbours.begin()
            done = kill.trials(running, self.extent.kills, Random(7))
            others = neighbours.share()
            time.sleep(1)
            found = kill.outcome(running, done)
        last, acknowledged, latch = map(spread, (found.to_last_order, found.to_acknowledgement, found.to_latch))
        self.raw["kill"] = {**asdict(found)}
        self.say(Line("d", f"{len(done)} kills while orders flow", f"others used {others:.0f} % of a core"))
        self.say(Line("d", "kill -> last order accepted", str(last), "p99 <= 50 ms", last.p99 <= 50))
        self.say(Line("d", "kill -> latched by the gate: no permit after this", str(latch)))
        self.say(Line("d", "kill -> acknowledgement heard by the operator", str(acknowledged)))
        late = found.orders_after_acknowledgement
        self.say(Line("d", "orders accepted after the acknowledgement", str(late), "0", late == 0))
        self.say(Line("d", "orders accepted between kill and acknowledgement", str(found.orders_after_kill - late)))

    def _chain(self, ticks: int, circumstances: str, seconds: float, found: chain.Measured) -> None:
        orders = max(len(found.trips), 1) / seconds
        counts = f"{found.approved} approved, {found.denied} denied, never at the venue: {dict(found.lost) or 'none'}"
        run = f"{circumstances}, {orders:.1f} orders/s, {counts}"
        self.say(Line("a", f"the run at {ticks} ticks/s", run))
        step(f"the bare chain at {ticks} ticks/s, payloads {dict(found.sizes)}")
        load = bare_chain.Load(
            rate=ticks,
            every=max(round(ticks / orders), 1),
            seconds=self.extent.bare_seconds,
            signal_bytes=found.sizes["signal"],
            intent_bytes=found.sizes["intent"],
        )
        neighbours = resources.Neighbours()
        neighbours.begin()
        bare = spread(bare_chain.measure(self._folder(f"bare-{ticks}"), load))
        others = f"others used {neighbours.share():.0f} % of a core"
        self.say(Line("a", f"bare chain at {ticks} ticks/s", f"{bare}; {others}"))
        self.raw[f"bare_{ticks}"] = asdict(bare)
        for action, name in _NAMES.items():
            if found.of(action):
                self._against(ticks, name, spread(found.of(action)), bare)
                leaves = spread(found.of(action, chain.PERMITTED))
                start = name.split(" -> ")[0]
                self.say(Line("a", f"{start} -> permit, the order leaves the gate, at {ticks} ticks/s", str(leaves)))
                self.raw[f"permit_{ticks}_{action}"] = asdict(leaves)
                self.raw[f"stages_{ticks}_{action}"] = stages = found.breakdown(action)
                for stage, p50, p99 in stages:
                    print(f"             {stage:45} p50 {p50:7.2f}  p99 {p99:7.2f} ms", flush=True)

    def _against(self, ticks: int, name: str, ours: Spread, bare: Spread) -> None:
        self.raw[f"{name} {ticks}"] = asdict(ours)
        ratios = (ours.p50 / bare.p50, ours.p99 / bare.p99)
        is_met = max(ratios) <= 2
        value = f"{ours}; {ratios[0]:.1f}x bare p50, {ratios[1]:.1f}x bare p99"
        self.say(Line("a", f"{name} at {ticks} ticks/s", value, "p50 and p99 <= 2x bare", is_met))

    def _resources(self, running: RunningSystem, when: str) -> None:
        step(f"watching processes for {self.extent.watch_seconds:g} s, {when}")
        found = resources.used(running, self.extent.watch_seconds)
        self.raw[f"resources {when}"] = {name: asdict(one) for name, one in found.items()}
        for name, one in found.items():
            is_judged = name in resources.TRADING and when != "idle"
            value = f"RSS {one.rss} MB, USS {one.uss} MB, CPU {one.cpu} %"
            goal = "<= 60 MB" if is_judged else ""
            self.say(Line("c", f"{name} {when}", value, goal, one.rss <= 60 if is_judged else None))

    def _ticks(self, running: RunningSystem) -> float:
        return bench_system.metric(running, "market-data", "market_data_ticks_total")

    def _folder(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir()
        return path


def _between(found: Mapping[str, Spread]) -> str:
    return f"between two of them {parts.TICK} {found[parts.TICK].p50:.3f}, {parts.BOOK} {found[parts.BOOK].p50:.3f} ms"


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="few repetitions: a smoke, not a measurement")
    parser.add_argument(
        "--only",
        default="a,b,c,d,e,f,g,h,i,j",
        help="sections, separated by commas: a latency, b decisions, c memory, d kill, "
        "e review with everything gathered, f latency inside the gate, g cost against history, h restart, "
        "i the executor, j fault storms",
    )
    parser.add_argument("--json", type=Path, default=ROOT / "var" / "bench.json", help="where the figures go")
    parser.add_argument("--keep", type=Path, help="run in this empty folder and leave it, logs included")
    given = parser.parse_args()
    sections = set(given.only.split(","))
    if not sections <= set("abcdefghij"):
        parser.error(f"--only {given.only}: sections are a, b, c, d, e, f, g, h, i, j")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch, bench_system.strategy_installed():
        bench = Bench(given.keep or Path(scratch), SHORT if given.short else FULL)
        measure(bench, sections)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    document = {"short": given.short, "lines": as_json(bench.lines), "raw": bench.raw}
    given.json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    print(f"\n{'=' * 100}")
    for line in bench.lines:
        show(line)
    print(f"\n{time.monotonic() - began:.0f} s; figures in {given.json}")


def measure(bench: Bench, sections: set[str]) -> None:
    """Run the sections in an order that shares running systems."""
    if "b" in sections:
        bench.pure()
    works = {"e": bench.gathering, "f": bench.deciding, "g": bench.history, "h": bench.restarts, "i": bench.executing}
    for section, work in works.items():
        if section in sections:
            work()
    if sections & {"b", "c"}:
        bench.idle(sections)
    if "a" in sections:
        bench.under_load(100, sections)
    if sections & {"a", "c"}:
        bench.under_load(1000, sections)
    if "d" in sections:
        bench.kills()
    if "j" in sections:
        bench.storms()  # last, for it silences this process


if __name__ == "__main__":
    main()
