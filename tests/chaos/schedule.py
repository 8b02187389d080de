"""Which fault begins when, and for how long: everything from one seed, before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from system import GATE
from typing_extensions import override
from world import EXECUTOR, LINKS, OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault of the schedule; `value` is its strength: milliseconds, bytes or times, by kind."""

    at: float
    kind: str
    target: str
    lasts: float
    value: int = 0

    @override
    def __str__(self) -> str:
        """Spell it as one line of the progress."""
        strength = f" {self.value}" if self.value else ""
        return f"{self.at:7.1f} s  {self.kind} {self.target}{strength} for {self.lasts:.1f} s"


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be drawn: targets, how long it lasts, how strong it is."""

    name: str
    targets: tuple[str, ...]
    lasts: tuple[float, float] = (0.5, 4.0)
    values: tuple[int, int] = (0, 0)


CREATE, LISTS, USER = "POST /api/v3/brokerage/orders", "GET /api/v3/brokerage/orders", "user"

KINDS: tuple[Kind, ...] = (
    Kind("kill9", (*OURS, "nats", "redis"), (0.0, 2.0)),
    Kind("freeze", (*OURS, "nats", "redis", "exchange-sim"), (0.3, 5.0)),
    Kind("restart", (*OURS, "nats", "redis"), (0.0, 1.0)),
    Kind("flush", ("redis",), (0.0, 0.0)),
    Kind("full-disk", (GATE, EXECUTOR), (1.0, 5.0)),
    Kind("slow-disk", (GATE, EXECUTOR, "redis"), (1.0, 5.0), (100, 1500)),
    Kind("cut", LINKS, (0.2, 5.0)),
    Kind("late", LINKS, (1.0, 5.0), (50, 800)),
    Kind("deaf", LINKS, (0.5, 5.0)),
    Kind("torn", LINKS, (0.5, 3.0), (1, 20000)),
    Kind("second-gate", (GATE,), (3.0, 5.0)),
    Kind("take-over", (GATE,), (8.0, 9.0)),
    Kind("second-executor", (EXECUTOR,), (3.0, 6.0)),
    Kind("http_500_after_accept", (CREATE,), (2.0, 4.0), (1, 3)),
    Kind("http_500_before_accept", (CREATE, LISTS), (2.0, 4.0), (1, 4)),
    Kind("drop_connection_after_accept", (CREATE,), (2.0, 4.0), (1, 3)),
    Kind("lost_reply", (CREATE,), (2.0, 4.0), (1, 2)),
    Kind("http_429", (CREATE, LISTS), (2.0, 4.0), (1, 4)),
    Kind("reject_401_once", (CREATE, LISTS), (2.0, 4.0), (1, 2)),
    Kind("slow_ms", (CREATE, LISTS), (1.0, 4.0), (200, 1500)),
    Kind("ws_drop", (USER, "ticker"), (1.0, 3.0), (1, 5)),
    Kind("ws_gap", (USER, "ticker"), (1.0, 3.0), (1, 3)),
    Kind("ws_duplicate", (USER, "ticker"), (1.0, 3.0), (1, 10)),
    Kind("delays", ("exchange-sim",), (1.0, 4.0), (100, 900)),
    Kind("kill", ("operator",), (3.0, 5.0)),
    Kind("flatten", ("operator",), (2.0, 3.0)),
    Kind("pause", ("operator",), (1.0, 3.0)),
)
"""exchange-sim is frozen and cut off but never killed: it keeps its books in memory, and they are the witness."""


def drawn(random: Random, seconds: float, gap: tuple[float, float], kinds: Sequence[str] = ()) -> list[Planned]:
    """Draw a schedule: kinds from a shuffled deck, so that each comes before any comes again; none named = all."""
    planned: list[Planned] = []
    deck: list[Kind] = []
    at = random.uniform(*gap)
    while at < seconds:
        if not deck:
            deck = [kind for kind in KINDS if not kinds or kind.name in kinds]
            random.shuffle(deck)
        kind = deck.pop()
        target, lasts, value = random.choice(kind.targets), random.uniform(*kind.lasts), random.randint(*kind.values)
        if not is_busy(planned, target, at):
            fault = Planned(at=round(at, 1), kind=kind.name, target=target, lasts=round(lasts, 1), value=value)
            planned.append(fault)
        at += random.uniform(*gap)
    return planned


def is_busy(planned: list[Planned], target: str, at: float) -> bool:
    """Whether another fault still has this target: two hands on one process or link undo each other."""
    return any(one.target == target and at < one.at + one.lasts + 1 for one in planned)
