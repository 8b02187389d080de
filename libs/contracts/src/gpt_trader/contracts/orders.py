"""Life of an order and its fills, as the executor reports them."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gpt_trader.contracts.ids import ClientOrderId, FillId, IntentId, VenueOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.message import Amount, Instant, Message, Name, NonNegative, Positive, Product
from gpt_trader.contracts.signals import Side


class OrderStatus(StrEnum):
    """Where an order stands (SPEC EX3). `unknown` blocks its product until it is resolved."""

    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    FAILED = "failed"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can follow but late fills of what was already executed."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.FAILED}
)


WOULD_TAKE = "would_take"
"""How the reason of a refusal begins, whatever the venue calls it, where an order that was to make would have taken."""


def is_post_only_refusal(reason: str) -> bool:
    """Whether the venue refused an order only because it would have taken what it was to make."""
    return reason.startswith(WOULD_TAKE)


class OrderEvent(Message):
    """One step in an order's life; `revision` rises by one per step of the same order.

    `failed` = it never reached the venue (permit refused, intent expired, or proven absent);
    `rejected` = the venue refused it.
    """

    client_order_id: ClientOrderId
    revision: Annotated[int, Field(ge=1)]
    venue_order_id: VenueOrderId | None
    intent_id: IntentId
    strategy: Name
    product: Product
    side: Side
    purpose: Purpose
    quantity: Positive
    limit_price: Positive
    status: OrderStatus
    filled_quantity: NonNegative
    average_price: Positive | None
    fees: Amount
    reason: str
    occurred_at: Instant
    reported_at: Instant


class Liquidity(StrEnum):
    """Whether we gave or took liquidity."""

    MAKER = "maker"
    TAKER = "taker"
    UNKNOWN = "unknown"


class FillKind(StrEnum):
    """A reversal takes back an earlier fill; a correction restates it. Neither is a new execution."""

    FILL = "fill"
    REVERSAL = "reversal"
    CORRECTION = "correction"


class Fill(Message):
    """One execution, counted exactly once by `fill_id` (the venue's entry id)."""

    fill_id: FillId
    trade_id: str
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    intent_id: IntentId | None
    strategy: str
    product: Product
    side: Side
    kind: FillKind
    quantity: Positive
    price: Positive
    fee: Amount
    fee_currency: str
    liquidity: Liquidity
    occurred_at: Instant
    reported_at: Instant
