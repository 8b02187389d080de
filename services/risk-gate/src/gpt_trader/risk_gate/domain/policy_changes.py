"""What one policy changes over another: only what is nowhere looser may be adopted while the gate runs."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from pydantic.fields import FieldInfo

from gpt_trader.risk_gate.domain.policy.fields import Section, Tighter


class Change(StrEnum):
    """What a change means: `restart` = the field has no mark, so nobody knows."""

    TIGHTER = "tighter"
    LOOSER = "looser"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Changed:
    """A key whose value differs, with both values as text; `none` = the key is not there."""

    key: str
    before: str
    after: str
    change: Change

    def spelled(self) -> str:
        """Spell the change for a log or an alert."""
        return f"{self.key}: {self.before} -> {self.after} ({self.change.value})"


def changes(old: Section, new: Section, prefix: str = "") -> Iterator[Changed]:
    """Yield every key whose value differs, in the order of the file."""
    before, after = dict(old), dict(new)
    for name, field in type(old).model_fields.items():
        if before[name] != after[name]:
            yield from _between(f"{prefix}{name}", before[name], after[name], _mark(field))


def is_nowhere_looser(old: Section, new: Section) -> bool:
    """Whether all that differs is known to be tighter."""
    return all(changed.change is Change.TIGHTER for changed in changes(old, new))


def _mark(field: FieldInfo) -> Tighter | None:
    return next((note for note in field.metadata if isinstance(note, Tighter)), None)


def _between(key: str, old: Any, new: Any, mark: Tighter | None) -> Iterator[Changed]:  # noqa: ANN401 - any value of a policy
    if isinstance(old, Section) and isinstance(new, Section):
        yield from changes(old, new, f"{key}.")
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [*old, *(name for name in new if name not in old)]:
            if old.get(name) != new.get(name):
                yield from _of_key(f"{key}.{name}", old.get(name), new.get(name), mark)
        return
    yield Changed(key, _text(old), _text(new), _judged(old, new, mark))


def _of_key(key: str, old: Any, new: Any, mark: Tighter | None) -> Iterator[Changed]:  # noqa: ANN401 - as above
    """Compare what two mappings hold under one key; a section that comes may take the place of a stricter default."""
    is_section = isinstance(old, Section) or isinstance(new, Section)
    if is_section and (old is None or new is None):
        yield Changed(key, _text(old), _text(new), Change.RESTART if old is None else Change.LOOSER)
        return
    yield from _between(key, old, new, mark)


def _judged(old: Any, new: Any, mark: Tighter | None) -> Change:  # noqa: ANN401 - as above
    if mark is None:
        return Change.RESTART
    if old is None or new is None:
        return Change.TIGHTER if old is None else Change.LOOSER
    judge = {
        Tighter.LOWER: partial(_is_at_most, new, old),
        Tighter.HIGHER: partial(_is_at_most, old, new),
        Tighter.FEWER: partial(_is_within, new, old),
    }[mark]
    return Change.TIGHTER if judge() else Change.LOOSER


def _is_at_most(one: Any, other: Any) -> bool:  # noqa: ANN401 - numbers, durations or booleans of one field
    return bool(one <= other)


def _is_within(part: Any, whole: Any) -> bool:  # noqa: ANN401 - collections of one field
    return set(part) <= set(whole)


def _text(value: Any) -> str:  # noqa: ANN401 - as above
    if isinstance(value, Section):
        return ", ".join(f"{name} {_text(part)}" for name, part in value)
    if isinstance(value, (tuple, AbstractSet)):
        return "[" + ", ".join(sorted(map(str, value))) + "]"
    return "none" if value is None else str(value)
