"""Follows orders at the venue until they are over: looks when triggered, counts fills, cancels what must go."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gpt_trader.contracts.forms import TimeInForce
from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.orders import FillKind
from gpt_trader.executor.domain import venue
from gpt_trader.executor.domain.order import Order
from gpt_trader.executor.domain.records import Filled
from gpt_trader.executor.domain.venue import VenueFill, VenueOrder
from gpt_trader.executor.ports import Exchange, ExchangeUnavailable
from gpt_trader.executor.service.books import Books
from gpt_trader.executor.service.reporting import Reporter
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.clock import Clock

log = logs.get("executor")

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_SECOND = timedelta(seconds=1)
_SHORT_LIVED = frozenset({TimeInForce.IOC, TimeInForce.FOK})


@dataclass(slots=True, kw_only=True)
class Follower:
    """One task per order that needs a look, so that orders are concurrent and each order is serial."""

    books: Books
    exchange: Exchange
    reporter: Reporter
    clock: Clock
    group: asyncio.TaskGroup
    hints: dict[ClientOrderId, VenueOrderId] = field(default_factory=dict)
    strays: dict[VenueOrderId, VenueOrder] = field(default_factory=dict)
    cancels_sent: asyncio.Event = field(default_factory=asyncio.Event)
    _wakes: dict[ClientOrderId, asyncio.Event] = field(default_factory=dict)
    _uncanceled: set[ClientOrderId] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Begin without a cancel that creates would have to wait for."""
        self.cancels_sent.set()

    def look(self, client_order_id: ClientOrderId) -> None:
        """Look at an order now; it is followed on if it is due to change by itself."""
        wake = self._wakes.get(client_order_id)
        if wake is not None:
            wake.set()
            return
        self._wakes[client_order_id] = asyncio.Event()
        self.group.create_task(self._follow(client_order_id))

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Cancel before anything else is created; a journaled wish makes sure that it happens in the end."""
        if self.books.order(client_order_id).is_working:
            self._uncanceled.add(client_order_id)
            self.cancels_sent.clear()
        self.look(client_order_id)

    def observe(self, order: Order, seen: VenueOrder) -> None:
        """Record what is news about an order."""
        if venue.contradicts(order, seen):
            self._alarm(order, seen)
            self.strays[seen.venue_order_id] = seen
            self.look(order.client_order_id)
            return
        news = venue.observed(order, seen, self.clock.now())
        if news is not None:
            self.books.record(news)

    def count(self, fills: Iterable[VenueFill]) -> None:
        """Record fills of our orders that were not counted before, whatever we believe of the order."""
        changes: list[Filled] = []
        for seen in sorted(fills, key=_happened):
            order = self._owner(seen.venue_order_id)
            if order is not None and seen.fill_id not in self.books.ledger.fill_ids:
                changes.append(venue.filled(order, seen, self.clock.now()))
        self.books.record(*{change.fill.fill_id: change for change in changes}.values())

    async def _follow(self, client_order_id: ClientOrderId) -> None:
        pause = _FIRST_PAUSE_SECONDS
        wake = self._wakes[client_order_id]
        tracing.adopt(self.reporter.flow(client_order_id))
        try:
            while True:
                wake.clear()
                try:
                    await self._refresh(client_order_id)
                except ExchangeUnavailable as error:
                    log.warning("order_unreadable", client_order_id=client_order_id, reason=str(error))
                order = self.books.order(client_order_id)
                is_due, left = is_restless(order), self._left(order)
                if not wake.is_set() and not is_due and left is None:
                    return
                await _woken(wake, pause if is_due or left is None else max(left, pause))
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        finally:
            del self._wakes[client_order_id]

    def _left(self, order: Order) -> float | None:
        """Return the real seconds until an order ends by itself, which the venue may not tell; None = it does not."""
        end_time = order.intent.end_time
        if end_time is None or not order.is_working:
            return None
        return (end_time - self.clock.now()) / self.clock.stretch(_SECOND)

    async def _refresh(self, client_order_id: ClientOrderId) -> None:
        order = self.books.order(client_order_id)
        await self._cancel_if_wanted(order)
        await self._end_strays(client_order_id)
        venue_order_id = order.venue_order_id or self.hints.get(client_order_id)
        if venue_order_id is None or not (order.is_working or order.is_in_doubt):
            return
        seen = await self.exchange.order(venue_order_id)
        if seen is not None and seen.client_order_id == client_order_id:
            self.observe(self.books.order(client_order_id), seen)
        if self.books.order(client_order_id).misses_fills:
            self.count(await self.exchange.fills_of(venue_order_id))

    async def _cancel_if_wanted(self, order: Order) -> None:
        try:
            if order.is_cancel_wanted and order.is_working and order.ending is None and order.venue_order_id:
                await self.exchange.cancel([order.venue_order_id])
        finally:
            self._uncanceled.discard(order.client_order_id)
            if not self._uncanceled:
                self.cancels_sent.set()

    async def _end_strays(self, client_order_id: ClientOrderId) -> None:
        """Cancel what must not exist, and count what it executed all the same."""
        for stray in [one for one in self.strays.values() if one.client_order_id == client_order_id]:
            if not stray.status.is_terminal:
                await self.exchange.cancel([stray.venue_order_id])
            self.count(await self.exchange.fills_of(stray.venue_order_id))

    def _owner(self, venue_order_id: VenueOrderId) -> Order | None:
        stray = self.strays.get(venue_order_id)
        return self.books.ledger.of_venue(venue_order_id) if stray is None else self.books.order(stray.client_order_id)

    def _alarm(self, order: Order, seen: VenueOrder) -> None:
        self.reporter.alert(
            "order_contradicts",
            seen.venue_order_id,
            f"venue order {seen.venue_order_id} ({seen.status}, filled {seen.filled_quantity}) exists for"
            f" {order.client_order_id}, which is {order.status} as {order.venue_order_id or 'never sent'}",
            "halt trading; compare the venue's orders with the journal before resuming",
        )


def _happened(fill: VenueFill) -> tuple[datetime, bool]:
    """Order by time: listings are newest first, and what a correction restates must be known before it."""
    return fill.occurred_at, fill.kind is not FillKind.FILL


def is_restless(order: Order) -> bool:
    """Whether an order is expected to change without a word from the user channel."""
    if not order.is_working:
        return False
    is_short_lived = order.intent.time_in_force in _SHORT_LIVED
    return is_short_lived or order.is_cancel_wanted or order.misses_fills or order.ending is not None


async def _woken(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
