"""Recursive averages and what is made of them: EMA, Wilder's average, RSI, MACD."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seeded:
    """A recursion starts from the plain mean of its first `period` values."""

    count: int = 0
    total: Decimal = ZERO

    def push(self, value: Decimal) -> "_Seeded":
        return _Seeded(count=self.count + 1, total=self.total + value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ema:
    """Exponential average with weight 2 / (period + 1), seeded with the mean of the first `period` values."""

    period: int
    seed: _Seeded = _Seeded()
    value: Decimal | None = None

    def push(self, value: Decimal) -> Self:
        """Take in one value."""
        if self.value is not None:
            return replace(self, value=self.value + (value - self.value) * 2 / (self.period + 1))
        seed = self.seed.push(value)
        return replace(self, seed=seed, value=seed.total / self.period if seed.count == self.period else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wilder:
    """Wilder's average: weight 1 / period, seeded with the mean of the first `period` values."""

    period: int
    seed: _Seeded = _Seeded()
    value: Decimal | None = None

    def push(self, value: Decimal) -> Self:
        """Take in one value."""
        if self.value is not None:
            return replace(self, value=(self.value * (self.period - 1) + value) / self.period)
        seed = self.seed.push(value)
        return replace(self, seed=seed, value=seed.total / self.period if seed.count == self.period else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rsi:
    """Relative strength, 0 to 100; 50 where nothing moved."""

    gains: Wilder
    losses: Wilder
    close: Decimal | None = None

    @classmethod
    def of(cls, period: int) -> Self:
        """Start one that looks back over `period` changes."""
        return cls(gains=Wilder(period=period), losses=Wilder(period=period))

    def push(self, close: Decimal) -> Self:
        """Take in one close."""
        if self.close is None:
            return replace(self, close=close)
        change = close - self.close
        return replace(
            self,
            close=close,
            gains=self.gains.push(max(change, ZERO)),
            losses=self.losses.push(max(-change, ZERO)),
        )

    @property
    def value(self) -> Decimal | None:
        """None until `period` changes were seen."""
        gains, losses = self.gains.value, self.losses.value
        if gains is None or losses is None:
            return None
        moved = gains + losses
        return 100 * gains / moved if moved else Decimal(50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Macd:
    """Distance of two EMAs (line), its own EMA (signal), and their difference (histogram)."""

    fast: Ema
    slow: Ema
    signal: Ema

    @classmethod
    def of(cls, fast: int, slow: int, signal: int) -> Self:
        """Start one with these periods."""
        return cls(fast=Ema(period=fast), slow=Ema(period=slow), signal=Ema(period=signal))

    def push(self, close: Decimal) -> Self:
        """Take in one close; the signal starts with the first line."""
        moved = replace(self, fast=self.fast.push(close), slow=self.slow.push(close))
        line = moved.line
        return moved if line is None else replace(moved, signal=self.signal.push(line))

    @property
    def line(self) -> Decimal | None:
        """None until the slow average exists."""
        if self.fast.value is None or self.slow.value is None:
            return None
        return self.fast.value - self.slow.value

    @property
    def histogram(self) -> Decimal | None:
        """None until the signal line exists."""
        line = self.line
        return None if line is None or self.signal.value is None else line - self.signal.value
