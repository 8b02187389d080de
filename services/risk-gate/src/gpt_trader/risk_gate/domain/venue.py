"""What the venue says, in our words; adapters parse foreign payloads into these."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.orders import OrderStatus
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

    `client_order_id` is empty for an order that was made without one, `limit_price` None for one without a limit.
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
