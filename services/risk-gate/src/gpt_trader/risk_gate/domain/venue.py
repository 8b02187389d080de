"""What the venue says, in our words; adapters parse foreign payloads into these."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gpt_trader.contracts.ids import ClientOrderId, FillId, VenueOrderId
from gpt_trader.contracts.orders import FillKind, Liquidity, OrderStatus
from gpt_trader.contracts.signals import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """One currency at the venue: total = available + hold."""

    currency: str
    total: Decimal
    hold: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order as the venue sees it; the user channel sends the cumulative state anew with each change.

    Quantities are the venue's own: a future's are contracts.

    `client_order_id` is empty for an order that was made without one, `limit_price` None for one without a limit,
    `stop_price` for one without a trigger.
    `is_liquidation` = the venue made it, to close a position whose margin was gone.
    """

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    product: str
    side: Side
    status: OrderStatus
    quantity: Decimal
    filled_quantity: Decimal
    limit_price: Decimal | None
    observed_at: datetime
    stop_price: Decimal | None = None
    is_liquidation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFill:
    """An execution as the venue lists it: it names the venue's order and not ours."""

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


class Nature(StrEnum):
    """What a transaction without an order is for our books; a type that nobody classed is unknown."""

    TRANSFER = "transfer"
    INCOME = "income"
    INTERNAL = "internal"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTransfer:
    """Money that came in or went out by no order; negative = out. `kind` is the venue's own word for it.

    A transfer is neither profit nor loss, income is (also negative: a fee), internal stays within what we count as one.
    """

    transfer_id: str
    currency: str
    amount: Decimal
    nature: Nature
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOutcome:
    """The venue's word on one cancel; accepted means requested, not yet canceled."""

    venue_order_id: VenueOrderId
    is_accepted: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPermissions:
    """What the exchange key may do; a key that can transfer is refused."""

    can_view: bool
    can_trade: bool
    can_transfer: bool
    portfolio_id: str
    portfolio_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRules:
    """What the venue says of one product before anything is traded."""

    product: str
    quote_currency: str
    quote_min_size: Decimal
    is_tradable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Requests of the recent past as the venue took them; an answer that refuses a wish is no error.

    `budget_used` is the share of the rate budget that is spent.
    """

    requests: int
    errors: int
    budget_used: Decimal
