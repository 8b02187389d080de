"""The venue's words for orders and fills, and what they mean for ours."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.ids import ClientOrderId, FillId, VenueOrderId
from gpt_trader.contracts.orders import Fill, FillKind, Liquidity, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.executor.domain.order import Order
from gpt_trader.executor.domain.records import Absent, Filled, Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order as the venue lists it; `status` is the venue's own word."""

    venue_order_id: VenueOrderId
    client_order_id: ClientOrderId
    product: str
    status: str
    filled_quantity: Decimal
    reason: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFill:
    """A fill as the venue lists it; it knows the venue's order id only."""

    fill_id: FillId
    trade_id: str
    venue_order_id: VenueOrderId
    product: str
    side: Side
    kind: FillKind
    quantity: Decimal
    price: Decimal
    fee: Decimal
    liquidity: Liquidity
    occurred_at: datetime


_WORKING = frozenset({"PENDING", "QUEUED", "OPEN", "CANCEL_QUEUED", "EDIT_QUEUED"})
_ENDINGS = {
    "FILLED": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "FAILED": OrderStatus.REJECTED,
}
"""FAILED = the venue took the order and refused it afterwards."""


def is_understood(status: str) -> bool:
    """Whether the venue's status says anything; UNKNOWN_ORDER_STATUS and words we don't know mean: ask again."""
    return status in _WORKING or status in _ENDINGS


def is_working(status: str) -> bool:
    """Whether an order of that status can still execute."""
    return status not in _ENDINGS


def observed(order: Order, seen: VenueOrder, now: datetime) -> Observed | None:
    """Return what is news in a listing, or None: repetition, an older state, a word we don't know, or too late.

    While the POST is under way its own answer comes first.
    """
    if not (order.is_working or order.is_in_doubt) or not is_understood(seen.status):
        return None
    if order.venue_order_id not in {None, seen.venue_order_id}:
        return None
    ending = _ENDINGS.get(seen.status)
    is_older = ending is None and (order.ending is not None or seen.filled_quantity < order.claimed)
    is_known = order.is_working and (ending, seen.filled_quantity) == (order.ending, order.claimed)
    if is_older or is_known:
        return None
    return Observed(
        client_order_id=order.client_order_id,
        venue_order_id=seen.venue_order_id,
        ending=ending,
        filled_quantity=seen.filled_quantity,
        reason=seen.reason,
        occurred_at=seen.updated_at,
        at=now,
    )


def contradicts(order: Order, seen: VenueOrder) -> bool:
    """Whether the venue has an order that must not exist: a second one, or one that we declared dead."""
    if order.venue_order_id is not None:
        return order.venue_order_id != seen.venue_order_id
    return order.is_terminal and (is_working(seen.status) or seen.filled_quantity > 0)


def filled(order: Order, seen: VenueFill, now: datetime) -> Filled:
    """Give a fill the names of the order it belongs to; fees are in the quote currency."""
    intent = order.intent
    return Filled(
        fill=Fill(
            fill_id=seen.fill_id,
            trade_id=seen.trade_id,
            client_order_id=order.client_order_id,
            venue_order_id=seen.venue_order_id,
            intent_id=intent.intent_id,
            strategy=intent.strategy,
            product=intent.product,
            side=seen.side,
            kind=seen.kind,
            quantity=seen.quantity,
            price=seen.price,
            fee=seen.fee,
            fee_currency=intent.product.rpartition("-")[2],
            liquidity=seen.liquidity,
            occurred_at=seen.occurred_at,
            reported_at=now,
        ),
        at=now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """How long after the last possible permit an order may still appear at the venue (real time)."""

    token_life: timedelta
    clock_bound: timedelta
    visibility: timedelta

    def passed(self, order: Order, listing_started: datetime) -> bool:
        """Whether a complete listing that began then would show the order if it existed."""
        if order.permit_before is None:
            return False
        return listing_started > order.permit_before + self.token_life + self.clock_bound + self.visibility


def absent(order: Order, fence: Fence, listing_started: datetime, now: datetime) -> Absent | None:
    """Declare an order dead that a complete listing did not show; None while it could still appear."""
    if not order.is_in_doubt or not fence.passed(order, listing_started):
        return None
    return Absent(client_order_id=order.client_order_id, listing_started=listing_started, at=now)
