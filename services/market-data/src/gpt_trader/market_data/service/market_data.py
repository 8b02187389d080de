"""The whole service: catalogue, sessions, book summaries, readiness."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from gpt_trader.contracts.market import FeedState, Tier, Universe, interval_length
from gpt_trader.market_data.domain.candles import CandleBuilder, floor
from gpt_trader.market_data.domain.catalogue import Listing, shard_of, universe_of
from gpt_trader.market_data.domain.outliers import OutlierLimits
from gpt_trader.market_data.domain.product import ProductMarket
from gpt_trader.market_data.ports import Archive, UnknownProduct, Venue, VenueUnavailable
from gpt_trader.market_data.service.desk import Desk
from gpt_trader.market_data.service.session import Session
from gpt_trader.market_data.service.surroundings import Surroundings
from gpt_trader.runtime import logs
from gpt_trader.runtime.health import Health

log = logs.get("market-data")

_START_RETRY = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What to follow, how far back, and how often to look."""

    tiers: Mapping[str, Tier]
    intervals: Sequence[str]
    history_candles: int
    shard: tuple[int, int]
    products_per_connection: int
    outliers: OutlierLimits
    book_every: timedelta
    catalogue_every: timedelta

    @property
    def is_publishing_universe(self) -> bool:
        """Exactly one replica speaks for the whole set."""
        return self.shard[0] == 0


class MarketData:
    """From the catalogue to running sessions."""

    def __init__(self, scope: Scope, venue: Venue, archive: Archive, around: Surroundings, health: Health) -> None:
        self._scope = scope
        self._venue = venue
        self._archive = archive
        self._around = around
        self._health = health
        self._universe: Universe | None = None
        self._catalogue_due = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled; raises UnknownProduct if the start is refused."""
        self._universe = await self._archive.universe()
        listings = await self._first_listings()
        self._announce(listings)
        sessions = await self._sessions(listings)
        self._around.gauges.wanted(len(sessions))
        async with asyncio.TaskGroup() as tasks:
            for session in sessions:
                tasks.create_task(session.run())
            tasks.create_task(self._summarize([market for session in sessions for market in session.desk.markets]))
            tasks.create_task(self._refresh_catalogue())

    async def _first_listings(self) -> tuple[Listing, ...]:
        """Wait for the venue; a product that it does not know is somebody's mistake, so we do not start."""
        while True:
            try:
                listings = await self._venue.listings(tuple(self._scope.tiers))
            except VenueUnavailable as error:
                log.warning("catalogue_unavailable", reason=str(error))
                self._health.ready(False, f"venue unavailable: {error}")
                await asyncio.sleep(_START_RETRY.total_seconds())
                continue
            missing = sorted(set(self._scope.tiers) - {listing.product for listing in listings})
            if missing:
                raise UnknownProduct(f"the venue does not list {', '.join(missing)}")
            return listings

    async def _sessions(self, listings: Sequence[Listing]) -> list[Session]:
        listed = {listing.product: listing for listing in listings}
        mine = shard_of(listed, *self._scope.shard)
        size = self._scope.products_per_connection
        return [
            Session(
                await self._desk([listed[name] for name in mine[first : first + size]]),
                self._around,
                self._catalogue_due,
            )
            for first in range(0, len(mine), size)
        ]

    async def _desk(self, listings: Sequence[Listing]) -> Desk:
        routes: dict[str, list[ProductMarket]] = {}
        for listing in listings:
            routes.setdefault(listing.wire_id, []).append(await self._market(listing))
        return Desk(routes, self._around)

    async def _market(self, listing: Listing) -> ProductMarket:
        now = self._around.clock.now()
        builders = [await self._builder(listing.product, interval, now) for interval in self._scope.intervals]
        return ProductMarket(listing.product, listing.unit, builders, self._scope.outliers, now)

    async def _builder(self, product: str, interval: str, now: datetime) -> CandleBuilder:
        """Go on after the last published candle, but not further back than the history we want."""
        length = interval_length(interval)
        closed_until = floor(now, length) - self._scope.history_candles * length
        last = await self._archive.last_candle(interval, product)
        if last is not None and last.start >= now:
            log.warning("stored_candles_are_ahead", product=product, interval=interval, start=last.start.isoformat())
        elif last is not None:
            closed_until = max(closed_until, last.start + length)
        return CandleBuilder(product, interval, closed_until=closed_until, covered_since=now)

    async def _summarize(self, markets: Sequence[ProductMarket]) -> None:
        """Publish changed books, and say whether all feeds can be traded on."""
        while True:
            await asyncio.sleep(self._scope.book_every.total_seconds())
            for market in markets:
                summary = market.summary()
                if summary is not None:
                    self._around.outlet.book(summary)
                await asyncio.sleep(0)  # a deep book takes milliseconds to sum: ticks go between two of them
            sick = [f"{m.product} {m.health.state}" for m in markets if m.health.state is not FeedState.CLEAN]
            self._health.ready(not sick, ", ".join(sick))

    async def _refresh_catalogue(self) -> None:
        """Read the catalogue again from time to time, and at once when the venue says that a product changed."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._scope.catalogue_every.total_seconds()):
                    await self._catalogue_due.wait()
            self._catalogue_due.clear()
            try:
                self._announce(await self._venue.listings(tuple(self._scope.tiers)))
            except VenueUnavailable as error:
                log.warning("catalogue_not_refreshed", reason=str(error))

    def _announce(self, listings: Sequence[Listing]) -> None:
        """Publish the set; a product that the venue no longer lists leaves it, and can then only be exited."""
        universe = universe_of(listings, self._scope.tiers, self._universe, self._around.clock.now())
        self._universe = universe
        self._health.note("universe_version", universe.version)
        if self._scope.is_publishing_universe:
            log.info("universe", version=universe.version, products=len(universe.products))
            self._around.outlet.universe(universe)
