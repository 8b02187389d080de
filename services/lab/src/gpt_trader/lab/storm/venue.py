"""The venue: takes every create as a new order, however often it saw the id, and shows what it did when it likes."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from gpt_trader.contracts.ids import ClientOrderId, FillId, VenueOrderId
from gpt_trader.contracts.orders import FillKind, Liquidity, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.lab.storm.clock import StormClock
from gpt_trader.lab.storm.fate import Fate
from gpt_trader.lab.storm.timeline import ProcessLoop

FEE = Decimal("0.001")
LONGEST_HIDDEN = 0.45
"""Seconds in which an order that exists may be missing in every listing; below the executor's `visibility`."""
_LISTING_ODDS = {"hidden": 0.30}
_FILL_ODDS = {"shown late": 0.10}
_MATCH_ODDS = {"rests": 0.25, "nothing to take": 0.10, "in parts": 0.30}
_CANCEL_ODDS = {"late": 0.20, "lost": 0.10}
_STEP = Decimal("0.00000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution; the listings have it from `shown_at` on."""

    fill_id: FillId
    venue_order_id: VenueOrderId
    product: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at: datetime
    shown_at: datetime

    def listed(self) -> dict[str, Any]:
        """Return what a listing says of it: executor and gate read it into types of their own, field by field."""
        return {
            "fill_id": self.fill_id,
            "trade_id": self.fill_id,
            "venue_order_id": self.venue_order_id,
            "product": self.product,
            "side": self.side,
            "kind": FillKind.FILL,
            "quantity": self.quantity,
            "price": self.price,
            "fee": self.fee,
            "liquidity": Liquidity.TAKER,
            "occurred_at": self.at,
        }


@dataclass(slots=True, kw_only=True)
class Booked:
    """An order that the venue took."""

    venue_order_id: VenueOrderId
    client_order_id: ClientOrderId
    product: str
    side: Side
    quantity: Decimal
    limit_price: Decimal
    created_at: datetime
    updated_at: datetime
    shown_at: datetime
    status: OrderStatus = OrderStatus.OPEN
    filled: Decimal = Decimal(0)

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come of it."""
        return self.status.is_terminal


@dataclass(slots=True)
class StormVenue:
    """Books and balances; `on_accepted` and `on_changed` see every order the moment it comes to be or changes."""

    clock: StormClock
    loop: ProcessLoop
    fate: Fate
    on_accepted: Callable[[Booked, bytes], None]
    on_changed: Callable[[Booked], None]
    prices: dict[str, Decimal]
    cash: Decimal
    held: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[VenueOrderId, Booked] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)

    def create(self, body: bytes) -> bytes:
        """Take an order: a repeated client id makes a second one, as some venues do. Returns the answer's body."""
        asked = json.loads(body)
        (terms,) = asked["order_configuration"].values()
        now = self.clock.now()
        hidden = self.fate.strike("venue.listing", _LISTING_ODDS) is not None
        seconds = self.fate.seconds("venue.listing", 0.0, LONGEST_HIDDEN) if hidden else 0.0
        order = Booked(
            venue_order_id=VenueOrderId(f"venue-{len(self.orders) + 1}"),
            client_order_id=ClientOrderId(asked["client_order_id"]),
            product=asked["product_id"],
            side=Side.BUY if asked["side"] == "BUY" else Side.SELL,
            quantity=Decimal(terms["base_size"]),
            limit_price=Decimal(terms["limit_price"]),
            created_at=now,
            updated_at=now,
            shown_at=now + timedelta(seconds=seconds),
        )
        self.orders[order.venue_order_id] = order
        self.on_accepted(order, body)
        self._match(order)
        success = {"order_id": order.venue_order_id, "client_order_id": order.client_order_id}
        return json.dumps({"success": True, "success_response": success}).encode()

    def cancel(self, venue_order_id: VenueOrderId) -> None:
        """Ask an order to go; executions may overtake that, and some requests are forgotten."""
        order = self.orders.get(venue_order_id)
        fault = self.fate.strike("venue.cancel", _CANCEL_ODDS)
        if order is None or fault == "lost":
            return
        seconds = self.fate.seconds("venue.cancel", 0.05, 0.4) if fault == "late" else 0.001
        self.loop.later(seconds, self._end, order)

    def shown(self) -> list[Booked]:
        """Return the orders that listings have by now."""
        now = self.clock.now()
        return [order for order in self.orders.values() if order.shown_at <= now]

    def shown_executions(self) -> list[Execution]:
        """Return the executions that listings have by now, newest first as the venue does."""
        now = self.clock.now()
        return [one for one in reversed(self.executions) if one.shown_at <= now]

    def position(self, product: str) -> Decimal:
        """Return what is held of a product."""
        return self.held.get(product, Decimal(0))

    def _match(self, order: Booked) -> None:
        """Execute soon, or in parts over a while; what is left of it then is cancelled, as IOC asks."""
        fault = self.fate.strike("venue.match", _MATCH_ODDS)
        rest = self.fate.seconds("venue.match", 0.1, 0.8) if fault == "rests" else 0.002
        parts = 1 + self.fate.number("venue.match", 2) if fault in {"rests", "in parts"} else 1
        share = Decimal(self.fate.number("venue.match", 4)) / 4 if fault in {"rests", "in parts"} else Decimal(1)
        each = (order.quantity * share / parts).quantize(_STEP) if fault != "nothing to take" else Decimal(0)
        for part in range(parts):
            whole = each if share < 1 or part + 1 < parts else order.quantity - each * (parts - 1)
            if each:
                self.loop.later(rest * (part + 1) / (parts + 1), self._execute, order, whole)
        self.loop.later(rest, self._end, order)

    def _execute(self, order: Booked, quantity: Decimal) -> None:
        if order.is_over:
            return
        now, price = self.clock.now(), self.prices[order.product]
        late = self.fate.strike("venue.fills", _FILL_ODDS) is not None
        seconds = self.fate.seconds("venue.fills", 0.05, LONGEST_HIDDEN) if late else 0.0
        execution = Execution(
            fill_id=FillId(f"entry-{len(self.executions) + 1}"),
            venue_order_id=order.venue_order_id,
            product=order.product,
            side=order.side,
            quantity=quantity,
            price=price,
            fee=quantity * price * FEE,
            at=now,
            shown_at=now + timedelta(seconds=seconds),
        )
        self.executions.append(execution)
        self.cash -= order.side.sign * quantity * price + execution.fee
        self.held[order.product] = self.position(order.product) + order.side.sign * quantity
        order.filled += quantity
        order.updated_at = now
        if order.filled == order.quantity:
            order.status = OrderStatus.FILLED
        self.on_changed(order)

    def _end(self, order: Booked) -> None:
        if not order.is_over:
            order.status, order.updated_at = OrderStatus.CANCELED, self.clock.now()
            self.on_changed(order)
