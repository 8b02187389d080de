"""Cancels every open order at the venue, and says so once nothing of ours is on its way any more."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.domain.trading_state import spares_stops
from gpt_trader.risk_gate.domain.venue import VenueOrder
from gpt_trader.risk_gate.ports import OutcomeUnknown, Venue, VenueUnavailable
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

_LOOK_SECONDS = 0.05
_AGAIN_SECONDS = 0.2
_GOING_SECONDS = 5.0
_NAMED_AGAIN_SECONDS = 1.0
_EMPTY_LISTINGS = 2
"""Two, for an order may be on its way into the listing while the first is read."""


class Announcements(Protocol):
    """The gate's word on the trading state; HALTED is the acknowledgement of a kill."""

    def holding_back(self) -> AbstractAsyncContextManager[None]:
        """Say nothing meanwhile."""
        ...

    async def publish_state(self) -> None:
        """Say it now."""
        ...


@dataclass(slots=True, kw_only=True)
class OrderStop:
    """Acts on a halt; the latch itself is in the ledger and needs nobody.

    In a dry run no order at the venue is ours, so none is cancelled.
    """

    ledger: Ledger
    venue: Venue
    publisher: Announcements
    is_dry_run: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _named: set[ClientOrderId] = field(default_factory=set)
    _are_named: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        """On each halt: cancel everything, wait until no create can be accepted any more, acknowledge; for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._cancel_when_wanted())
            tasks.create_task(self._cancel_when_named())
            while True:
                await self.ledger.halted.wait()
                self.ledger.halted.clear()
                self._wanted.set()
                async with self.publisher.holding_back():
                    await self._drained()
                await self.publisher.publish_state()
                self._wanted.set()  # what was accepted meanwhile may have missed the first round

    async def cancel_all(self, most_listings: int | None = None) -> None:
        """Cancel until the venue lists none twice in a row; stops stay while only the venue's failure halts.

        After `most_listings` that still held orders it goes on by itself, and whoever waits need not.
        """
        empty = full = 0
        while empty < _EMPTY_LISTINGS:
            try:
                async with self.turn:
                    found = await self._cancel_once(self._must_go)
                empty, full = (0, full + 1) if found else (empty + 1, full)
            except (VenueUnavailable, OutcomeUnknown) as error:
                log.warning("cancel_all_retried", reason=str(error))
                empty = 0
            if full == most_listings:
                log.error("orders_do_not_go", listings=full)
                self._wanted.set()
                return
            await asyncio.sleep(_AGAIN_SECONDS if empty < _EMPTY_LISTINGS else 0)
        log.warning("no_open_orders_left")

    async def cancel_entries(self) -> None:
        """Leave no entry at the venue when the gate goes (X5); stops and exits stay."""
        approvals = self.ledger.state.approvals
        if self.is_dry_run or not any(kept.purpose.is_entry for kept in approvals.values()):
            return
        try:
            async with asyncio.timeout(_GOING_SECONDS):
                orders = await self.venue.open_orders()
                entries = [
                    order.venue_order_id
                    for order in orders
                    if (kept := approvals.get(order.client_order_id)) is not None and kept.purpose.is_entry
                ]
                if entries:
                    await self.venue.cancel(entries)
                log.info("entries_canceled", orders=len(entries))
        except (TimeoutError, VenueUnavailable, OutcomeUnknown) as error:
            log.warning("entries_not_canceled", reason=repr(error))

    def cancel_soon(self, orders: Collection[ClientOrderId]) -> None:
        """Cancel these until nothing more can come of them."""
        if orders:
            self._named.update(orders)
            self._are_named.set()

    async def _cancel_when_named(self) -> None:
        while True:
            await self._are_named.wait()
            self._named.intersection_update(self.ledger.state.approvals)
            if not self._named:
                self._are_named.clear()
                continue
            try:
                async with self.turn:
                    await self._cancel_once(lambda order: order.client_order_id in self._named)
            except (VenueUnavailable, OutcomeUnknown) as error:
                log.warning("cancel_retried", reason=str(error))
            await asyncio.sleep(_NAMED_AGAIN_SECONDS)

    async def _drained(self) -> None:
        """Wait for the end of every create, or until the venue takes its token no longer."""
        if self.ledger.in_flight():
            log.warning("creates_in_flight", count=self.ledger.in_flight())
        while self.ledger.in_flight():
            await self.ledger.until(lambda _state: not self.ledger.in_flight(), _LOOK_SECONDS)

    def _must_go(self, order: VenueOrder) -> bool:
        approval = self.ledger.state.approvals.get(order.client_order_id)
        is_stop = approval is not None and approval.purpose is Purpose.PROTECTIVE
        return not (is_stop and spares_stops(self.ledger.state.causes, self.ledger.clock.now()))

    async def _cancel_when_wanted(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.cancel_all()

    async def _cancel_once(self, is_meant: Callable[[VenueOrder], bool]) -> int:
        if self.is_dry_run:
            return 0
        orders = [order for order in await self.venue.open_orders() if is_meant(order)]
        if orders:
            outcomes = await self.venue.cancel([order.venue_order_id for order in orders])
            refused = [outcome.reason for outcome in outcomes if not outcome.is_accepted]
            log.warning("cancels_requested", orders=len(orders), refused=refused)
        return len(orders)
