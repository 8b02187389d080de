"""Orders and fills as a venue lists them, and what they mean for ours."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.ids import ClientOrderId, FillId, VenueOrderId
from gpt_trader.contracts.market import quote_currency_of
from gpt_trader.contracts.orders import Fill, FillKind, Liquidity, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.executor.domain.order import Order
from gpt_trader.executor.domain.records import Absent, Filled, Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order as the venue lists it; quantities of futures are contracts.

    `status` is open while it can execute, and unknown where the venue says nothing, or nothing that we know: ask again.
    """

    venue_order_id: VenueOrderId
    client_order_id: ClientOrderId
    product: str
    status: OrderStatus
    filled_quantity: Decimal
    reason: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFill:
    """A fill as the venue lists it; it knows the venue's order id only, and counts futures in contracts."""

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


def observed(order: Order, seen: VenueOrder, now: datetime) -> Observed | None:
    """Return what is news in a listing, or None: repetition, an older state, a word we don't know, or too late.

    While the POST is under way its own answer comes first.
    """
    if not (order.is_working or order.is_in_doubt) or seen.status is OrderStatus.UNKNOWN:
        return None
    if order.venue_order_id not in {None, seen.venue_order_id}:
        return None
    ending, filled_quantity = seen.status if seen.status.is_terminal else None, _in_base(order, seen.filled_quantity)
    is_older = ending is None and (order.ending is not None or filled_quantity < order.claimed)
    is_known = order.is_working and (ending, filled_quantity) == (order.ending, order.claimed)
    if is_older or is_known:
        return None
    return Observed(
        client_order_id=order.client_order_id,
        venue_order_id=seen.venue_order_id,
        ending=ending,
        filled_quantity=filled_quantity,
        reason=seen.reason,
        occurred_at=seen.updated_at,
        at=now,
    )


def contradicts(order: Order, seen: VenueOrder) -> bool:
    """Whether the venue has an order that must not exist: a second one, or one that we declared dead."""
    if order.venue_order_id is not None:
        return order.venue_order_id != seen.venue_order_id
    return order.is_terminal and (not seen.status.is_terminal or seen.filled_quantity > 0)


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
            quantity=_in_base(order, seen.quantity),
            price=seen.price,
            fee=seen.fee,
            fee_currency=quote_currency_of(intent.product),
            liquidity=seen.liquidity,
            occurred_at=seen.occurred_at,
            reported_at=now,
        ),
        at=now,
    )


def _in_base(order: Order, listed: Decimal) -> Decimal:
    """Turn the venue's count into base currency: contracts of a future, anything else is base already."""
    size = order.intent.contract_size
    return listed if size is None else listed * size


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
