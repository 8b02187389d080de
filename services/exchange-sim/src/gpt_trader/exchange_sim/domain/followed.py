"""A market that another venue makes: its touches and depth, as its feed tells them, are the liquidity here."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.market import BookDepth, BookSummary, ProductSpec, Tick, Universe
from gpt_trader.exchange_sim.domain.candles import CandleSeries, no_past
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.markets import MarketStep, Quotes, to_tick
from gpt_trader.exchange_sim.domain.matching import floor
from gpt_trader.exchange_sim.domain.orders import ZERO, Side
from gpt_trader.exchange_sim.domain.products import Flags, Product, product_of
from gpt_trader.exchange_sim.domain.venue import Venue


@dataclass(slots=True)
class FollowedMarket:
    """One product's stream: what was heard and has not happened here yet."""

    _heard: deque[MarketStep] = field(default_factory=deque)

    def next_at(self) -> datetime | None:
        """When the oldest of it happens; None when nothing was heard."""
        return self._heard[0].at if self._heard else None

    def step(self) -> MarketStep:
        """Let the oldest of it happen."""
        return self._heard.popleft()

    def hear(self, step: MarketStep) -> bool:
        """Take one more, and say whether the venue has to be told to expect it."""
        self._heard.append(step)
        return len(self._heard) == 1


@dataclass(slots=True)
class Following:
    """The streams of all followed products, with the newest depth and rules of each.

    Nothing can be traded before the followed venue's rules are known; a restart of this venue begins new streams.
    """

    products: Sequence[str]
    _streams: dict[str, FollowedMarket] = field(default_factory=dict)
    _specs: dict[str, ProductSpec] = field(default_factory=dict)
    _depths: dict[str, tuple[BookDepth, ...]] = field(default_factory=dict)
    _last: dict[str, Decimal] = field(default_factory=dict)

    def listings(self, start: datetime) -> list[Listing]:
        """List each product."""
        self._streams = {product: FollowedMarket() for product in self.products}
        return [
            Listing(
                product=self._product(product),
                stream=stream,
                candles=CandleSeries(int(start.timestamp()), no_past),
            )
            for product, stream in self._streams.items()
        ]

    def on_universe(self, universe: Universe, venue: Venue) -> None:
        """Take over the followed venue's increments, sizes and flags."""
        self._specs |= {spec.product: spec for spec in universe.products if spec.kind == "spot"}
        for product, listing in venue.listings.items():
            listing.product = self._product(product)

    def on_book(self, book: BookSummary) -> None:
        """Take note of the depth behind the touch; it counts from the next tick on."""
        self._depths[book.product] = book.depth

    def on_tick(self, tick: Tick, venue: Venue, now: datetime) -> None:
        """Move the market to a tick of the followed venue, at the moment when it was heard."""
        listing = venue.listings.get(tick.product)
        if listing is None or tick.bid >= tick.ask:
            return
        step = self._step(tick, listing.product, now)
        if self._streams[tick.product].hear(step):
            venue.expect_market(listing)

    def _product(self, product_id: str) -> Product:
        known, spec = product_of(product_id), self._specs.get(product_id)
        if spec is None:
            return known.with_flags({"trading_disabled": True})
        return replace(
            known,
            base_increment=spec.base_increment,
            price_increment=spec.price_increment,
            base_max_size=spec.base_max_size,
            quote_min_size=spec.quote_min_size,
            flags=Flags(
                is_disabled=spec.is_disabled,
                cancel_only=spec.is_cancel_only,
                limit_only=spec.is_limit_only,
                post_only=spec.is_post_only,
                auction_mode=spec.is_auction,
            ),
        )

    def _step(self, tick: Tick, product: Product, now: datetime) -> MarketStep:
        before = self._last.get(tick.product)
        self._last[tick.product] = tick.last_price
        taker = Side.BUY if tick.last_price >= tick.mid else Side.SELL
        return MarketStep(
            at=now,
            price=tick.last_price,
            taker=taker,
            quantity=ZERO if before == tick.last_price else product.base_increment,
            spread=tick.ask - tick.bid,
            quotes=quotes_from(tick, self._depths.get(tick.product, ()), product),
        )


def quotes_from(tick: Tick, depths: Sequence[BookDepth], product: Product) -> Quotes:
    """Spell the liquidity that a tick and the depth around it tell of.

    What a band holds beyond the touch and the bands inside it rests at the band's far end: the worst price at which it
    could be. An increment at the touch where the feed names no quantity.
    """
    bids = {tick.bid: max(tick.bid_quantity, product.base_increment)}
    asks = {tick.ask: max(tick.ask_quantity, product.base_increment)}
    for depth in sorted(depths, key=lambda one: one.within_bps):
        away = tick.mid * depth.within_bps / 10000
        _add(bids, min(to_tick(tick.mid - away, product), tick.bid), depth.bid_notional, product)
        _add(asks, max(to_tick(tick.mid + away, product), tick.ask), depth.ask_notional, product)
    return Quotes(bid=tick.bid, ask=tick.ask, bids=bids, asks=asks)


def _add(levels: dict[Decimal, Decimal], price: Decimal, notional: Decimal, product: Product) -> None:
    beyond = notional - sum(at * quantity for at, quantity in levels.items())
    quantity = floor(beyond / price, product.base_increment) if beyond > 0 else ZERO
    if quantity > 0:
        levels[price] = levels.get(price, ZERO) + quantity
