"""Cancels every open order at the venue, and says so once nothing of ours is on its way any more."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from gpt_trader.risk_gate.ports import OutcomeUnknown, Venue, VenueUnavailable
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

_LOOK_SECONDS = 0.05
_AGAIN_SECONDS = 0.2
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
    """Acts on a halt; the latch itself is in the ledger and needs nobody."""

    ledger: Ledger
    venue: Venue
    publisher: Announcements
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        """On each halt: cancel everything, wait until no create can be accepted any more, acknowledge; for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._cancel_when_wanted())
            while True:
                await self.ledger.halted.wait()
                self.ledger.halted.clear()
                self._wanted.set()
                async with self.publisher.holding_back():
                    await self._drained()
                await self.publisher.publish_state()
                self._wanted.set()  # what was accepted meanwhile may have missed the first round

    async def cancel_all(self) -> None:
        """Cancel until the venue lists no open order twice in a row."""
        async with self.turn:
            empty = 0
            while empty < _EMPTY_LISTINGS:
                try:
                    empty = 0 if await self._cancel_once() else empty + 1
                except (VenueUnavailable, OutcomeUnknown) as error:
                    log.warning("cancel_all_retried", reason=str(error))
                    empty = 0
                await asyncio.sleep(_AGAIN_SECONDS if empty < _EMPTY_LISTINGS else 0)
            log.warning("no_open_orders_left")

    async def _drained(self) -> None:
        """Wait for the end of every create, or until the venue takes its token no longer."""
        if self.ledger.in_flight():
            log.warning("creates_in_flight", count=self.ledger.in_flight())
        while self.ledger.in_flight():
            await self.ledger.until(lambda _state: not self.ledger.in_flight(), _LOOK_SECONDS)

    async def _cancel_when_wanted(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.cancel_all()

    async def _cancel_once(self) -> int:
        orders = await self.venue.open_orders()
        if orders:
            outcomes = await self.venue.cancel([order.venue_order_id for order in orders])
            refused = [outcome.reason for outcome in outcomes if not outcome.is_accepted]
            log.warning("cancels_requested", orders=len(orders), refused=refused)
        return len(orders)
