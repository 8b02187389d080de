"""Highest high and lowest low of the last n candles in amortised constant time."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Extremes:
    """Only candidates that can still become the extreme are kept, newest last."""

    length: int
    count: int = 0
    highs: tuple[tuple[int, Decimal], ...] = ()
    lows: tuple[tuple[int, Decimal], ...] = ()

    def push(self, high: Decimal, low: Decimal) -> Self:
        """Take in one candle's range."""
        oldest = self.count - self.length
        highs = list(self.highs if not self.highs or self.highs[0][0] > oldest else self.highs[1:])
        lows = list(self.lows if not self.lows or self.lows[0][0] > oldest else self.lows[1:])
        while highs and highs[-1][1] <= high:
            highs.pop()
        while lows and lows[-1][1] >= low:
            lows.pop()
        return replace(
            self,
            count=self.count + 1,
            highs=(*highs, (self.count, high)),
            lows=(*lows, (self.count, low)),
        )

    @property
    def highest(self) -> Decimal | None:
        """None until `length` candles were seen."""
        return self.highs[0][1] if self.count >= self.length else None

    @property
    def lowest(self) -> Decimal | None:
        """None until `length` candles were seen."""
        return self.lows[0][1] if self.count >= self.length else None
