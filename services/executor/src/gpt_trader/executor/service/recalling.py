"""Makes a lost journal good from the bus: what was approved there is followed on from what was reported there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import Fill, OrderEvent, OrderStatus
from gpt_trader.executor.domain.records import Recalled
from gpt_trader.executor.domain.submission import Doubt
from gpt_trader.executor.ports import Measurements, Streams
from gpt_trader.executor.service.books import Books
from gpt_trader.executor.service.intake import Intake
from gpt_trader.executor.service.placing import Placer
from gpt_trader.executor.service.terms import Terms
from gpt_trader.runtime import logs
from gpt_trader.runtime.clock import Clock

log = logs.get("executor")

_RECALLED = timedelta(days=1)
"""How far back a lost journal is made good: what is older was reported long ago, or nothing holds it any more."""


@dataclass(slots=True)
class _Said:
    """What the bus holds of one order: its newest step, and its fills."""

    last: OrderEvent | None = None
    fills: list[Fill] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Recaller:
    """Sends nothing, and says nothing twice: the bus itself knows a repetition for two minutes only."""

    books: Books
    intake: Intake
    placer: Placer
    measurements: Measurements
    clock: Clock
    terms: Terms

    async def recall(self, streams: Streams) -> bool:
        """Take over, with one write, every approval that the journal lacks; raises BusUnavailable before that.

        False = nothing was taken over, for whoever made an attempt may still be about to report how it went.
        """
        start = self.clock.wall() - _RECALLED
        lacked: dict[ClientOrderId, ApprovedIntent] = {}
        async for received in streams.history("INTENTS", subject_filter="intents.approved.>", start_time=start):
            intent = self.intake.lacked(received)
            if intent is not None:
                lacked[intent.client_order_id] = intent
        if not lacked:
            return True
        said = {order_id: _Said() for order_id in lacked}
        await _read_reports(streams, start, said)
        found = [self._recalled(intent, said[order_id]) for order_id, intent in lacked.items()]
        if any(self._is_under_way(one) for one in found):
            return False
        self.books.record(*found)
        self._tell(found)
        return True

    def _recalled(self, intent: ApprovedIntent, said: _Said) -> Recalled:
        return Recalled(
            intent=intent,
            said=said.last,
            fills=tuple(said.fills),
            reason=Doubt.BEFORE_JOURNAL,
            permit_before=self.placer.permit_before(intent.expires_at),
            at=self.clock.now(),
        )

    def _is_under_way(self, one: Recalled) -> bool:
        """Whether another executor that still lives may have an answer to come."""
        is_tried = one.said is not None and one.said.status is OrderStatus.SUBMITTING
        return is_tried and self.clock.wall() < one.permit_before + self.terms.fence.token_life

    def _tell(self, found: list[Recalled]) -> None:
        for one in found:
            self.measurements.taken("recalled")
            order = self.books.order(one.intent.client_order_id)
            if not order.is_terminal:
                log.warning("approval_recalled", client_order_id=order.client_order_id, status=order.status)
        log.warning("journal_made_good", approvals=len(found), live=len(self.books.ledger.live))


async def _read_reports(streams: Streams, start: datetime, said: Mapping[ClientOrderId, _Said]) -> None:
    """Find what was said of these orders; an end stays the last word, whatever was stored after it."""
    async for received in streams.history("ORDERS", subject_filter="orders.>", start_time=start):
        event = OrderEvent.decode(received.payload)
        order = said.get(event.client_order_id)
        if order is not None and (order.last is None or _rank(event) > _rank(order.last)):
            order.last = event
    async for received in streams.history("FILLS", subject_filter="fills.>", start_time=start):
        fill = Fill.decode(received.payload)
        if fill.client_order_id in said:
            said[fill.client_order_id].fills.append(fill)


def _rank(event: OrderEvent) -> tuple[bool, int]:
    return event.status.is_terminal, event.revision
