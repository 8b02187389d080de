"""What a strategy is: parameters, indicators folded over candles, and one pure decision."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal
from enum import StrEnum
from typing import Generic, TypeVar

from gpt_trader.contracts.market import Candle
from gpt_trader.strategy.domain.parameters import P

I_co = TypeVar("I_co", covariant=True)
I_any = TypeVar("I_any")

Evidence = Mapping[str, Decimal]
_TEN_DIGITS = Context(prec=10)


class Choice(StrEnum):
    """What a strategy wants."""

    ENTER = "enter"
    EXIT = "exit"
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A strategy's answer to one candle; the stop and target are set where it wants to enter."""

    choice: Choice
    reason: str
    confidence: Decimal = Decimal(0)
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A position as its strategy sees it; `peak` is the highest price known since it was opened."""

    quantity: Decimal
    entry_price: Decimal
    stop_price: Decimal | None
    target_price: Decimal | None
    opened_at: datetime | None
    peak: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class View(Generic[I_co]):
    """All that a decision may depend on; indicators already include the candle."""

    candle: Candle
    indicators: I_co
    holding: Holding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy(Generic[P, I_any]):
    """A named set of pure functions; third parties register one under the entry points `gpt_trader.strategies`."""

    name: str
    parameters: type[P]
    begin: Callable[[P], I_any]
    """Indicators before the first candle."""
    observe: Callable[[I_any, Candle], I_any]
    """Indicators after one more candle."""
    is_warm: Callable[[I_any], bool]
    """Whether `decide` may be asked."""
    decide: Callable[[View[I_any], P, datetime], Decision]


def tidy(**values: Decimal) -> dict[str, Decimal]:
    """Round evidence to ten digits: more would only be noise on the wire."""
    return {name: _TEN_DIGITS.plus(value) for name, value in values.items()}


def clamped(value: Decimal) -> Decimal:
    """Bring a confidence into [0, 1], to four places."""
    return min(max(value, Decimal(0)), Decimal(1)).quantize(Decimal("0.0001"))


def brackets(price: Decimal, atr: Decimal, parameters: P) -> tuple[Decimal, Decimal]:
    """Stop and target for an entry at this price: ATR multiples, never farther than the caps."""
    stop = max(price * (1 - parameters.stop_loss), price - parameters.stop_atr * atr)
    target = min(price * (1 + parameters.take_profit), price + parameters.target_atr * atr)
    return _TEN_DIGITS.plus(stop), _TEN_DIGITS.plus(target)
