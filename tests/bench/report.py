"""Percentiles and the table."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds."""

    n: int
    p50: float
    p90: float
    p99: float
    max: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.2f}  p90 {self.p90:.2f}  p99 {self.p99:.2f}  max {self.max:.2f} ms  (n={self.n})"


def spread(milliseconds: Sequence[float]) -> Spread:
    """Nearest-rank percentiles; nothing is interpolated and no outlier is dropped."""
    ranked = sorted(milliseconds)
    if not ranked:
        raise ValueError("nothing was measured")

    def at(share: float) -> float:
        return round(ranked[max(ceil(share * len(ranked)) - 1, 0)], 3)

    return Spread(len(ranked), at(0.5), at(0.9), at(0.99), round(ranked[-1], 3))


@dataclass(frozen=True, slots=True)
class Line:
    """One measured figure beside its goal; `met` None = a figure without a goal."""

    section: str
    what: str
    value: str
    goal: str = ""
    met: bool | None = None


def show(line: Line) -> None:
    """Print a figure as soon as it is known."""
    mark = {True: "met   ", False: "MISSED", None: "      "}[line.met]
    goal = f"  [goal {line.goal}]" if line.goal else ""
    print(f"({line.section}) {mark} {line.what}: {line.value}{goal}", flush=True)


def step(text: str) -> None:
    """Say what is being measured now."""
    print(f"... {text}", flush=True)


def as_json(lines: Sequence[Line]) -> list[dict[str, object]]:
    """Plain rows for the JSON file."""
    return [asdict(line) for line in lines]
