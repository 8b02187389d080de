"""`make crashes`: deaths at every point of an order's way, at venues that misbehave, and without single protections.

make crashes                                          every cell, at a venue that behaves
make crashes ARGS="--runs 312"                        seeded: random cells x venue behaviours, odd ones kill the bus too
make crashes ARGS="--without fence"                   the matrix without a protection: which cells turn red
make crashes ARGS="--without permit_once,no_resend"   without two that stand in for each other
make crashes ARGS="--table"                           each protection taken out in turn, and the pairs
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scenarios")]

from behaviours import BEHAVIOURS, HIDDEN, HIDING, Behaviour  # noqa: E402 - the folders must be known first
from cells import BUS, CELLS, Cell  # noqa: E402
from protections import PROTECTIONS  # noqa: E402
from rig import Rig, close_rig, open_rig  # noqa: E402

from gpt_trader.runtime import logs  # noqa: E402

STANDING_IN = ("permit_once,no_resend", "permit_once,journal_first")
"""Each of such a pair is enough alone: only without both is something lost."""


@dataclass(slots=True)
class Tally:
    """What was seen over many runs."""

    runs: int = 0
    unreached: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    red: list[str] = field(default_factory=list)

    def said(self, seconds: float) -> str:
        ends = ", ".join(f"{count} {ending}" for ending, count in sorted(self.endings.items()) if count)
        return f"{self.runs} runs in {seconds:.0f} s, {self.unreached} not reached; {ends}; {len(self.red)} RED"


class Rigs:
    """A rig, and a fresh one after each violation: what is broken once stays broken."""

    def __init__(self, folder: Path, without: tuple[str, ...]) -> None:
        self.folder, self.without, self.count = folder, without, 0
        self.open: list[Rig] = [self._opened()]

    @property
    def rig(self) -> Rig:
        """The one that runs."""
        return self.open[-1]

    def _opened(self) -> Rig:
        self.count += 1
        folder = self.folder / f"rig-{self.count}"
        folder.mkdir()
        return open_rig(folder, self.without)

    def again(self) -> None:
        self.close()
        self.open.append(self._opened())

    def close(self) -> None:
        """End it, unless it could not be opened again."""
        while self.open:
            close_rig(self.open.pop())


def plain(words: str) -> Iterator[tuple[str, Cell, Behaviour, bool]]:
    """Every cell whose name has these words once, and some at a venue that hides for a while what it took."""
    for cell in CELLS:
        if words in cell.name:
            yield cell.name, cell, BEHAVIOURS["accepts"], False
    for cell in HIDDEN:
        if words in cell.name:
            yield f"{cell.name}; venue: {HIDING.name}", cell, HIDING, False


def seeded(first: int, runs: int) -> Iterator[tuple[str, Cell, Behaviour, bool]]:
    """Random cells at random venues; an odd seed kills the bus as well."""
    for seed in range(first, first + runs):
        rng = random.Random(seed)
        cell, behaviour = rng.choice(CELLS), rng.choice(list(BEHAVIOURS.values()))
        kills_bus = bool(seed % 2) and cell.victim != BUS
        bus = ", bus killed too" if kills_bus else ""
        yield f"seed {seed}: {cell.name}; venue: {behaviour.name}{bus}", cell, behaviour, kills_bus


def go(rigs: Rigs, plan: Iterator[tuple[str, Cell, Behaviour, bool]], *, is_quiet: bool) -> Tally:
    """Run a plan to its end; a violation is kept, and the next run begins on a fresh system."""
    tally = Tally()
    for name, cell, behaviour, kills_bus in plan:
        tally.runs += 1
        try:
            ending = one(rigs.rig, cell, behaviour, kills_bus=kills_bus)
        except (AssertionError, OSError) as error:
            tally.red.append(f"{name}: {str(error).splitlines()[0]}")
            rigs.again()
            ending = "RED"
        tally.unreached += ending == "not reached"
        tally.endings[ending] += ending not in {"RED", "not reached"}
        if not is_quiet or ending == "RED":
            print(f"{ending:28} {tally.red[-1] if ending == 'RED' else name}", flush=True)
    return tally


def one(rig: Rig, cell: Cell, behaviour: Behaviour, *, kills_bus: bool) -> str:
    """Run a cell at a venue; its ending must be the matrix's where the venue behaves, and true to the venue always."""
    behaviour.begin(rig.stand)
    signal = rig.kill(cell, *([BUS] if kills_bus else []))
    if signal is None:
        behaviour.end(rig.stand)
        rig.quiet()
        return "not reached"
    ending = rig.witness.settled(signal)
    behaviour.end(rig.stand)
    if behaviour.is_good and not kills_bus:
        assert ending in cell.endings, f"{ending}, not {' or '.join(sorted(cell.endings))}"
    return ending


def main() -> None:
    """Run what was asked for; the exit code is 1 if a cell was red."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=0, help="so many seeded runs instead of each cell once")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--without", default="", help=f"protections to take out: {', '.join(PROTECTIONS)}")
    parser.add_argument("--cells", default="", help="only cells whose name has these words, such as `executor, after`")
    parser.add_argument("--table", action="store_true", help="take each protection out in turn, then the pairs")
    given = parser.parse_args()
    logs.configure("error", "json")
    if given.table:
        for names in (*PROTECTIONS, *STANDING_IN):
            print(f"=== without {names}", flush=True)
            measured(tuple(names.split(",")), plain(given.cells), is_quiet=True)
        return
    plan = seeded(given.seed, given.runs) if given.runs else plain(given.cells)
    tally = measured(tuple(one for one in given.without.split(",") if one), plan, is_quiet=False)
    raise SystemExit(bool(tally.red))


def measured(without: tuple[str, ...], plan: Iterator[tuple[str, Cell, Behaviour, bool]], *, is_quiet: bool) -> Tally:
    """Run on systems that lack these protections, and say what was seen."""
    with tempfile.TemporaryDirectory(prefix="crashes-") as folder:
        rigs, began = Rigs(Path(folder), without), time.monotonic()
        try:
            tally = go(rigs, plan, is_quiet=is_quiet)
        finally:
            rigs.close()
    print(tally.said(time.monotonic() - began))
    for red in tally.red:
        print(f"  RED {red}")
    return tally


if __name__ == "__main__":
    main()
