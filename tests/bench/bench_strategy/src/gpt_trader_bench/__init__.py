"""Buys on a timetable and leaves at the first tick that finds a position: orders at a steady, known pace."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from gpt_trader.contracts.market import Candle, interval_length
from gpt_trader.strategy.domain.parameters import StrategyParameters
from gpt_trader.strategy.domain.strategy import Choice, Decision, Strategy, View

_REAL = ("BTC-USD", "ETH-USD", "SOL-USD", "LTC-USD", "XRP-USD", "DOGE-USD", "ADA-USD", "AVAX-USD")
PRODUCTS = (*_REAL, *(f"P{number:02}-USD" for number in range(16)))
"""What it trades, in the order of their turns: so many, for a product has at most a few ticks per venue pulse."""

_FAR = Decimal("0.2")


class BenchParameters(StrategyParameters):
    """`stride` candles between two entries of a product; products take turns."""

    hold_minutes: Annotated[Decimal, Field(gt=0)] = Decimal("0.0001")
    """So short that the first tick after the fill exits."""
    stride: Annotated[Decimal, Field(ge=1, le=100)] = Decimal(1)


def _begin(_parameters: BenchParameters) -> int:
    return 0


def _observe(seen: int, _candle: Candle) -> int:
    return seen + 1


def _is_warm(seen: int) -> bool:
    return seen > 0


def _decide(view: View[int], parameters: BenchParameters, _now: datetime) -> Decision:
    candle, stride = view.candle, int(parameters.stride)
    number = int(candle.start.timestamp()) // int(interval_length(candle.interval).total_seconds())
    if (number + PRODUCTS.index(candle.product)) % stride:
        return Decision(choice=Choice.WAIT, reason="not its turn")
    return Decision(
        choice=Choice.ENTER,
        reason="its turn",
        confidence=Decimal(1),
        stop_price=candle.close * (1 - _FAR),
        target_price=candle.close * (1 + _FAR),
        evidence={"candle": Decimal(number)},
    )


BENCH = Strategy(
    name="bench",
    parameters=BenchParameters,
    begin=_begin,
    observe=_observe,
    is_warm=_is_warm,
    decide=_decide,
)
