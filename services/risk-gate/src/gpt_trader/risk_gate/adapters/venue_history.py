"""What happened at the venue, by us or by others: fills, single orders, deposits and withdrawals."""

from dataclasses import dataclass
from datetime import datetime

from gpt_trader.contracts.ids import VenueOrderId
from gpt_trader.risk_gate.adapters import parse, parse_history
from gpt_trader.risk_gate.adapters.venue import MOST_PAGES, RestVenue, query_of
from gpt_trader.risk_gate.domain.venue import VenueFill, VenueOrder, VenueTransfer
from gpt_trader.risk_gate.ports import VenueUnavailable
from gpt_trader.runtime.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class RestHistory:
    """Implements VenueHistory by the same reads, budget and retries as everything else."""

    venue: RestVenue
    clock: Clock

    async def fills_since(self, start: datetime) -> tuple[VenueFill, ...]:
        """List executions by time; a listing that does not end is an error."""
        found: list[VenueFill] = []
        cursor = ""
        since = start.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        for _ in range(MOST_PAGES):
            query = query_of(start_sequence_timestamp=since, limit="1000", cursor=cursor)
            page, cursor = await self.venue.read("/orders/historical/fills", query, parse_history.fills_page)
            found += page
            if not cursor:
                return tuple(found)
        raise VenueUnavailable(f"fills: the listing did not end after {MOST_PAGES} pages")

    async def orders_since(self, start: datetime) -> tuple[VenueOrder, ...]:
        """List without a status: the venue's OPEN leaves out PENDING and QUEUED. A listing in circles is an error."""
        found: list[VenueOrder] = []
        cursor, asked = "", set[str]()
        observed_at, since = self.clock.now(), start.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        while cursor not in asked:
            asked.add(cursor)
            query = query_of(start_date=since, limit="250", cursor=cursor)
            page = await self.venue.read(
                "/orders/historical/batch", query, lambda body: parse.orders_page(body, observed_at)
            )
            found += page.orders
            cursor = page.cursor
            if not cursor:
                return tuple(found)
        raise VenueUnavailable(f"orders: cursor {cursor} came again")

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder:
        """Ask for one order."""
        now = self.clock.now()
        return await self.venue.read(
            f"/orders/historical/{venue_order_id}", "", lambda body: parse_history.one_order(body, now)
        )

    async def transfers(self, currency: str, since: datetime) -> tuple[VenueTransfer, ...]:
        """Read the transactions of each account of the currency back to `since`."""
        found: list[VenueTransfer] = []
        for account_id in await self._accounts(currency):
            found += await self._of_account(account_id, since)
        return tuple(found)

    async def _accounts(self, currency: str) -> list[str]:
        found: list[str] = []
        cursor = ""
        for _ in range(MOST_PAGES):
            query = query_of(limit="250", cursor=cursor)
            wallets, cursor = await self.venue.read("/accounts", query, parse_history.wallets_page)
            found += [account_id for held, account_id in wallets if held == currency]
            if not cursor:
                return found
        raise VenueUnavailable(f"accounts: the listing did not end after {MOST_PAGES} pages")

    async def _of_account(self, account_id: str, since: datetime) -> list[VenueTransfer]:
        """Follow the pages, newest first, until they reach back far enough."""
        found: list[VenueTransfer] = []
        path, query = f"/v2/accounts/{account_id}/transactions", "limit=100"
        for _ in range(MOST_PAGES):
            page = await self.venue.read(path, query, parse_history.transactions_page)
            found += [transfer for transfer in page.transfers if transfer.at > since]
            if not page.next_uri or page.reaches is None or page.reaches <= since:
                return found
            query = page.next_uri.partition("?")[2]
        raise VenueUnavailable(f"transactions of {account_id}: no end after {MOST_PAGES} pages")
