"""Candles of every granularity from minutes of prints, and what came before the first print."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from math import isqrt
from zlib import crc32

from gpt_trader.exchange_sim.domain.orders import ZERO
from gpt_trader.exchange_sim.domain.products import Product

DAY = 86400


class Granularity(IntEnum):
    """Bucket length in seconds; the name is the venue's."""

    ONE_MINUTE = 60
    FIVE_MINUTE = 300
    FIFTEEN_MINUTE = 900
    THIRTY_MINUTE = 1800
    ONE_HOUR = 3600
    TWO_HOUR = 7200
    FOUR_HOUR = 14400
    SIX_HOUR = 21600
    ONE_DAY = 86400
    ONE_WEEK = 604800


@dataclass(frozen=True, slots=True)
class Candle:
    """One bucket; `start` is unix seconds, volume in base currency."""

    start: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    def then(self, later: "Candle") -> "Candle":
        """Merge with what followed in the same bucket."""
        return Candle(
            self.start,
            self.open,
            max(self.high, later.high),
            min(self.low, later.low),
            later.close,
            self.volume + later.volume,
        )


Past = Callable[[int, int], Candle | None]


class CandleSeries:
    """Minutes since the market began, answered together with its past."""

    def __init__(self, begin: int, past: Past) -> None:
        self._begin = begin - begin % 60
        self._past = past
        self._cache: dict[tuple[int, int], Candle | None] = {}
        self._minutes: dict[int, Candle] = {}

    def print(self, at: int, price: Decimal, quantity: Decimal) -> None:
        """Count one trade."""
        start = at - at % 60
        fresh = Candle(start, price, price, price, price, quantity)
        known = self._minutes.get(start)
        self._minutes[start] = fresh if known is None else known.then(fresh)

    def insert(self, minute: Candle) -> None:
        """Take over a recorded minute from before the market began."""
        known = self._minutes.get(minute.start)
        self._minutes[minute.start] = minute if known is None else known.then(minute)
        self._begin = min(self._begin, minute.start)

    def bucket(self, start: int, length: int) -> Candle | None:
        """Return the bucket from `start`, or None when nothing traded in it."""
        found: Candle | None = None
        if start < self._begin:
            found = self._before(start, min(start + length, self._begin))
        for minute in range(max(start, self._begin), start + length, 60):
            known = self._minutes.get(minute)
            if known is not None:
                found = known if found is None else found.then(known)
        return None if found is None else Candle(start, found.open, found.high, found.low, found.close, found.volume)

    def newest_first(self, start: int, end: int, length: int) -> list[Candle]:
        """Buckets that begin within both ends, empty ones left out."""
        first = -(-start // length) * length
        found = (self.bucket(at, length) for at in range(first, end + 1, length))
        return [candle for candle in found if candle is not None][::-1]

    def _before(self, start: int, end: int) -> Candle | None:
        key = (start, end)
        if key not in self._cache:
            self._cache[key] = self._past(start, end)
        return self._cache[key]


def no_past(start: int, end: int) -> Candle | None:
    """Know nothing, as a replay before its first row."""
    del start, end
    return None


class GeneratedPast:
    """A path that ends at the start price: noise of many periods, computed only where asked.

    The price at an instant does not depend on the granularity, so candles of different lengths agree.
    """

    def __init__(self, product: Product, seed: int, begin: int) -> None:
        self._product = product
        self._salt = f"{seed}:{product.product_id}:"
        self._begin = begin
        self._anchor = self._noise(begin)

    def __call__(self, start: int, end: int) -> Candle | None:
        """Candle of the path between two instants."""
        pieces = 6
        prices = [self._price(start + (end - start) * piece // pieces) for piece in range(pieces + 1)]
        jitter = crc32(f"{self._salt}v{start // 60}".encode()) % 1500 + 500
        value = self._product.multiplier * prices[0]
        volume = (1500 * (end - start) * jitter / (1000 * value)).quantize(self._product.base_increment)
        return Candle(start, prices[0], max(prices), min(prices), prices[-1], volume)

    def _price(self, at: int) -> Decimal:
        ppm = self._noise(at) - self._anchor
        start = self._product.start_price
        price = start * (1000000 + ppm) / 1000000 if ppm >= 0 else start * 1000000 / (1000000 - ppm)
        return max(price.quantize(self._product.price_increment), self._product.price_increment)

    def _noise(self, at: int) -> int:
        total = 0
        period = 60
        while period < 256 * DAY:
            index, rest = divmod(at, period)
            before, after = self._hash(period, index), self._hash(period, index + 1)
            amplitude = isqrt(period * 3000)
            total += amplitude * (before * (period - rest) + after * rest) // (period * 1000)
            period *= 2
        return total

    def _hash(self, period: int, index: int) -> int:
        return crc32(f"{self._salt}{period}:{index}".encode()) % 2001 - 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStatistics:
    """Rolling 24 hours."""

    open: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal


def day_statistics(series: CandleSeries, now: int, last: Decimal) -> DayStatistics:
    """Last 24 hours in hour buckets, the unfinished one included."""
    hour = now - now % 3600
    hours = series.newest_first(hour - 23 * 3600, hour, 3600)
    if not hours:
        return DayStatistics(open=last, high=last, low=last, volume=ZERO)
    return DayStatistics(
        open=hours[-1].open,
        high=max(candle.high for candle in hours),
        low=min(candle.low for candle in hours),
        volume=sum((candle.volume for candle in hours), ZERO),
    )
