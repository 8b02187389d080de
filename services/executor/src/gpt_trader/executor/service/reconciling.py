"""Makes our orders agree with the venue's: at start, on a timer, after every reconnect, and while one is unknown."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.telemetry import Severity
from gpt_trader.executor.domain import venue
from gpt_trader.executor.domain.venue import VenueOrder
from gpt_trader.executor.ports import Exchange, ExchangeUnavailable
from gpt_trader.executor.service.books import Books
from gpt_trader.executor.service.following import Follower, is_restless
from gpt_trader.executor.service.reporting import Reporter
from gpt_trader.executor.service.terms import Terms
from gpt_trader.runtime import logs
from gpt_trader.runtime.clock import Clock

log = logs.get("executor")

_SLACK = timedelta(minutes=10)
"""Real time by which a venue's creation time may precede our approval, and a fill's filter its shown time."""
_RETRY_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class Reconciler:
    """Reads complete listings only: half a listing proves nothing."""

    books: Books
    exchange: Exchange
    follower: Follower
    reporter: Reporter
    clock: Clock
    terms: Terms
    is_due: asyncio.Event = field(default_factory=asyncio.Event)
    doubt: asyncio.Event = field(default_factory=asyncio.Event)

    def on_connected(self) -> None:
        """Orders that ended while the channel was down are in no snapshot: read them."""
        self.is_due.set()

    def on_order(self, client_order_id: str, venue_order_id: VenueOrderId) -> None:
        """Look at the order that the channel names; it is named in no listing of ours → somebody else's."""
        order_id = ClientOrderId(client_order_id)
        if order_id not in self.books.ledger.orders:
            self._report_foreign(venue_order_id, client_order_id, "seen on the user channel", is_open=True)
            return
        self.follower.hints[order_id] = venue_order_id
        self.follower.look(order_id)

    async def serve(self) -> None:
        """Reconcile on the timer and when due, for ever."""
        while True:
            try:
                async with asyncio.timeout(self.terms.reconcile_every.total_seconds()):
                    await self.is_due.wait()
            except TimeoutError:
                log.debug("reconciliation_by_timer")
            self.is_due.clear()
            try:
                await self.reconcile()
            except ExchangeUnavailable as error:
                log.warning("reconciliation_failed", reason=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
                self.is_due.set()

    async def serve_doubts(self) -> None:
        """List until no order is unknown, then wait for the next doubt."""
        while True:
            await self.doubt.wait()
            self.doubt.clear()
            while any(order.is_in_doubt for order in self.books.ledger.living()):
                try:
                    await self.resolve()
                except ExchangeUnavailable as error:
                    log.warning("resolution_delayed", reason=str(error))
                await asyncio.sleep(self.terms.resolve_every.total_seconds())

    async def reconcile(self) -> None:
        """Compare orders and fills with the venue; raises ExchangeUnavailable if a listing is not complete."""
        began = self.clock.wall()
        to_look_at = await self._resolved()
        open_orders = await self.exchange.open_orders()
        to_look_at |= self._taken(open_orders)
        since = self.books.ledger.filled_until or self.clock.now()
        self.follower.count(await self.exchange.fills_since(since - self.clock.stretch(_SLACK)))
        shown = {seen.client_order_id for seen in open_orders}
        for order in self.books.ledger.living():
            order_id = order.client_order_id
            if order_id in to_look_at or (order.is_working and (order_id not in shown or is_restless(order))):
                self.follower.look(order_id)
        took = self.clock.wall() - began
        self.reporter.measurements.waited("reconcile", took)
        log.info("reconciled", live=len(self.books.ledger.live), seconds=took.total_seconds())

    async def resolve(self) -> None:
        """List everything since the oldest approval whose fate is open; what is in doubt and not there dies in time.

        What works at the venue is read by itself: a stop may rest there for weeks.
        """
        for order_id in await self._resolved():
            self.follower.look(order_id)

    async def _resolved(self) -> set[ClientOrderId]:
        """Do that, and return which orders need a look of their own, unless a listing of fills completes them."""
        started = self.clock.wall()
        in_doubt = [order.client_order_id for order in self.books.ledger.living() if order.is_in_doubt]
        listing = await self._listing()
        to_look_at = self._taken(listing)
        listed = {seen.client_order_id for seen in listing}
        with self.books.at_once():
            for order_id in in_doubt:
                if order_id in listed:
                    continue
                verdict = venue.absent(self.books.order(order_id), self.terms.fence, started, self.clock.now())
                if verdict is not None:
                    self.books.record(verdict)
        return to_look_at

    async def _listing(self) -> Sequence[VenueOrder]:
        approvals = [order.intent.approved_at for order in self.books.ledger.living() if not order.is_working]
        oldest = min([*approvals, self.clock.now()])
        return await self.exchange.orders_since(oldest - self.clock.stretch(_SLACK))

    def _taken(self, listing: Sequence[VenueOrder]) -> set[ClientOrderId]:
        """Record a listing's news with one write; returns which orders need a look of their own."""
        with self.books.at_once():
            return {seen.client_order_id for seen in listing if self._needs_a_look(seen)}

    def _needs_a_look(self, seen: VenueOrder) -> bool:
        order = self.books.ledger.orders.get(seen.client_order_id)
        if order is None:
            self._mind_foreign(seen)
            return False
        self.follower.observe(order, seen)
        now = self.books.order(order.client_order_id)
        is_found = order.is_in_doubt and now.is_working
        return is_found or now.misses_fills or seen.status is OrderStatus.UNKNOWN

    def _mind_foreign(self, seen: VenueOrder) -> None:
        """Report what works at the venue or was made there since we keep books, and is not ours."""
        opened_at = self.books.ledger.opened_at
        is_open = not seen.status.is_terminal
        if is_open or opened_at is None or seen.created_at >= opened_at:
            detail = f"{seen.product} {seen.status}, filled {seen.filled_quantity}"
            self._report_foreign(seen.venue_order_id, seen.client_order_id, detail, is_open=is_open)

    def _report_foreign(self, venue_order_id: str, client_order_id: str, detail: str, *, is_open: bool) -> None:
        self.reporter.alert(
            "foreign_order",
            venue_order_id,
            f"venue order {venue_order_id} (client id {client_order_id or 'none'}) is not ours: {detail}",
            "if nobody in your team traded by hand: kill, revoke the API key, then look at the audit log",
            Severity.CRITICAL if is_open else Severity.WARNING,
        )
