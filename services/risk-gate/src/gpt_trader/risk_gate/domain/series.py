"""One product's closed candles of one interval: returns, volatility and regime, in a bounded memory.

A return is the logarithm of a close over the one before it, kept as a whole number of billionths: sums are exact, so
that they do not depend on the order of arrival. Volatility is the sample standard deviation of returns, scaled by the
square root of time to a day (J. Hull, Options, Futures and Other Derivatives, "Estimating volatility from historical
data").
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from operator import mul
from typing import Self

from gpt_trader.contracts.decisions import Regime
from gpt_trader.contracts.market import Candle
from gpt_trader.risk_gate.domain.increments import ONE, ZERO
from gpt_trader.risk_gate.domain.policy.statistics import RegimeRules

KEPT = 241
"""Closes that are kept: the most returns a policy may ask for."""
_BLOCK = 12
"""Returns in one sample of the past's volatility."""
_LEAST_IN_BLOCK = 8
_BLOCKS = 720
_PAST = timedelta(days=30)
_DAY = timedelta(days=1)
_BILLION = 10**9
_DIGITS = Decimal("1E-8")


@dataclass(slots=True)
class Block:
    """Sums over the returns of one stretch of time."""

    count: int = 0
    total: int = 0
    squares: int = 0

    @property
    def variance(self) -> int:
        """Sample variance of one return, in squared billionths."""
        return (self.count * self.squares - self.total**2) // (self.count * (self.count - 1))


@dataclass(frozen=True, slots=True)
class Returns:
    """Some returns by their place, and their sums."""

    by_place: Mapping[int, int]
    total: int
    squares: int

    @classmethod
    def of(cls, by_place: Mapping[int, int]) -> Self:
        """Add them up."""
        values = by_place.values()
        return cls(by_place, sum(values), sum(map(mul, values, values)))

    def __len__(self) -> int:
        return len(self.by_place)


