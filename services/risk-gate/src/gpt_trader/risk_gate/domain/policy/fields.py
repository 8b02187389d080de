"""What a limit may be: exact numbers with a unit, durations in whole seconds, no unknown keys, a tighter side."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from gpt_trader.contracts.message import Fraction, NonNegative, Positive

_LONGEST_SECONDS = 3660 * 86400
"""Far from where a window would begin before all time: arithmetic with times may not fail."""


def _duration(value: object) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number of seconds")  # noqa: TRY004 - pydantic collects ValueError only
    if value > _LONGEST_SECONDS:
        raise ValueError(f"must be at most ten years: {_LONGEST_SECONDS}")
    return timedelta(seconds=value)


def _exact(value: object) -> object:
    if isinstance(value, float):
        return str(value)
    return value


Seconds = Annotated[
    timedelta,
    BeforeValidator(_duration),
    Field(ge=timedelta(0)),
    PlainSerializer(lambda span: int(span.total_seconds()), return_type=int),
]
"""A duration, written as whole seconds."""
Number = BeforeValidator(_exact)
"""YAML reads 0.05 as a binary fraction; its shortest spelling is the number that was written."""
Rule = tuple[bool, str]
"""Whether it holds, and what to say if not."""
Share = Annotated[Fraction, Number]
Money = Annotated[Positive, Number]
Bps = Annotated[NonNegative, Number, Field(le=10000)]
Count = Annotated[int, Field(ge=1, strict=True)]


class Tighter(StrEnum):
    """Marks a field of a section; a field without a mark changes by a restart only.

    A mark on a mapping speaks of its values, and a key more is one limit more. `None` is no limit at all.
    """

    LOWER = "lower"
    HIGHER = "higher"
    FEWER = "fewer"


LOWER, HIGHER, FEWER = Tighter.LOWER, Tighter.HIGHER, Tighter.FEWER


class Section(BaseModel):
    """Part of the policy: frozen, complete, without unknown keys; the string after a field is its meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=False, use_attribute_docstrings=True)
