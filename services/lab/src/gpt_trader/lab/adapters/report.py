"""The result of a replay as a table for people and as JSON for machines."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from gpt_trader.contracts.message import canonical
from gpt_trader.lab.adapters.table import aligned
from gpt_trader.lab.domain.comparison import Divergence
from gpt_trader.lab.service import Timed

_SHOWN_FIELDS = 12
_SHOWN_HASH = 16
_HEADER = ("service", "inputs", "outputs", "compared", "diverged", "inputs/s", "recorded", "replayed")


def as_json(results: Sequence[Timed], impure: Sequence[str]) -> str:
    """Return one JSON document; `impure` names services whose two replays differ."""
    services = [
        {
            **asdict(one.comparison),
            "is_equal": one.comparison.is_equal,
            "seconds": one.seconds,
            "inputs_per_second": round(one.inputs_per_second),
        }
        for one in results
    ]
    is_equal = all(one.comparison.is_equal for one in results) and not impure
    return canonical({"is_equal": is_equal, "impure": impure, "services": services}).decode() + "\n"


def as_text(results: Sequence[Timed], impure: Sequence[str]) -> str:
    """Return the table, what should be known, and the first divergence of each service."""
    lines = [*aligned([_HEADER, *map(_row, results)])]
    for one in results:
        lines += [f"{one.comparison.service}: {note}" for note in one.comparison.notes]
    for one in results:
        found = one.comparison.first
        lines += (
            [] if found is None else ["", f"{one.comparison.service} DIVERGED at {found.place}", *_explained(found)]
        )
    lines += [f"\n{service} IS NOT PURE: two replays of the same inputs differ" for service in impure]
    is_equal = all(one.comparison.is_equal for one in results) and not impure
    lines += ["", "equal: the same inputs gave the same run, bit for bit" if is_equal else "NOT EQUAL"]
    return "\n".join(lines) + "\n"


def _row(one: Timed) -> tuple[str, ...]:
    found = one.comparison
    counts = (found.inputs, found.outputs, found.compared, found.diverged, round(one.inputs_per_second))
    hashes = (found.recorded_hash[:_SHOWN_HASH], found.replayed_hash[:_SHOWN_HASH])
    return (found.service, *map(str, counts), *hashes)


def _explained(found: Divergence) -> Iterable[str]:
    yield f"  {found.reason}"
    for name, value in found.ids.items():
        yield f"  {name}: {value}"
    for difference in found.differences[:_SHOWN_FIELDS]:
        yield f"  {difference.field}"
        yield f"    recorded {difference.recorded}"
        yield f"    replayed {difference.replayed}"
    more = len(found.differences) - _SHOWN_FIELDS
    if more > 0:
        yield f"  and {more} more fields (--json shows all)"
