"""What a replay found out: where a recorded run and the same inputs folded again differ, field by field."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gpt_trader.contracts.message import digest

_NAMES = ("signal_id", "decision_id", "client_order_id", "fill_id", "revision", "product")
"""Fields by which a person finds a record in the rest of the logs."""
ABSENT = "(absent)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that is not what it was."""

    field: str
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """One record that the same inputs do not give; `place` says where in the run it stands."""

    place: str
    ids: Mapping[str, str]
    reason: str
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One service's part of a run. The two hashes cover what was compared, `fingerprint` all that was replayed."""

    service: str
    inputs: int
    outputs: int
    compared: int
    diverged: int
    first: Divergence | None
    recorded_hash: str
    replayed_hash: str
    fingerprint: str
    notes: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Whether the replay is the recorded run, bit for bit."""
        return not self.diverged and self.recorded_hash == self.replayed_hash


@dataclass(slots=True)
class Findings:
    """Counts divergences and keeps the first, which is the cause of most others."""

    count: int = 0
    first: Divergence | None = None

    def add(self, found: Divergence) -> None:
        """Note one more."""
        self.count += 1
        self.first = self.first or found


def chained(head: str, content: bytes) -> str:
    """Return the hash of a sequence that goes on with this content."""
    return digest(head.encode() + content)


def ids(payload: object) -> dict[str, str]:
    """Pick the ids out of a record; each name's first occurrence is the record's own."""
    found: dict[str, str] = {}
    for path, value in _leaves(payload):
        name = path.rpartition(".")[2]
        if name in _NAMES and value != "None":
            found.setdefault(name, value)
    return found


def differences(recorded: object, replayed: object) -> tuple[Difference, ...]:
    """Compare two JSON values leaf by leaf, in the order of their fields."""
    before, after = dict(_leaves(recorded)), dict(_leaves(replayed))
    return tuple(
        Difference(field=path, recorded=before.get(path, ABSENT), replayed=after.get(path, ABSENT))
        for path in dict.fromkeys((*before, *after))
        if before.get(path) != after.get(path)
    )


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    prefix = f"{path}." if path else ""
    match value:
        case dict():
            for name, part in value.items():
                yield from _leaves(part, f"{prefix}{name}")
        case list() | tuple():
            for place, part in enumerate(value):
                yield from _leaves(part, f"{prefix}{place}")
        case _:
            yield path, str(value)
