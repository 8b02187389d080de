"""Statistics over the last n values, kept as running sums that never lose a digit."""

from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import Self

_EXACT = Context(prec=120)
"""Wide enough that sums of squares of prices are exact: adding and later subtracting a value leaves no residue."""
_LOG_STEP = Decimal("1E-12")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Mean (SMA), weighted mean (WMA), deviation, z-score and slope of the last `length` values."""

    length: int
    values: tuple[Decimal, ...] = ()
    total: Decimal = ZERO
    squares: Decimal = ZERO
    ramp: Decimal = ZERO
    """Sum of value x place, oldest place 0: gives slope and weighted mean without visiting the values."""

    @property
    def is_full(self) -> bool:
        """Whether the statistics cover `length` values; before that they are not to be used."""
        return len(self.values) == self.length

    def push(self, value: Decimal) -> Self:
        """Take in one value; the oldest leaves once the window is full."""
        values, total, squares, ramp = self.values, self.total, self.squares, self.ramp
        if self.is_full:
            oldest, values = values[0], values[1:]
            total = _EXACT.subtract(total, oldest)
            squares = _EXACT.subtract(squares, _EXACT.multiply(oldest, oldest))
            ramp = _EXACT.subtract(ramp, total)
        return replace(
            self,
            values=(*values, value),
            total=_EXACT.add(total, value),
            squares=_EXACT.fma(value, value, squares),
            ramp=_EXACT.fma(value, Decimal(len(values)), ramp),
        )

    @property
    def mean(self) -> Decimal:
        """Simple moving average."""
        return self.total / self.length

    @property
    def weighted_mean(self) -> Decimal:
        """Linearly weighted moving average; the newest value weighs `length`, the oldest 1."""
        return _EXACT.add(self.ramp, self.total) / (self.length * (self.length + 1) // 2)

    @property
    def deviation(self) -> Decimal:
        """Population standard deviation."""
        return (self._scatter / (self.length * self.length)).sqrt()

    @property
    def sample_deviation(self) -> Decimal:
        """Sample standard deviation (n - 1)."""
        return (self._scatter / (self.length * (self.length - 1))).sqrt()

    @property
    def z_score(self) -> Decimal:
        """Distance of the newest value from the mean in deviations; 0 where nothing moved."""
        deviation = self.deviation
        return (self.values[-1] - self.mean) / deviation if deviation else ZERO

    @property
    def slope(self) -> Decimal:
        """Least-squares change per step."""
        n = self.length
        rise = _EXACT.subtract(
            _EXACT.multiply(Decimal(12), self.ramp), _EXACT.multiply(Decimal(6 * (n - 1)), self.total)
        )
        return rise / (n * (n * n - 1))

    def band(self, deviations: Decimal) -> Decimal:
        """Bollinger band: the mean shifted by so many deviations (negative: the lower one)."""
        return self.mean + deviations * self.deviation

    @property
    def _scatter(self) -> Decimal:
        square_of_sum = _EXACT.multiply(self.total, self.total)
        return _EXACT.subtract(_EXACT.multiply(Decimal(self.length), self.squares), square_of_sum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volatility:
    """Realised volatility: sample deviation of the log returns of the last candles, per candle."""

    returns: Window
    close: Decimal | None = None

    def push(self, close: Decimal) -> Self:
        """Take in one close."""
        if self.close is None:
            return replace(self, close=close)
        moved = (close / self.close).ln().quantize(_LOG_STEP)
        return replace(self, close=close, returns=self.returns.push(moved))

    @property
    def value(self) -> Decimal | None:
        """None until enough returns were seen."""
        return self.returns.sample_deviation if self.returns.is_full else None
