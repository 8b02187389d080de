"""How far and how steadily price moves: average true range and directional index (Wilder)."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

from gpt_trader.strategy.domain.indicators.momentum import Wilder

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bar:
    """The three prices of a candle that movement is measured on."""

    high: Decimal
    low: Decimal
    close: Decimal

    def true_range(self, previous: "Bar") -> Decimal:
        """Range including the gap to the previous close."""
        return max(self.high, previous.close) - min(self.low, previous.close)


@dataclass(frozen=True, slots=True, kw_only=True)
class Atr:
    """Average true range; the first candle only gives the close to measure from."""

    ranges: Wilder
    previous: Bar | None = None

    @classmethod
    def of(cls, period: int) -> Self:
        """Start one that averages over `period` ranges."""
        return cls(ranges=Wilder(period=period))

    def push(self, bar: Bar) -> Self:
        """Take in one candle."""
        if self.previous is None:
            return replace(self, previous=bar)
        return replace(self, previous=bar, ranges=self.ranges.push(bar.true_range(self.previous)))

    @property
    def value(self) -> Decimal | None:
        """None until `period` ranges were seen."""
        return self.ranges.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Adx:
    """Average directional index, 0 (no trend) to 100, whatever the direction."""

    rises: Wilder
    falls: Wilder
    index: Wilder
    previous: Bar | None = None

    @classmethod
    def of(cls, period: int) -> Self:
        """Start one with this period for the movements and for the index."""
        smooth = Wilder(period=period)
        return cls(rises=smooth, falls=smooth, index=smooth)

    def push(self, bar: Bar) -> Self:
        """Take in one candle."""
        if self.previous is None:
            return replace(self, previous=bar)
        rise, fall = bar.high - self.previous.high, self.previous.low - bar.low
        moved = replace(
            self,
            previous=bar,
            rises=self.rises.push(rise if rise > fall and rise > 0 else ZERO),
            falls=self.falls.push(fall if fall > rise and fall > 0 else ZERO),
        )
        strength = moved.directional
        return moved if strength is None else replace(moved, index=self.index.push(strength))

    @property
    def directional(self) -> Decimal | None:
        """How one-sided the movement is now, 0 to 100; the true range that usually divides both sides cancels out."""
        rises, falls = self.rises.value, self.falls.value
        if rises is None or falls is None:
            return None
        moved = rises + falls
        return 100 * abs(rises - falls) / moved if moved else ZERO

    @property
    def value(self) -> Decimal | None:
        """None until the index has been averaged over its period."""
        return self.index.value
