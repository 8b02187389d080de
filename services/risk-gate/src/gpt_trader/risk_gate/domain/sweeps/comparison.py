"""How a measured value stands to its limit and to the warning before it; the unknown is neither good nor over."""

from decimal import Decimal
from enum import StrEnum
from typing import assert_never


class Comparison(StrEnum):
    """Which side of a limit is the wrong one, and whether the limit itself is."""

    GT = "gt"
    GE = "ge"
    LT = "lt"
    LE = "le"
    ABS_GT = "abs_gt"
    ABS_GE = "abs_ge"


class Band(StrEnum):
    """Where a value lies. Unknown: it, or its limit, could not be told, which never ends a restriction."""

    OK = "ok"
    WARN = "warn"
    TRIPPED = "tripped"
    UNKNOWN = "unknown"


def is_over(comparison: Comparison, value: Decimal, limit: Decimal) -> bool:
    """Whether a value lies on the wrong side of a limit."""
    match comparison:
        case Comparison.GT:
            return value > limit
        case Comparison.GE:
            return value >= limit
        case Comparison.LT:
            return value < limit
        case Comparison.LE:
            return value <= limit
        case Comparison.ABS_GT:
            return abs(value) > limit
        case Comparison.ABS_GE:
            return abs(value) >= limit
        case _:
            assert_never(comparison)


def band_of(comparison: Comparison, value: Decimal | None, limit: Decimal | None, warn: Decimal | None) -> Band:
    """Place a value; what is no finite number is unknown."""
    if value is None or limit is None or not value.is_finite() or not limit.is_finite():
        return Band.UNKNOWN
    if is_over(comparison, value, limit):
        return Band.TRIPPED
    if warn is not None and is_over(comparison, value, warn):
        return Band.WARN
    return Band.OK
