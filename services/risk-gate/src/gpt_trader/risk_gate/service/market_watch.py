"""The latest of everything the gate sees of the market; a slot per product, never a queue."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts import subjects
from gpt_trader.contracts.decisions import MarketView
from gpt_trader.contracts.market import BookSummary, FeedStatus, ProductSpec, Tick, Universe
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.pricing import is_fresh
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import Bus, Malformed, OnMessage, Received, decoded

log = logs.get("risk-gate")


@dataclass(slots=True)
class MarketWatch:
    """Specs outlive the universe they came with, so that what is held can always be exited."""

    ticks: dict[str, Tick] = field(default_factory=dict)
    books: dict[str, BookSummary] = field(default_factory=dict)
    feeds: dict[str, FeedStatus] = field(default_factory=dict)
    specs: dict[str, ProductSpec] = field(default_factory=dict)
    members: frozenset[str] = frozenset()

    async def follow(self, bus: Bus) -> None:
        """Subscribe to what comes, and read back what was last said before."""
        await bus.subscribe("ticks.>", decoded(Tick, self.on_tick))
        await bus.subscribe("books.>", decoded(BookSummary, self.on_book))
        await bus.subscribe("feed.>", decoded(FeedStatus, self.on_feed))
        await bus.subscribe(subjects.UNIVERSE, decoded(Universe, self.on_universe))
        last = await bus.last("BOOKS", subjects.UNIVERSE)
        if last is not None and not self.members:
            await _read_back(last, decoded(Universe, self.on_universe))
        for product in sorted(self.members):
            feed = await bus.last("BOOKS", subjects.feed(product))
            if feed is not None and product not in self.feeds:
                await _read_back(feed, decoded(FeedStatus, self.on_feed))

    async def on_tick(self, tick: Tick, _received: Received) -> None:
        """Keep the newest tick of its product."""
        self.ticks[tick.product] = tick

    async def on_book(self, book: BookSummary, _received: Received) -> None:
        """Keep the newest book of its product."""
        self.books[book.product] = book

    async def on_feed(self, feed: FeedStatus, _received: Received) -> None:
        """Keep the newest word on a feed's health."""
        self.feeds[feed.product] = feed

    async def on_universe(self, universe: Universe, _received: Received) -> None:
        """Take over the tradable set."""
        self.specs.update({spec.product: spec for spec in universe.products})
        self.members = frozenset(spec.product for spec in universe.products)

    def view(self, product: str) -> MarketView:
        """Return what is known of one product."""
        return MarketView(
            spec=self.specs.get(product),
            tick=self.ticks.get(product),
            book=self.books.get(product),
            feed=self.feeds.get(product),
        )

    def marks(self, now: datetime, policy: Policy) -> Mapping[str, Decimal]:
        """Return the marks by which positions may be valued."""
        limit = policy.marks.hard_stale_seconds
        return {product: tick.mid for product, tick in self.ticks.items() if is_fresh(tick, now, policy, limit)}


async def _read_back(received: Received, read: OnMessage) -> None:
    """Take what can be read; without the rest its products are unknown, and nothing of them is entered."""
    try:
        await read(received)
    except Malformed as error:
        log.warning("market_unreadable", subject=received.subject, sequence=received.sequence, reason=str(error))
