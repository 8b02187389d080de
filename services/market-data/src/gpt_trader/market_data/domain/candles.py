"""Candles from trades: closed once, in order, never changed.

A bucket whose trades were not all seen is never closed from trades: `wanted` asks for its history instead, and
nothing later closes before that arrived, so that the published order is the order of time.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.market import Candle, CandleOrigin, interval_length
from gpt_trader.market_data.domain.events import Trade

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT_CLOSED = 3


def floor(at: datetime, length: timedelta) -> datetime:
    """Return the start of the bucket that contains `at`; buckets are aligned to the epoch, as the venue's are."""
    return at - (at - _EPOCH) % length


class CandleBuilder:
    """The candles of one product and interval."""

    def __init__(self, product: str, interval: str, *, closed_until: datetime, covered_since: datetime) -> None:
        self.product = product
        self.interval = interval
        self.length = interval_length(interval)
        self.closed_until = floor(closed_until, self.length)
        self._whole_from = self.closed_until
        self._forming: dict[datetime, _Forming] = {}
        self._closed: dict[datetime, _Forming] = {}
        self.uncover(covered_since)

    def uncover(self, at: datetime) -> None:
        """Trades before `at` may be missing: every bucket that began before it needs history."""
        start = floor(at, self.length)
        self._whole_from = max(self._whole_from, start if start == at else start + self.length)

    def add(self, trade: Trade, now: datetime) -> Candle | None:
        """Count a trade that was not counted before; a late one gives the correction of its candle.

        Later than a few candles, or from before we watched, it changes nothing.
        """
        start = floor(trade.occurred_at, self.length)
        if start >= self.closed_until:
            self._forming.setdefault(start, _Forming()).add(trade)
            return None
        closed = self._closed.get(start)
        if closed is None:
            return None
        closed.add(trade)
        return self._candle(start, closed, CandleOrigin.CORRECTION, now)

    def close(self, watermark: datetime, now: datetime) -> tuple[Candle, ...]:
        """Close every bucket that ended by `watermark`, oldest first; a bucket without trades gives no candle."""
        until = floor(watermark, self.length)
        if until <= self.closed_until or self._whole_from > self.closed_until:
            return ()
        due = sorted(start for start in self._forming if start < until)
        closed = {start: self._forming.pop(start) for start in due}
        self._remember(closed)
        self.closed_until = until
        return tuple(self._candle(start, forming, CandleOrigin.STREAM, now) for start, forming in closed.items())

    def wanted(self, watermark: datetime) -> tuple[datetime, datetime] | None:
        """Return the span [start, end) of ended buckets that only the venue's history can tell, if any."""
        end = min(self._whole_from, floor(watermark, self.length))
        return (self.closed_until, end) if end > self.closed_until else None

    def filled(self, end: datetime) -> None:
        """History up to `end` was published: what trades told about it is obsolete."""
        self.closed_until = max(self.closed_until, end)
        for start in [start for start in self._forming if start < self.closed_until]:
            del self._forming[start]

    def _remember(self, closed: dict[datetime, "_Forming"]) -> None:
        self._closed.update(closed)
        for start in sorted(self._closed)[:-_KEPT_CLOSED]:
            del self._closed[start]

    def _candle(self, start: datetime, forming: "_Forming", origin: CandleOrigin, now: datetime) -> Candle:
        return Candle(
            product=self.product,
            interval=self.interval,
            start=start,
            open=forming.first.price,
            high=forming.high,
            low=forming.low,
            close=forming.last.price,
            volume=forming.volume,
            origin=origin,
            published_at=now,
        )


class _Forming:
    """A bucket being filled; the order in which its trades arrive does not matter."""

    __slots__ = ("_trades", "first", "high", "last", "low", "volume")

    first: Trade
    last: Trade
    high: Decimal
    low: Decimal

    def __init__(self) -> None:
        self._trades = 0
        self.volume = Decimal(0)

    def add(self, trade: Trade) -> None:
        if self._trades == 0:
            self.first = self.last = trade
            self.high = self.low = trade.price
        self._trades += 1
        self.first = min(self.first, trade, key=_order)
        self.last = max(self.last, trade, key=_order)
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        self.volume += trade.quantity


def _order(trade: Trade) -> tuple[datetime, int, str]:
    return trade.order


class Tape:
    """Which trades were seen: the venue repeats them in snapshots and REST replies."""

    __slots__ = ("_kept", "_seen", "last")

    def __init__(self, kept: int = 4096) -> None:
        self._kept = kept
        self._seen: dict[str, None] = {}
        self.last: Trade | None = None

    def fresh(self, trades: Iterable[Trade]) -> list[Trade]:
        """Return the unseen trades in the order in which they happened, and remember them."""
        unseen = {trade.trade_id: trade for trade in trades if trade.trade_id not in self._seen}
        ordered = sorted(unseen.values(), key=_order)
        if not ordered:
            return ordered
        self._seen.update(dict.fromkeys(trade.trade_id for trade in ordered))
        while len(self._seen) > self._kept:
            del self._seen[next(iter(self._seen))]
        newest = ordered[-1]
        self.last = newest if self.last is None else max(self.last, newest, key=_order)
        return ordered


def candles_of(
    trades: Iterable[Trade], product: str, interval: str, span: tuple[datetime, datetime], now: datetime
) -> tuple[Candle, ...]:
    """Make the candles of a span from its complete trades, as history (for intervals that the venue does not have)."""
    start, end = span
    builder = CandleBuilder(product, interval, closed_until=start, covered_since=start)
    for trade in Tape().fresh(trades):
        builder.add(trade, now)
    backfill = {"origin": CandleOrigin.BACKFILL}
    return tuple(candle.model_copy(update=backfill) for candle in builder.close(end, now))
