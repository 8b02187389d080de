"""Cancels every open order at the venue, and says so once nothing of ours is on its way any more."""

import asyncio
from dataclasses import dataclass, field

from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.ports import OutcomeUnknown, Venue, VenueUnavailable
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.publisher import Publisher
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

_DRAIN_SECONDS = 5.0
_AGAIN_SECONDS = 0.2
_EMPTY_LISTINGS = 2
"""Two, for an order may be on its way into the listing while the first is read."""


@dataclass(slots=True, kw_only=True)
class OrderStop:
    """Acts on a halt; the latch itself is in the ledger and needs nobody."""

    ledger: Ledger
    venue: Venue
    publisher: Publisher
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def watch(self) -> None:
        """On each halt: wait for what is in flight, acknowledge, cancel everything; for ever."""
        while True:
            await self.ledger.halted.wait()
            self.ledger.halted.clear()
            async with self.publisher.holding_back():
                if not await self.ledger.until(_nothing_in_flight, _DRAIN_SECONDS):
                    log.warning("creates_still_in_flight", count=self.ledger.state.in_flight)
            await self.publisher.publish_state()
            await self.cancel_all()

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

    async def _cancel_once(self) -> int:
        orders = await self.venue.open_orders()
        if orders:
            outcomes = await self.venue.cancel([order.venue_order_id for order in orders])
            refused = [outcome.reason for outcome in outcomes if not outcome.is_accepted]
            log.warning("cancels_requested", orders=len(orders), refused=refused)
        return len(orders)


def _nothing_in_flight(state: GateState) -> bool:
    return state.in_flight == 0
