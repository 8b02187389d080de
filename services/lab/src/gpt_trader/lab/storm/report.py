"""What a campaign found, for people and for scripts."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from gpt_trader.lab.adapters.table import aligned
from gpt_trader.lab.storm.campaign import Kind, Tally
from gpt_trader.lab.storm.storm import Outcome

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A campaign, what it took, and its first failure made short."""

    tally: Tally
    seconds: float
    kind: Kind
    shortest: Outcome | None
    is_interrupted: bool
    undone: tuple[str, ...] = ()

    @property
    def per_second(self) -> float:
        """Schedules per second of real time."""
        return self.tally.seeds / self.seconds if self.seconds else 0.0


def as_json(found: Found) -> str:
    """Spell everything."""
    tally = found.tally
    document = {
        "without": found.kind.without,
        "length": found.kind.length,
        "is_interrupted": found.is_interrupted,
        "seeds": tally.seeds,
        "seconds": round(found.seconds, 3),
        "schedules_per_second": round(found.per_second, 2),
        "events": tally.steps,
        "simulated_seconds": round(tally.simulated_ms / 1000, 1),
        "approved": tally.approved,
        "orders": tally.orders,
        "crashes": tally.crashes,
        "faults": dict(sorted(tally.faults.items())),
        "violated_seeds": len(tally.failed),
        "failed": [_spelled(one) for one in tally.failed],
        "undone": found.undone,
        "shortest": None if found.shortest is None else _spelled(found.shortest),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"


def as_text(found: Found) -> str:
    """Spell what a person wants to know first."""
    tally = found.tally
    per_schedule = tally.steps / tally.seeds if tally.seeds else 0.0
    rows = (
        ("seeds", f"{tally.seeds}"),
        ("schedules/s", f"{found.per_second:.1f}"),
        ("events", f"{tally.steps} ({per_schedule:.0f} a schedule)"),
        ("simulated", f"{tally.simulated_ms / 3_600_000:.1f} h"),
        ("approved, at the venue", f"{tally.approved}, {tally.orders}"),
        ("faults, crashes", f"{tally.faults.total()}, {tally.crashes}"),
        ("seeds with a violation", f"{len(tally.failed)}"),
    )
    lines = [*aligned(rows), ""]
    if found.kind.without is not None:
        caught = f"caught by seed {tally.failed[0].seed}, after {tally.seeds} seeds" if tally.failed else "NOT CAUGHT"
        lines.append(f"without {found.kind.without}: {caught}")
    for one in tally.failed[:_SHOWN]:
        lines.append(f"seed {one.seed}: {one.violations[0]}")
        lines.append(f"  again: lab storm --seed {one.seed} --trace{_options(found.kind)}")
    if found.shortest is not None:
        lines.append(f"shortest schedule of seed {found.shortest.seed} that still breaks {_invariant(found.shortest)}:")
        lines += [f"  {fault}" for fault in found.shortest.struck]
    lines += [f"NOT RUN: {one}" for one in found.undone]
    if found.is_interrupted:
        lines.append("interrupted: the rest was not run")
    return "\n".join(lines).rstrip() + "\n"


def _invariant(outcome: Outcome) -> str:
    return outcome.violations[0].invariant


def _options(kind: Kind) -> str:
    length = "" if kind.length == 1 else f" --length {kind.length}"
    return length if kind.without is None else f"{length} --without {kind.without}"


def _spelled(outcome: Outcome) -> Mapping[str, object]:
    return {
        "seed": outcome.seed,
        "events": outcome.steps,
        "violations": [str(one) for one in outcome.violations],
        "faults": [str(one) for one in outcome.struck],
    }
