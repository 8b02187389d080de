"""One order's life: strict transitions, fills counted whenever they come, one terminal report."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import Fill, OrderEvent, OrderStatus
from gpt_trader.executor.domain import records
from gpt_trader.executor.domain.executions import Fills, Totals, totals


class IllegalTransition(Exception):
    """A record that can't follow: the message names order, status and record. It is never journaled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An approval and what became of it. `status` None = approved, and nothing was tried yet.

    `ending` and `claimed` are the venue's word; the status follows it only when the fills add up to it.
    `permit_before` is the real time after which no permit for it can be issued.
    """

    intent: ApprovedIntent
    status: OrderStatus | None = None
    revision: int = 0
    venue_order_id: VenueOrderId | None = None
    permit_before: datetime | None = None
    is_cancel_wanted: bool = False
    ending: OrderStatus | None = None
    claimed: Decimal = Decimal(0)
    fills: Fills = field(default_factory=dict)
    done: Totals = field(default_factory=Totals)

    @property
    def client_order_id(self) -> ClientOrderId:
        """The id under which the venue knows it."""
        return self.intent.client_order_id

    @property
    def is_terminal(self) -> bool:
        """Whether its one terminal report was made."""
        return self.status is not None and self.status.is_terminal

    @property
    def is_working(self) -> bool:
        """Whether it is known to exist at the venue and is not over."""
        return self.status in _WORKING

    @property
    def is_in_doubt(self) -> bool:
        """Whether only a listing can tell if it exists."""
        return self.status is OrderStatus.UNKNOWN

    @property
    def misses_fills(self) -> bool:
        """Whether the venue claims another filled quantity than the fills add up to."""
        return self.done.quantity != self.claimed


Report = OrderEvent | Fill
"""What the bus is told."""
Step = tuple[Order, tuple[Report, ...]]

Standing = frozenset[OrderStatus | None]

_UNTRIED: Standing = frozenset({None})
_TRIED: Standing = frozenset({OrderStatus.SUBMITTING})
_DOUBTFUL: Standing = frozenset({OrderStatus.UNKNOWN})
_WORKING: Standing = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
_FINDABLE: Standing = _WORKING | _DOUBTFUL


def evolve(order: Order, record: records.OrderRecord) -> Step:
    """Take one step; raises IllegalTransition, and never leaves a terminal status."""
    match record:
        case records.CancelWanted():
            return replace(order, is_cancel_wanted=True), ()
        case records.Observed():
            return _observed(order, record)
        case records.Filled():
            return _filled(order, record)
        case _:
            return _answered(order, record)


def recalled(record: records.Recalled) -> Step:
    """Go on from the last step that the bus has; what was not answered by then is in doubt."""
    fills = {fill.fill_id: fill for fill in record.fills}
    done, said = totals(fills), record.said
    order = Order(
        intent=record.intent, permit_before=record.permit_before, fills=fills, done=done, claimed=done.quantity
    )
    if said is not None:
        order = replace(order, status=said.status, revision=said.revision, venue_order_id=said.venue_order_id)
    if order.status in _UNTRIED | _TRIED:
        return _moved(order, OrderStatus.UNKNOWN, record.at, record.reason)
    return order, ()


Answer = (
    records.Submitting
    | records.Accepted
    | records.Rejected
    | records.Abandoned
    | records.Unclear
    | records.Absent
)  # fmt: skip


def _answered(order: Order, record: Answer) -> Step:
    """Take a step that depends on nothing but where the order stands."""
    reason = ""
    match record:
        case records.Submitting():
            allowed, status = _UNTRIED, OrderStatus.SUBMITTING
            order = replace(order, permit_before=record.permit_before)
        case records.Accepted():
            allowed, status = _TRIED, OrderStatus.OPEN
            order = replace(order, venue_order_id=record.venue_order_id)
        case records.Rejected():
            allowed, status, reason = _TRIED, OrderStatus.REJECTED, record.reason
        case records.Abandoned():
            allowed, status, reason = _UNTRIED | _TRIED, OrderStatus.FAILED, record.reason
        case records.Unclear():
            allowed, status, reason = _UNTRIED | _TRIED, OrderStatus.UNKNOWN, record.reason
            order = replace(order, permit_before=record.permit_before)
        case records.Absent():
            allowed, status, reason = _DOUBTFUL, OrderStatus.FAILED, "absent_at_venue"
        case _:
            assert_never(record)
    _require(order, record, allowed)
    return _moved(order, status, record.at, reason)


def _observed(order: Order, record: records.Observed) -> Step:
    _require(order, record, _FINDABLE)
    if order.venue_order_id not in {None, record.venue_order_id}:
        raise IllegalTransition(f"{order.client_order_id}: is {order.venue_order_id}, not {record.venue_order_id}")
    claimed = replace(order, venue_order_id=record.venue_order_id, ending=record.ending, claimed=record.filled_quantity)
    if _is_complete(claimed):
        return _ended(claimed, record.occurred_at, record.at, record.reason)
    if order.is_working:
        return claimed, ()
    return _moved(claimed, _working_status(claimed), record.at)


def _filled(order: Order, record: records.Filled) -> Step:
    """Count a fill in any status: what was executed is true whatever we believed."""
    fill = record.fill
    if fill.fill_id in order.fills:
        return order, ()
    fills = {**order.fills, fill.fill_id: fill}
    counted = replace(order, fills=fills, done=totals(fills))
    if not order.is_working:
        return counted, (fill,)
    if _is_complete(counted):
        over, reports = _ended(counted, fill.occurred_at, record.at)
        return over, (fill, *reports)
    moved, reports = _moved(counted, _working_status(counted), record.at)
    return moved, (fill, *reports)


def _working_status(order: Order) -> OrderStatus:
    return OrderStatus.PARTIALLY_FILLED if order.done.quantity else OrderStatus.OPEN


def _is_complete(order: Order) -> bool:
    return order.ending is not None and not order.misses_fills


def _ended(order: Order, occurred_at: datetime, at: datetime, reason: str = "") -> Step:
    if order.ending is None:
        raise IllegalTransition(f"{order.client_order_id}: the venue has not ended it")
    return _moved(order, order.ending, at, reason, occurred_at)


def _moved(
    order: Order, status: OrderStatus, at: datetime, reason: str = "", occurred_at: datetime | None = None
) -> Step:
    moved = replace(order, status=status, revision=order.revision + 1)
    intent = order.intent
    event = OrderEvent(
        client_order_id=intent.client_order_id,
        revision=moved.revision,
        venue_order_id=moved.venue_order_id,
        intent_id=intent.intent_id,
        strategy=intent.strategy,
        product=intent.product,
        side=intent.side,
        purpose=intent.purpose,
        quantity=intent.quantity,
        limit_price=intent.limit_price,
        status=status,
        filled_quantity=moved.done.quantity,
        average_price=moved.done.average_price,
        fees=moved.done.fees,
        reason=reason,
        occurred_at=occurred_at or at,
        reported_at=at,
    )
    return moved, (event,)


def _require(order: Order, record: records.OrderRecord, allowed: Standing) -> None:
    if order.status not in allowed:
        status = "approved" if order.status is None else order.status
        raise IllegalTransition(f"{order.client_order_id}: {record.kind} can't follow {status}")
