"""What volume says: average price paid today, and volume signed by direction."""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Self

from gpt_trader.contracts.market import Candle

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vwap:
    """Volume-weighted average of the typical price since the UTC day began."""

    day: date | None = None
    notional: Decimal = ZERO
    volume: Decimal = ZERO

    def push(self, candle: Candle) -> Self:
        """Take in one candle; a later day starts afresh."""
        day = candle.start.date()
        begun = self if day == self.day else replace(self, day=day, notional=ZERO, volume=ZERO)
        typical = (candle.high + candle.low + candle.close) / 3
        return replace(begun, notional=begun.notional + typical * candle.volume, volume=begun.volume + candle.volume)

    @property
    def value(self) -> Decimal | None:
        """None until something traded today."""
        return self.notional / self.volume if self.volume else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Obv:
    """On-balance volume: rises by the volume of rising candles, falls by that of falling ones."""

    close: Decimal | None = None
    value: Decimal = ZERO

    def push(self, candle: Candle) -> Self:
        """Take in one candle; the first only gives the close to compare with."""
        change = ZERO if self.close is None else candle.close - self.close
        signed = candle.volume.copy_sign(change) if change else ZERO
        return replace(self, close=candle.close, value=self.value + signed)
