"""The products of one connection: how fresh they are, how healthy, and who is told."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from gpt_trader.contracts.market import FeedState, FeedStatus
from gpt_trader.market_data.domain.feed import FeedEvent, Gapped, Health, Watched
from gpt_trader.market_data.domain.product import ProductMarket
from gpt_trader.market_data.service.surroundings import Surroundings
from gpt_trader.runtime import logs

log = logs.get("market-data")


class Desk:
    """Moves the health of products; every move is announced, and a dirty product asks for `repair`."""

    def __init__(self, routes: Mapping[str, Sequence[ProductMarket]], around: Surroundings) -> None:
        """`routes` is keyed by the name under which the venue's messages speak of a product."""
        self.routes = routes
        self.markets = tuple(market for sharing in routes.values() for market in sharing)
        self.names = [market.product for market in self.markets]
        self.repair = asyncio.Event()
        self._around = around
        self.pulsed_at = around.clock.wall()
        self._heard_at = dict.fromkeys(self.names, self.pulsed_at)

    @property
    def is_clean(self) -> bool:
        """Whether every product can be traded on."""
        return all(market.health.state is FeedState.CLEAN for market in self.markets)

    def restart_ages(self) -> None:
        """Count ages from now: a fresh connection has heard nothing yet, which is not the same as long ago."""
        self.pulsed_at = self._around.clock.wall()
        self._heard_at = dict.fromkeys(self._heard_at, self.pulsed_at)

    def heard(self, market: ProductMarket, wall: datetime) -> None:
        """Note when a product was last spoken of."""
        self._heard_at[market.product] = wall

    def dirty(self, reason: str) -> None:
        """Distrust every product, for a lost message can be of any of them."""
        log.warning("feed_gap", reason=reason)
        self.turn_all(Gapped(reason=reason))

    def turn_all(self, event: FeedEvent) -> None:
        """Move every product."""
        for market in self.markets:
            self.turn(market, event)

    def turn(self, market: ProductMarket, event: FeedEvent) -> None:
        """Move one product."""
        before = market.health
        if market.turn(event, self._around.clock.now()):
            self.changed(market, before)

    def changed(self, market: ProductMarket, before: Health) -> None:
        """Tell others about a move, and start the repair of what became dirty."""
        health = market.health
        if health.gaps > before.gaps:
            self._around.gauges.gap(market.product)
        if health.state is FeedState.GAP:
            self.repair.set()
        if (health.state, health.reason) != (before.state, before.reason):
            log.info("feed_state", product=market.product, state=health.state, reason=health.reason)
            self._say(market)

    def check(self) -> timedelta:
        """Judge all ages and repeat every status; returns the age of the last heartbeat."""
        wall = self._around.clock.wall()
        pulse_age = wall - self.pulsed_at
        for market in self.markets:
            age = wall - self._heard_at[market.product]
            limits = self._around.pace.limits
            self.turn(market, Watched(wall=wall, message_age=age, heartbeat_age=pulse_age, limits=limits))
            self._say(market)
            self._around.gauges.health(
                market.product,
                is_clean=market.health.state is FeedState.CLEAN,
                message_age_seconds=age.total_seconds(),
                heartbeat_age_seconds=pulse_age.total_seconds(),
            )
        return pulse_age

    def _say(self, market: ProductMarket) -> None:
        clock, health = self._around.clock, market.health
        now = clock.now()
        age = clock.wall() - self._heard_at[market.product]
        self._around.outlet.feed(
            FeedStatus(
                product=market.product,
                state=health.state,
                reason=health.reason,
                since=health.since,
                last_message_at=now - clock.stretch(age),
                gaps=health.gaps,
                reconnects=health.reconnects,
                published_at=now,
            )
        )
