"""One product's market: book, prints, candles and what is waiting for a price."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from gpt_trader.exchange_sim.domain.book import Book
from gpt_trader.exchange_sim.domain.candles import CandleSeries, DayStatistics, day_statistics
from gpt_trader.exchange_sim.domain.markets import Conditions, MarketStream
from gpt_trader.exchange_sim.domain.orders import ZERO, Trade
from gpt_trader.exchange_sim.domain.products import Product

TRADES_KEPT = 1000


@dataclass(slots=True, kw_only=True)
class Listing:
    """Mutable market state of a product; only the venue changes it."""

    product: Product
    stream: MarketStream
    candles: CandleSeries
    last: Decimal | None = None
    settlement: Decimal | None = None
    book: Book = field(default_factory=Book)
    conditions: Conditions = field(default_factory=Conditions)
    trades: deque[Trade] = field(default_factory=lambda: deque(maxlen=TRADES_KEPT))
    waiting: dict[str, None] = field(default_factory=dict)
    open_orders: int = 0
    _day: tuple[int, DayStatistics] | None = None

    def record(self, trade: Trade) -> None:
        """Count a print in last price, trades and candles."""
        self.last = trade.price
        self.trades.append(trade)
        self.candles.print(int(trade.at.timestamp()), trade.price, trade.quantity)

    def withdraw(self) -> None:
        """Take all synthetic liquidity away, as when trading ends."""
        self.book.bids.prune({})
        self.book.asks.prune({})

    def day(self, now: datetime) -> DayStatistics:
        """24-hour statistics, at most ten seconds old."""
        at = int(now.timestamp())
        if self._day is None or not 0 <= at - self._day[0] < 10:
            self._day = (at, day_statistics(self.candles, at, self.last or self.product.start_price))
        return self._day[1]

    def last_or_start(self) -> Decimal:
        """Last price, or where the market began."""
        return self.product.start_price if self.last is None else self.last

    def best_quantities(self) -> tuple[Decimal, Decimal]:
        """Quantities at the best bid and ask, zero for an empty side."""
        bid, ask = self.book.bids.best, self.book.asks.best
        return (
            ZERO if bid is None else self.book.bids.quantity(bid),
            ZERO if ask is None else self.book.asks.quantity(ask),
        )
