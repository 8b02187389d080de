"""An order, and a change of one, as the gate decides them; a venue's adapter spells the bytes that are approved."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.shape import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """An order as the venue counts it: `quantity` of a future is contracts, on `increment`.

    `limit_price` of a bracket is its take-profit, `stop_price` the trigger of what waits for one.
    """

    product: str
    side: Side
    quantity: Decimal
    increment: Decimal
    limit_price: Decimal
    stop_price: Decimal | None
    shape: Shape
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an order that rests is to be from now on, whole: price and size; `stop_price` None = its trigger stays."""

    venue_order_id: VenueOrderId
    limit_price: Decimal
    quantity: Decimal
    stop_price: Decimal | None


class NoBody(Exception):
    """A form that this venue is never sent, or that lacks what it is made of: the checks deny it, so it is a bug."""


class Spelling(Protocol):
    """How a venue wants to be told. Pure: a decision that is made again has the same bytes (I10); raises NoBody."""

    def create(self, ticket: Ticket, client_id: ClientOrderId | None) -> str:
        """Spell the request that makes this order; a preview has no client id."""
        ...

    def edit(self, change: Change) -> str:
        """Spell the request that changes an order where it rests."""
        ...
