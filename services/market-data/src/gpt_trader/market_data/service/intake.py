"""From a raw message to moved markets and published ticks."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import assert_never

from gpt_trader.market_data.domain.events import (
    BookChanged,
    Pulse,
    Quoted,
    Stamp,
    StatusChanged,
    Subscribed,
    Traded,
    VenueEvent,
)
from gpt_trader.market_data.domain.product import ProductMarket, Quarantined
from gpt_trader.market_data.domain.sequence import InOrder, Missed, Repeated, Sequencing
from gpt_trader.market_data.ports import Envelope, Malformed
from gpt_trader.market_data.service.desk import Desk
from gpt_trader.market_data.service.surroundings import Surroundings
from gpt_trader.runtime import logs

log = logs.get("market-data")

_HARMLESS = frozenset({"ticker", "heartbeats", "status", "subscriptions"})
"""Channels on which an unreadable message costs neither the book nor a candle."""


class Intake:
    """Reads the messages of one connection at a time; each connection has its own numbering."""

    def __init__(self, desk: Desk, around: Surroundings, catalogue_due: asyncio.Event) -> None:
        self._desk = desk
        self._around = around
        self._numbering = Sequencing()
        self._status: dict[str, str] = {}
        self._catalogue_due = catalogue_due

    def restart(self) -> None:
        """Follow the numbering of a fresh connection."""
        self._numbering = Sequencing()

    async def take(self, raw: str | bytes, wall: datetime) -> None:
        """Read one message; an unreadable one is counted, and if it mattered its products become dirty."""
        try:
            envelope = self._around.feed.envelope(raw)
        except Malformed as error:
            # Even its number is unknown: if it had one, the next message shows the hole.
            self._count(error)
            return
        if not self._is_next(envelope):
            return
        try:
            events = self._around.feed.events(envelope)
        except Malformed as error:
            self._count(error)
            if envelope.channel not in _HARMLESS:
                self._desk.dirty(f"unreadable {envelope.channel} message: {error.field} {error.reason}")
            return
        await self._apply(events, envelope, wall)

    def _is_next(self, envelope: Envelope) -> bool:
        match self._numbering.follow(envelope.sequence):
            case InOrder():
                return True
            case Missed(count=count):
                self._around.gauges.missed(count)
                self._desk.dirty(f"{count} messages missing before {envelope.sequence}")
                return True
            case Repeated():
                self._around.gauges.repeated()
                return False
            case _ as never:
                assert_never(never)

    async def _apply(self, events: Sequence[VenueEvent], envelope: Envelope, wall: datetime) -> None:
        now = self._around.clock.now()
        stamp = Stamp(sequence=envelope.sequence, sent_at=envelope.sent_at, received_at=now)
        touched: dict[str, ProductMarket] = {}
        for event in events:
            for market in self._on_event(event, stamp, wall):
                touched[market.product] = market
        for market in touched.values():
            await self._publish_tick(market, stamp, wall)

    def _on_event(self, event: VenueEvent, stamp: Stamp, wall: datetime) -> Sequence[ProductMarket]:
        """Move what the event is about; returns the markets whose tick may have changed."""
        match event:
            case BookChanged() | Quoted() | Traded():
                markets = self._desk.routes.get(event.product, ())
                for market in markets:
                    self._desk.heard(market, wall)
                    self._move(market, event, stamp)
                return markets
            case Pulse():
                self._desk.pulsed_at = wall
            case StatusChanged(status_by_product=status):
                self._compare(status)
            case Subscribed(channels=channels):
                log.debug("subscribed", channels=channels)
            case _:
                assert_never(event)
        return ()

    def _compare(self, status: Mapping[str, str]) -> None:
        """Ask for the catalogue when a product that was described before is now described otherwise."""
        if any(self._status.get(product, said) != said for product, said in status.items()):
            self._catalogue_due.set()
        self._status.update(status)

    def _move(self, market: ProductMarket, event: BookChanged | Quoted | Traded, stamp: Stamp) -> None:
        before = market.health
        match event:
            case BookChanged():
                market.on_book(event, stamp)
            case Quoted():
                market.on_quote(event)
            case Traded():
                for candle in market.on_trades(event, stamp.received_at):
                    self._around.outlet.candle(candle)
            case _:
                assert_never(event)
        if market.health is not before:
            self._desk.changed(market, before)

    async def _publish_tick(self, market: ProductMarket, stamp: Stamp, wall: datetime) -> None:
        tick = market.tick(stamp)
        if isinstance(tick, Quarantined):
            self._around.gauges.quarantined(market.product)
            return
        if tick is not None:
            await self._around.outlet.tick(tick, wall)

    def _count(self, error: Malformed) -> None:
        self._around.gauges.malformed(error.field)
        log.warning("venue_message_malformed", field=error.field, reason=str(error))
