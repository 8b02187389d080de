"""Parameters: typed, bounded, and named by the hash of their values."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gpt_trader.contracts.message import canonical, digest

Factor = Annotated[Decimal, Field(gt=0, le=20)]


class ParametersOutOfBounds(ValueError):
    """Nothing was adopted; the text names parameter, value and bound."""


class StrategyParameters(BaseModel):
    """How any strategy leaves a position; each strategy adds how it enters one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stop_loss: Annotated[Decimal, Field(gt=0, le=Decimal("0.5"))] = Decimal("0.08")
    """Widest stop, as a fraction of the entry price."""
    take_profit: Annotated[Decimal, Field(gt=0, le=2)] = Decimal("0.15")
    """Farthest target, as a fraction of the entry price."""
    stop_atr: Factor = Decimal("2.5")
    """Stop distance in average true ranges, where that is tighter."""
    target_atr: Factor = Decimal(4)
    """Target distance in average true ranges, where that is nearer."""
    trail: Annotated[Decimal, Field(gt=0, le=Decimal("0.5"))] = Decimal("0.03")
    """Fall from the highest price since entry that closes the position, as a fraction."""
    hold_minutes: Annotated[Decimal, Field(gt=0, le=43200)] = Decimal(240)
    """Longest time in a position, in minutes."""


P = TypeVar("P", bound=StrategyParameters)


def version_of(parameters: StrategyParameters) -> str:
    """Name these values: equal values have one name, however they were written."""
    values = {name: _plain(value) for name, value in parameters.model_dump().items()}
    return digest(canonical(values))[:16]


def adopt(current: P, values: Mapping[str, Decimal]) -> P:
    """Return `current` with these values; raises ParametersOutOfBounds and changes nothing if one is not allowed."""
    try:
        return type(current).model_validate({**current.model_dump(), **values})
    except ValidationError as refused:
        reasons = (f"{_place(error['loc'])}={error['input']}: {error['msg']}" for error in refused.errors())
        raise ParametersOutOfBounds("; ".join(reasons)) from refused


def _plain(value: Decimal | int) -> str:
    return format(Decimal(value).normalize(), "f")


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "values"
