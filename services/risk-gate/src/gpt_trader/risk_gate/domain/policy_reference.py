"""The reference of every limit: what the code itself says of it, beside its value in each shipped policy (CF6)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from pydantic.fields import FieldInfo

from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.policy.fields import Section, Tighter

RESTART = "restart"
"""In place of a direction: nobody knows which side is tighter, so a change waits for a restart."""

_UNITS: Mapping[str, str] = {
    "_seconds": "s",
    "_bps": "bps",
    "fraction": "fraction",
    "_fractions": "fraction",
    "_share": "fraction",
    "_win_rate": "fraction",
    "_notional": "quote currency",
    "notional_per_minute": "quote currency",
    "notional_per_hour": "quote currency",
    "notional_per_day": "quote currency",
    "notional_per_second": "quote currency",
    "quote_tolerance": "quote currency",
    "max_quantities": "base currency",
    "clusters": "fraction",
    "_leverage": "times",
    "_multiple": "times",
    "_multiplier": "times",
    "regimes": "times",
    "_sigmas": "standard deviations",
    "_volatility": "fraction a day",
    "volatility_floor": "fraction a day",
    ".correlation": "coefficient",
    "_returns": "candles",
    "_utc": "time of day",
    "weekdays": "days",
    "profile": "name",
    "execution.style": "name",
    "execution.forms": "names",
    "quote_currency": "name",
}
"""Units by the end of a limit's name; the longest end that fits holds."""


class NoUnit(Exception):
    """A limit's name says no unit: `_UNITS` must."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One key of the policy; `values` by profile, as text."""

    key: str
    unit: str
    tighter: str
    meaning: str
    values: Mapping[str, str]


def limits(policies: Sequence[Policy]) -> tuple[Limit, ...]:
    """Return every limit in the order of the file; raises NoUnit."""
    by_profile = {policy.profile.value: policy for policy in policies}
    return tuple(_limits(Policy, by_profile, ""))


def table(found: Sequence[Limit]) -> str:
    """Write the limits as a table in Markdown, a column for each profile."""
    profiles = list(found[0].values) if found else []
    head = ("key", "unit", "tighter", *profiles, "meaning")
    rows = [(f"`{one.key}`", one.unit, one.tighter, *one.values.values(), one.meaning) for one in found]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ("---",) * len(head), *rows))


def _limits(model: type[Section], values: Mapping[str, Section], prefix: str) -> Iterator[Limit]:
    for name, field in model.model_fields.items():
        key, kind = f"{prefix}{name}", field.annotation
        found = {profile: dict(section)[name] for profile, section in values.items()}
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from _limits(kind, found, f"{key}.")
            continue
        written = {
            profile: _written(section.model_dump(mode="json", include={name})[name])
            for profile, section in values.items()
        }
        meaning = " ".join((field.description or "").split())
        yield Limit(key=key, unit=_unit(key, kind), tighter=_tighter(field), meaning=meaning, values=written)


def _unit(key: str, kind: object) -> str:
    ends = [end for end in _UNITS if key.endswith(end)]
    if ends:
        return _UNITS[max(ends, key=len)]
    if kind is bool:
        return "true or false"
    if kind is int:
        return "count"
    raise NoUnit(key)


def _tighter(field: FieldInfo) -> str:
    """Name the tighter side; of sections by name, that of each of their limits that has one."""
    side = _side(field)
    inner = [kind for kind in get_args(field.annotation) if isinstance(kind, type) and issubclass(kind, Section)]
    sides = [f"{name} {_side(part)}" for kind in inner for name, part in kind.model_fields.items() if _side(part)]
    return side or ", ".join(sides) or RESTART


def _side(field: FieldInfo) -> str:
    return next((note.value for note in field.metadata if isinstance(note, Tighter)), "")


def _written(value: object) -> str:
    """Write a value as short as it can be read."""
    match value:
        case Mapping():
            return ", ".join(f"{name} {_inside(part)}" for name, part in value.items()) or "none"
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Sequence():
            return " ".join(sorted(map(_written, value)))
        case _:
            return str(value)


def _inside(value: object) -> str:
    return f"({_written(value)})" if isinstance(value, Mapping) else _written(value)
