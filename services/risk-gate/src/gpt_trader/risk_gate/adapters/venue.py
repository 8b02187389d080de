"""The venue's REST side as the gate needs it: complete listings, cancels, and what preflight asks."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TypeVar
from urllib.parse import urlencode

import orjson

from gpt_trader.contracts.ids import VenueOrderId
from gpt_trader.risk_gate.adapters import parse
from gpt_trader.risk_gate.adapters.budget import Priority
from gpt_trader.risk_gate.adapters.parse import NotUnderstood
from gpt_trader.risk_gate.adapters.venue_link import Answer, VenueLink
from gpt_trader.risk_gate.domain.venue import Balance, CancelOutcome, KeyPermissions, ProductRules, VenueOrder
from gpt_trader.risk_gate.ports import OutcomeUnknown, VenueUnavailable
from gpt_trader.runtime.clock import Clock

PREFIX = "/api/v3/brokerage"
CANCEL_CHUNK = 100
"""Ids that the venue takes in one batch_cancel."""
_ATTEMPTS = 3
_LONGEST_PAUSE_SECONDS = 30.0
_BUDGET_SECONDS = 2.0
_PREVIEW_SECONDS = 2.0
MOST_PAGES = 1000
_ON_THE_WAY = ("PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED", "UNKNOWN_ORDER_STATUS")
_RETRIED = frozenset({401, 408, 429})
"""401 is among them because the venue refuses good tokens now and then; each try signs a fresh one."""
_MILLISECOND = timedelta(milliseconds=1)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RestVenue:
    """Implements Venue, VenueFacts and Previews; `jitter` spreads the retries, `clock` stamps observations."""

    link: VenueLink
    clock: Clock
    jitter: Random

    async def accounts(self) -> tuple[Balance, ...]:
        """Sum each currency over all accounts, paginated to the end."""
        held: dict[str, Balance] = {}
        cursor = ""
        for _ in range(MOST_PAGES):
            balances, cursor = await self.read("/accounts", query_of(limit="250", cursor=cursor), parse.accounts_page)
            for balance in balances:
                known = held.get(balance.currency)
                held[balance.currency] = balance if known is None else _sum(known, balance)
            if not cursor:
                return tuple(held.values())
        raise VenueUnavailable(f"accounts: the listing did not end after {MOST_PAGES} pages")

    async def open_orders(self) -> tuple[VenueOrder, ...]:
        """List every order that is not terminal.

        OPEN is asked alone, as the venue wants it, and last: an order that opens in between is seen twice, not never.
        """
        found = [*await self._listing(_ON_THE_WAY), *await self._listing(("OPEN",))]
        return tuple({order.venue_order_id: order for order in found}.values())

    async def cancel(self, venue_order_ids: Sequence[VenueOrderId]) -> tuple[CancelOutcome, ...]:
        """Ask to cancel these; a repeated request is harmless, so it is retried like a read."""
        outcomes: list[CancelOutcome] = []
        for start in range(0, len(venue_order_ids), CANCEL_CHUNK):
            outcomes += await self._cancel(venue_order_ids[start : start + CANCEL_CHUNK])
        return tuple(outcomes)

    async def key_permissions(self) -> KeyPermissions:
        """Return what the exchange key may do."""
        return await self.read("/key_permissions", "", parse.key_permissions)

    async def product_rules(self) -> tuple[ProductRules, ...]:
        """List the rules of every spot product."""
        return await self.read("/products", "product_type=SPOT", parse.product_rules)

    async def clock_offset(self) -> timedelta:
        """Return the venue's clock minus ours, in the middle of the round trip; a scaled demo scales both."""
        asked_at = self.clock.now()
        milliseconds = await self.read("/time", "", parse.epoch_milliseconds)
        middle = asked_at + (self.clock.now() - asked_at) / 2
        return milliseconds * _MILLISECOND - timedelta(seconds=middle.timestamp())

    async def preview(self, body: bytes) -> tuple[str, ...]:
        """Ask once: a wish to trade does not wait for a second try."""
        try:
            async with asyncio.timeout(_PREVIEW_SECONDS):
                answer = await self._once("POST", "/orders/preview", "", body, Priority.ENTRY)
            return parse.preview_refusals(answer.body)
        except (_TryAgain, OutcomeUnknown, TimeoutError, NotUnderstood) as error:
            raise VenueUnavailable(f"orders/preview: {type(error).__name__} {error}".rstrip()) from error

    async def amend(self, body: bytes) -> str:
        """Ask once, never again: what an unanswered request did only the order itself can show."""
        try:
            answer = await self._once("POST", "/orders/edit", "", body, Priority.CANCEL)
            return parse.edit_refusal(answer.body)
        except VenueRefused as error:
            return str(error)
        except (_TryAgain, NotUnderstood) as error:
            raise OutcomeUnknown(f"orders/edit: {error}") from error

    async def _listing(self, statuses: Sequence[str]) -> list[VenueOrder]:
        found: list[VenueOrder] = []
        cursor = ""
        observed_at = self.clock.now()
        for _ in range(MOST_PAGES):
            query = query_of(order_status=statuses, limit="250", cursor=cursor)
            page = await self.read("/orders/historical/batch", query, lambda body: parse.orders_page(body, observed_at))
            found += page.orders
            cursor = page.cursor
            if not cursor:
                return found
        raise VenueUnavailable(f"open orders: the listing did not end after {MOST_PAGES} pages")

    async def _cancel(self, ids: Sequence[VenueOrderId]) -> tuple[CancelOutcome, ...]:
        body = orjson.dumps({"order_ids": list(ids)})
        answer = await self._settled("POST", "/orders/batch_cancel", "", body)
        try:
            outcomes = parse.cancel_outcomes(answer.body)
        except NotUnderstood as error:
            raise OutcomeUnknown(f"batch_cancel: {error}") from error
        missing = set(ids) - {outcome.venue_order_id for outcome in outcomes}
        if missing:
            raise OutcomeUnknown(f"batch_cancel: no result for {sorted(missing)}")
        return outcomes

    async def read(self, path: str, query: str, understand: Callable[[bytes], T]) -> T:
        """Get and understand an answer; raises VenueUnavailable. A path of another version than v3 is spelled whole."""
        try:
            answer = await self._settled("GET", path, query, None)
            return understand(answer.body)
        except OutcomeUnknown as error:  # a read leaves nothing behind
            raise VenueUnavailable(str(error)) from error
        except NotUnderstood as error:
            raise VenueUnavailable(f"GET {path}: {error}") from error

    async def _settled(self, method: str, path: str, query: str, body: bytes | None) -> Answer:
        """Return a good answer, after a few tries at most."""
        priority = Priority.EXIT if body is None else Priority.CANCEL
        for attempt in range(_ATTEMPTS - 1):
            try:
                return await self._once(method, path, query, body, priority)
            except VenueRefused:
                raise
            except (_TryAgain, VenueUnavailable, OutcomeUnknown):
                await asyncio.sleep(self.jitter.uniform(0, min(_LONGEST_PAUSE_SECONDS, 2**attempt)))
        try:
            return await self._once(method, path, query, body, priority)
        except _TryAgain as error:
            raise OutcomeUnknown(str(error)) from error

    async def _once(self, method: str, path: str, query: str, body: bytes | None, priority: Priority) -> Answer:
        if not await self.link.budget.wait(priority, _BUDGET_SECONDS):
            raise VenueUnavailable(f"{method} {path}: no rate budget within {_BUDGET_SECONDS} s")
        target = path if path.startswith("/v2/") else PREFIX + path
        answer = await self.link.send(method, target, query, body)
        if answer.status == 200:
            return answer
        said = f"{method} {path}: HTTP {answer.status} {answer.body[:200].decode(errors='replace')}"
        if answer.status >= 500 or answer.status in _RETRIED:
            raise _TryAgain(said)
        raise VenueRefused(said)


class VenueRefused(VenueUnavailable):
    """The venue understood and said no; asking again the same way is in vain."""


class _TryAgain(Exception):
    """An answer that the next try may not repeat."""


def query_of(cursor: str, **parameters: str | Sequence[str]) -> str:
    """Spell the parameters of a page."""
    return urlencode({**parameters, **({"cursor": cursor} if cursor else {})}, doseq=True)


def _sum(one: Balance, other: Balance) -> Balance:
    return Balance(currency=one.currency, total=one.total + other.total, hold=one.hold + other.hold)
