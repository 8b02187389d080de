"""The latest of everything the gate sees of the market; a slot per product, never a queue."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts import subjects
from gpt_trader.contracts.decisions import MarketStatistics, MarketView
from gpt_trader.contracts.market import BookSummary, Candle, FeedStatus, ProductSpec, ProductTerms, Tick, Universe
from gpt_trader.risk_gate.domain.memory import MarketMemory
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.pricing import Mark, mark_of
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import Bus, Malformed, OnMessage, Received, decoded

log = logs.get("risk-gate")


@dataclass(slots=True)
class MarketWatch:
    """Specs outlive the universe they came with, so that what is held can always be exited; `terms` are the venue's."""

    memory: MarketMemory
    ticks: dict[str, Tick] = field(default_factory=dict)
    books: dict[str, BookSummary] = field(default_factory=dict)
    feeds: dict[str, FeedStatus] = field(default_factory=dict)
    specs: dict[str, ProductSpec] = field(default_factory=dict)
    terms: Mapping[str, ProductTerms] = field(default_factory=dict)
    members: frozenset[str] = frozenset()
    _marks: dict[str, Mark] = field(default_factory=dict)

    async def follow(self, bus: Bus) -> None:
        """Subscribe to what comes, and read back what was last said before."""
        await bus.subscribe("ticks.>", decoded(Tick, self.on_tick))
        await bus.subscribe("books.>", decoded(BookSummary, self.on_book))
        await bus.subscribe("candles.>", decoded(Candle, self.on_candle))
        await bus.subscribe("feed.>", decoded(FeedStatus, self.on_feed))
        await bus.subscribe(subjects.UNIVERSE, decoded(Universe, self.on_universe))
        last = await bus.last("BOOKS", subjects.UNIVERSE)
        if last is not None and not self.members:
            await read_back(last, decoded(Universe, self.on_universe))
        for product in sorted(self.members):
            feed = await bus.last("BOOKS", subjects.feed(product))
            if feed is not None and product not in self.feeds:
                await read_back(feed, decoded(FeedStatus, self.on_feed))

    async def on_tick(self, tick: Tick, _received: Received) -> None:
        """Keep the newest tick of its product, and remember it."""
        self.keep(tick)
        self.memory.on_tick(tick)

    def keep(self, tick: Tick) -> None:
        """Keep the newest tick of its product, and its mark, which is asked for far more often than it comes."""
        self.ticks[tick.product] = tick
        self._marks[tick.product] = mark_of(tick)

    async def on_book(self, book: BookSummary, _received: Received) -> None:
        """Keep the newest book of its product."""
        self.books[book.product] = book
        self.memory.on_book(book)

    async def on_candle(self, candle: Candle, _received: Received) -> None:
        """Remember a closed candle."""
        self.memory.on_candle(candle)

    async def on_feed(self, feed: FeedStatus, _received: Received) -> None:
        """Keep the newest word on a feed's health."""
        self.feeds[feed.product] = feed

    async def on_universe(self, universe: Universe, _received: Received) -> None:
        """Take over the tradable set."""
        self.specs.update({spec.product: spec for spec in universe.products})
        self.members = frozenset(spec.product for spec in universe.products)

    def statistics(self, product: str, others: Collection[str], now: datetime) -> MarketStatistics:
        """Return what was measured of one product until now, and how it moves with others."""
        return self.memory.statistics(product, others, now)

    def correlations(self, products: Collection[str], now: datetime) -> Mapping[str, Mapping[str, Decimal]]:
        """Return how each of some products moves with each other."""
        return {product: self.memory.correlations(product, products, now) for product in products}

    def view(self, product: str, statistics: MarketStatistics | None) -> MarketView:
        """Return what is known of one product; statistics are for entries."""
        return MarketView(
            spec=self.specs.get(product),
            tick=self.ticks.get(product),
            book=self.books.get(product),
            feed=self.feeds.get(product),
            statistics=statistics,
            terms=self.terms.get(product),
        )

    def marks(self, now: datetime, policy: Policy) -> Mapping[str, Decimal]:
        """Return the marks by which positions may be valued."""
        return self.marks_of(self.ticks, now, policy)

    def marks_of(self, products: Iterable[str], now: datetime, policy: Policy) -> Mapping[str, Decimal]:
        """Return the marks of some products, as far as they have one."""
        first, last = now - policy.marks.hard_stale_seconds, now + policy.signals.max_clock_skew_seconds
        found = {}
        for product in products:
            mark = self._marks.get(product)
            if mark is not None and mark.older >= first and mark.newer <= last:
                found[product] = mark.price
        return found


async def read_back(received: Received, read: OnMessage) -> None:
    """Take what can be read; without the rest its products are unknown, and nothing of them is entered."""
    try:
        await read(received)
    except Malformed as error:
        log.warning("market_unreadable", subject=received.subject, sequence=received.sequence, reason=str(error))
