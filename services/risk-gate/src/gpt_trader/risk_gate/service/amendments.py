"""Has resting orders changed, one after the other: written down, sent once, and settled by what the venue shows."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.domain.amending import refused, seen, under_way
from gpt_trader.risk_gate.domain.exposure import Approval
from gpt_trader.risk_gate.domain.order_records import AmendAsked
from gpt_trader.risk_gate.domain.permits import Refusal
from gpt_trader.risk_gate.domain.trading_state import allows, standing
from gpt_trader.risk_gate.domain.venue import VenueOrder
from gpt_trader.risk_gate.ports import OutcomeUnknown, Venue, VenueUnavailable
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

_LOOK_SECONDS = 0.5
_SENT_WITHIN = timedelta(seconds=5)
"""Real time in which an amendment has its turn; after that it is not sent at all."""
_FENCE = _SENT_WITHIN + timedelta(seconds=2 + 47)
"""Real time from its record after which what was never answered had its turn, then 2 s at most for a place in the rate
budget, has no valid token any more, and would be shown."""


class Orders(Protocol):
    """One order as the venue has it; raises VenueUnavailable."""

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder:
        """One order, open or over."""
        ...


class Fence(Protocol):
    """Whether this gate may change anything at the venue."""

    def objection_to_cancel(self) -> Refusal | None:
        """Say why not: a later gate has claimed the epoch, or this is a dry run."""
        ...


@dataclass(slots=True, kw_only=True)
class Amendments:
    """`wanted` is one at a time: nothing else is asked of an order while its amendment is in flight."""

    ledger: Ledger
    venue: Venue
    orders: Orders
    fence: Fence
    wanted: asyncio.Queue[AmendAsked] = field(default_factory=asyncio.Queue)

    def soon(self, asked: AmendAsked) -> None:
        """Write an amendment down, which reserves the larger size, and send it."""
        self.ledger.commit(asked)
        self.wanted.put_nowait(asked)
        log.info(
            "amend_asked",
            client_order_id=asked.client_order_id,
            quantity=str(asked.quantity),
            stop_price=str(asked.stop_price),
            reason=asked.reason,
        )

    async def run(self) -> None:
        """Send what is wanted, and settle what is under way, also of the run before; for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_all())
            while True:
                await self.ledger.until(lambda state: any(under_way(state)), 3600)
                for approval in tuple(under_way(self.ledger.state)):
                    await self._settle(approval)
                await asyncio.sleep(_LOOK_SECONDS)

    async def _send_all(self) -> None:
        while True:
            await self._send(await self.wanted.get())

    async def _send(self, asked: AmendAsked) -> None:
        approval = self._of(asked.client_order_id)
        if approval is None or self.fence.objection_to_cancel() is not None:
            return
        objection = self._objection(approval, asked)
        if objection is not None:
            self.ledger.commit(refused(approval, objection, self.ledger.clock.now()))
            return
        try:
            refusal = await self.venue.amend(asked.body.encode())
        except (VenueUnavailable, OutcomeUnknown) as error:
            log.warning("amend_unknown", client_order_id=asked.client_order_id, reason=str(error))
            return
        approval = self._of(asked.client_order_id)
        if refusal and approval is not None:
            log.warning("amend_refused", client_order_id=asked.client_order_id, reason=refusal)
            self.ledger.commit(refused(approval, refusal, self.ledger.clock.now()))

    def _objection(self, approval: Approval, asked: AmendAsked) -> str | None:
        """Say why what was asked for is not sent any more."""
        clock = self.ledger.clock
        now = clock.now()
        if now - asked.at > clock.stretch(_SENT_WITHIN):
            return "expired"
        is_allowed = allows(standing(self.ledger.state.causes, approval.product, now).status, Purpose.PROTECTIVE)
        return None if is_allowed else "trading_state"

    async def _settle(self, approval: Approval) -> None:
        if approval.venue_order_id is None:
            return
        try:
            found = await self.orders.order(approval.venue_order_id)
        except VenueUnavailable as error:
            log.warning("amend_unresolved", client_order_id=approval.client_order_id, reason=str(error))
            return
        current = self._of(approval.client_order_id)
        if current is None:
            return
        clock = self.ledger.clock
        ended = seen(current, found, clock.stretch(_FENCE), clock.now())
        if ended is not None:
            log.info("amend_ended", client_order_id=ended.client_order_id, is_applied=ended.is_applied)
            self.ledger.commit(ended)

    def _of(self, own: ClientOrderId) -> Approval | None:
        kept = self.ledger.state.approvals.get(own)
        return None if kept is None or kept.amending is None else kept
