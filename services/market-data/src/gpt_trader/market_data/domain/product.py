"""Everything known about one product's market; each venue event moves it, and it says what to publish."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.market import BookSummary, Candle, FeedState, Tick
from gpt_trader.market_data.domain.book import Book
from gpt_trader.market_data.domain.candles import CandleBuilder, Tape
from gpt_trader.market_data.domain.events import (
    Best,
    BookChanged,
    Quoted,
    Stamp,
    Trade,
    Traded,
    best_in_base,
    levels_in_base,
    trades_in_base,
)
from gpt_trader.market_data.domain.feed import Booked, Connected, FeedEvent, Gapped, Health, Lost, evolve
from gpt_trader.market_data.domain.outliers import OutlierFilter, OutlierLimits
from gpt_trader.market_data.domain.ticks import TickSource

BANDS_BPS = (10, 50, 100)
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A price that was not believed, so no tick was made of it."""

    best: Best


class ProductMarket:
    """Book, trades, candles and health of one product; `unit` is the base currency per unit of the venue's counts."""

    def __init__(
        self, product: str, unit: Decimal, builders: Iterable[CandleBuilder], limits: OutlierLimits, now: datetime
    ) -> None:
        self.product = product
        self.unit = unit
        self.builders = tuple(builders)
        self.health = Health(product=product, state=FeedState.DISCONNECTED, reason="not connected yet", since=now)
        self.missing_since: datetime | None = None
        self.tape = Tape()
        self._book: Book | None = None
        self._ticker: Best | None = None
        self._ticks = TickSource(product)
        self._outliers = OutlierFilter(limits)
        self._summarized: int | None = None
        self._stamp: Stamp | None = None

    @property
    def book(self) -> Book | None:
        """The book, or None while it cannot be trusted."""
        return self._book

    def turn(self, event: FeedEvent, now: datetime) -> bool:
        """Move the health; returns whether what others should know about it changed."""
        before = self.health
        self.health = evolve(before, event, now)
        match event:
            case Connected() | Lost() | Gapped():
                self._distrust(now)
            case _:
                pass
        return self.health != before

    def on_book(self, change: BookChanged, stamp: Stamp) -> None:
        """Take over levels; without a snapshot to stand on they say nothing, and a crossed book is a gap."""
        levels = change.levels if self.unit == _ONE else levels_in_base(change.levels, self.unit)
        if change.is_snapshot:
            self._book = Book(levels)
            self.turn(Booked(), stamp.received_at)
        elif self._book is not None:
            self._book.apply(levels)
        if self._book is None:
            return
        self._stamp = stamp
        best = self._book.best
        if best is not None and best.is_crossed:
            self.turn(Gapped(reason=f"book is crossed: bid {best.bid} >= ask {best.ask}"), stamp.received_at)

    def on_quote(self, quote: Quoted) -> None:
        """Take over a ticker; its best levels count only while there is no book."""
        self._ticks.last_price = quote.last_price
        self._ticker = None if quote.best is None else best_in_base(quote.best, self.unit)

    def on_trades(self, traded: Traded, now: datetime) -> list[Candle]:
        """Count fresh trades; returns corrections, then the candles that the newest trade closes."""
        candles = self.recount(traded.trades, now)
        if self.tape.last is not None:
            candles += self.close(self.tape.last.occurred_at, now)
        return candles

    def recount(self, trades: Iterable[Trade], now: datetime) -> list[Candle]:
        """Count fresh trades, from the stream or from the venue's history; returns corrections of closed candles."""
        fresh = self.tape.fresh(trades if self.unit == _ONE else trades_in_base(trades, self.unit))
        for trade in fresh:
            self._outliers.traded(trade.price)
        if fresh and fresh[-1] is self.tape.last:
            self._ticks.last_price = fresh[-1].price
        corrections = (builder.add(trade, now) for trade in fresh for builder in self.builders)
        return [candle for candle in corrections if candle is not None]

    def close(self, watermark: datetime, now: datetime) -> list[Candle]:
        """Close what ended by `watermark`; nothing closes while trades may be missing."""
        if self.health.state is not FeedState.CLEAN:
            return []
        return [candle for builder in self.builders for candle in builder.close(watermark, now)]

    def uncover(self, now: datetime) -> None:
        """Trades before `now` are lost for good: candles of that time must come from the venue's history."""
        self.missing_since = None
        for builder in self.builders:
            builder.uncover(now)

    def tick(self, stamp: Stamp) -> Tick | Quarantined | None:
        """Return the tick to publish, if anything changed and the price is believable."""
        best = self._book.best if self._book is not None else self._ticker
        if best is None or best.is_crossed:
            return None
        if not self._outliers.accepts(best.mid, stamp.received_at):
            return Quarantined(best=best)
        return self._ticks.tick(best, stamp)

    def summary(self) -> BookSummary | None:
        """Return the book's summary if it changed since the last one."""
        if self._book is None or self._stamp is None or self._stamp.sequence == self._summarized:
            return None
        best = self._book.best
        if best is None:
            return None
        self._summarized = self._stamp.sequence
        return BookSummary(
            product=self.product,
            bid=best.bid,
            ask=best.ask,
            bid_quantity=best.bid_quantity,
            ask_quantity=best.ask_quantity,
            depth=self._book.depth(BANDS_BPS),
            sequence=self._stamp.sequence,
            occurred_at=self._stamp.sent_at,
            received_at=self._stamp.received_at,
        )

    def _distrust(self, now: datetime) -> None:
        self._book = self._ticker = None
        if self.missing_since is not None:
            return
        if self.tape.last is None:
            self.uncover(now)
            return
        self.missing_since = self.tape.last.occurred_at