@dataclass(slots=True)
class Series:
    """Numbered by interval since the epoch. A candle that is told again changes nothing, a correction replaces it."""

    length: timedelta
    closes: dict[int, Decimal] = field(default_factory=dict)
    volumes: dict[int, Decimal] = field(default_factory=dict)
    returns: dict[int, int] = field(default_factory=dict)
    blocks: dict[int, Block] = field(default_factory=dict)
    newest: int = -1
    version: int = 0
    regime: Regime = Regime.UNKNOWN
    _recent: dict[int, tuple[tuple[int, int], Returns]] = field(default_factory=dict)

    def on_candle(self, candle: Candle, rules: RegimeRules) -> None:
        """Take in a closed candle."""
        place, volume = self.place_of(candle.start), candle.volume * candle.close
        is_known = self.closes.get(place) == candle.close and self.volumes.get(place) == volume
        if is_known or place <= self.newest - KEPT:
            return
        self.closes[place], self.volumes[place] = candle.close, volume
        self._link(place)
        self._link(place + 1)
        self.version += 1
        if place > self.newest:
            self.newest = place
            self._forget()
        self.regime = regime_after(self.regime, list(self._last(rules.window_returns + 1)), rules)

    def place_of(self, start: datetime) -> int:
        """Return the number of the interval that begins at `start`."""
        return int(start.timestamp()) // int(self.length.total_seconds())

    def closed(self, now: datetime) -> int:
        """Return the number of the last interval that is over by `now`."""
        return self.place_of(now) - 1

    def recent(self, count: int, now: datetime) -> Returns:
        """Return those of the last `count` returns that are known; the same ones are added up once."""
        last, known = self.closed(now), self.returns
        stamp = (self.version, last)
        kept = self._recent.get(count)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        found = Returns.of({place: known[place] for place in range(last - count + 1, last + 1) if place in known})
        self._recent[count] = (stamp, found)
        return found

    def volume(self, span: timedelta, now: datetime) -> Decimal | None:
        """Notional traded in the last closed intervals that fill `span`; None if the newest candle is not of them."""
        count, last = span // self.length, min(self.closed(now), self.newest)
        if count < 1 or self.newest < self.closed(now) - count:
            return None
        return sum((self.volumes.get(place, ZERO) for place in range(last - count + 1, last + 1)), ZERO)

    def volatility(self, count: int, least: int, now: datetime) -> Decimal | None:
        """Volatility a day over the last `count` returns; None if fewer than `least` are known."""
        found = self.recent(count, now)
        if len(found) < least:
            return None
        return self._daily(Block(len(found), found.total, found.squares).variance)

    def past_volatility(self, now: datetime) -> tuple[Decimal | None, int]:
        """Median of what was measured in each stretch of the past, 30 days at most, and how many those are."""
        current = self.closed(now) // _BLOCK
        first = current - min(_PAST // (self.length * _BLOCK), _BLOCKS)
        found = sorted(
            block.variance
            for place, block in self.blocks.items()
            if first <= place < current and block.count >= _LEAST_IN_BLOCK
        )
        return (self._daily(median(found)), len(found)) if found else (None, 0)

    def is_current(self, now: datetime, within: int) -> bool:
        """Whether the newest candle is one of the last `within` intervals."""
        return self.newest > self.closed(now) - within

    def _daily(self, variance: int) -> Decimal:
        return (Decimal(variance) * (_DAY // self.length)).sqrt() / _BILLION // _DIGITS * _DIGITS

    def _link(self, place: int) -> None:
        """Set the return between two neighbours, and correct the sums by the difference."""
        before, after = self.closes.get(place - 1), self.closes.get(place)
        if before is None or after is None:
            return
        was, now = self.returns.get(place), int((after / before).ln() * _BILLION)
        self.returns[place] = now
        block = self.blocks.setdefault(place // _BLOCK, Block())
        block.count += was is None
        block.total += now - (was or 0)
        block.squares += now**2 - (was or 0) ** 2

    def _forget(self) -> None:
        oldest = self.newest - KEPT
        for kept in (self.closes, self.volumes, self.returns):
            if len(kept) > 2 * KEPT:
                for place in [one for one in kept if one <= oldest]:
                    del kept[place]
        if len(self.blocks) > 2 * _BLOCKS:
            for place in [one for one in self.blocks if one < self.newest // _BLOCK - _BLOCKS]:
                del self.blocks[place]

    def _last(self, count: int) -> Iterator[Decimal]:
        """Yield the closes of the last `count` intervals, oldest first."""
        for place in range(self.newest - count + 1, self.newest + 1):
            if place in self.closes:
                yield self.closes[place]


def regime_after(before: Regime, closes: Sequence[Decimal], rules: RegimeRules) -> Regime:
    """Name the market by its last close: far below the window's highest is a crash, else by the change over it.

    Whatever it is called holds until the figure has come back to `leave_share` of what made it so.
    """
    if len(closes) * 2 <= rules.window_returns:
        return Regime.UNKNOWN
    last = closes[-1]
    change, fall = last / closes[0] - ONE, ONE - last / max(closes)
    figures = {
        Regime.CRASH: (fall, rules.crash_fraction),
        Regime.BEAR: (-change, rules.bear_fraction),
        Regime.BULL: (change, rules.bull_fraction),
    }
    for regime, (figure, limit) in figures.items():
        if figure >= (limit * rules.leave_share if regime is before else limit):
            return regime
    return Regime.CHOP


def correlation(one: Returns, other: Returns, least: int) -> Decimal | None:
    """Pearson's coefficient of two products' returns over the intervals that both have; None for too few or no change.

    r = (n Sxy - Sx Sy) / sqrt((n Sxx - Sx^2)(n Syy - Sy^2)) (K. Pearson, 1895).
    """
    places = one.by_place.keys() & other.by_place.keys()
    count = len(places)
    if count < least:
        return None
    if not count == len(one) == len(other):
        one, other = (Returns.of({place: each.by_place[place] for place in places}) for each in (one, other))
    spread_x = count * one.squares - one.total**2
    spread_y = count * other.squares - other.total**2
    if not spread_x or not spread_y:
        return None
    joint = count * sum(map(mul, one.by_place.values(), other.by_place.values())) - one.total * other.total
    found = Decimal(joint) / Decimal(spread_x * spread_y).sqrt()
    return max(min(found, ONE), -ONE).quantize(_DIGITS)


def median(ordered: Sequence[int]) -> int:
    """Return the middle of sorted numbers; of an even count the larger of the two."""
    return ordered[len(ordered) // 2]
