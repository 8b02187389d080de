"""Makes our orders agree with the venue's: at start, on a timer, after every reconnect, and while one is unknown."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.telemetry import Severity
from gpt_trader.executor.domain import venue
from gpt_trader.executor.domain.venue import VenueOrder
from gpt_trader.executor.ports import Exchange, ExchangeUnavailable
from gpt_trader.executor.service.books import Books
from gpt_trader.executor.service.following import Follower
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
        await self.resolve()
        for seen in await self.exchange.open_orders():
            self._take(seen)
        since = self.books.ledger.filled_until or self.clock.now()
        self.follower.count(await self.exchange.fills_since(since - self.clock.stretch(_SLACK)))
        for order in self.books.ledger.living():
            if order.is_working:
                self.follower.look(order.client_order_id)
        took = self.clock.wall() - began
        self.reporter.measurements.waited("reconcile", took)
        log.info("reconciled", live=len(self.books.ledger.live), seconds=took.total_seconds())

    async def resolve(self) -> None:
        """List everything since the oldest live approval; what is in doubt and not there dies when it safely may."""
        started = self.clock.wall()
        in_doubt = [order.client_order_id for order in self.books.ledger.living() if order.is_in_doubt]
        listing = await self._listing()
        for seen in listing:
            self._take(seen)
        listed = {seen.client_order_id for seen in listing}
        for order_id in in_doubt:
            if order_id in listed:
                continue
            verdict = venue.absent(self.books.order(order_id), self.terms.fence, started, self.clock.now())
            if verdict is not None:
                self.books.record(verdict)

    async def _listing(self) -> Sequence[VenueOrder]:
        approvals = [order.intent.approved_at for order in self.books.ledger.living()]
        oldest = min([*approvals, self.clock.now()])
        return await self.exchange.orders_since(oldest - self.clock.stretch(_SLACK))

    def _take(self, seen: VenueOrder) -> None:
        order = self.books.ledger.orders.get(seen.client_order_id)
        if order is None:
            self._mind_foreign(seen)
            return
        self.follower.observe(order, seen)
        now = self.books.order(order.client_order_id)
        is_found = order.is_in_doubt and now.is_working
        if is_found or now.misses_fills or not venue.is_understood(seen.status):
            self.follower.look(order.client_order_id)

    def _mind_foreign(self, seen: VenueOrder) -> None:
        """Report what works at the venue or was made there since we keep books, and is not ours."""
        opened_at = self.books.ledger.opened_at
        is_open = venue.is_working(seen.status)
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
