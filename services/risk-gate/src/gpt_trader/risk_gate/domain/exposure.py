"""Reservations: every approval that is not over counts at its worst case until a terminal report and all its fills."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.ids import ClientOrderId, DecisionId, IntentId, VenueOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.orders import Fill, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.portfolio import Portfolio


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One approved order as the gate follows it. `counted` is what fills have brought, `reported` what events claim.

    `status` None = approved, and the executor has not spoken of it yet. `is_answered` = the venue decided on it.
    """

    intent_id: IntentId
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId | None
    decision_id: DecisionId
    product: str
    side: Side
    purpose: Purpose
    strategy: str
    quantity: Decimal
    limit_price: Decimal
    mark: Decimal
    reserved: Decimal
    stop_price: Decimal | None
    target_price: Decimal | None
    epoch: int
    body_sha256: str
    approved_at: datetime
    expires_at: datetime
    is_stored: bool
    permitted_at: datetime | None
    is_answered: bool
    status: OrderStatus | None
    revision: int
    reported: Decimal
    counted: Decimal

    def is_in_flight(self, since: datetime) -> bool:
        """Whether the venue may still accept it: let out after `since`, with no definitive answer and no end."""
        is_open = self.status is None or not self.status.is_terminal
        return is_open and not self.is_answered and self.permitted_at is not None and self.permitted_at > since

    @property
    def remaining(self) -> Decimal:
        """Quantity that may still change the position."""
        is_ended = self.status is not None and self.status.is_terminal
        left = (self.reported if is_ended else self.quantity) - self.counted
        return max(left, ZERO)

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come of it: terminal, and every reported execution has arrived as a fill."""
        return self.status is not None and self.status.is_terminal and self.counted >= self.reported

    def explains(self, fill: Fill) -> bool:
        """Whether a fill is of the product and side that were approved."""
        return fill.product == self.product and fill.side is self.side

    @property
    def worst_notional(self) -> Decimal:
        """What the remaining quantity costs at its limit, fee included: its part of what was reserved."""
        if not self.counted and (self.status is None or not self.status.is_terminal):
            return self.reserved
        remaining = self.remaining
        return self.reserved if remaining == self.quantity else self.reserved * remaining / self.quantity


Approvals = Mapping[ClientOrderId, Approval]


def terms_of(client_order_id: str, product: str, side: Side) -> str:
    """Name what was approved under an id, for comparison with the venue's orders."""
    return f"{client_order_id}/{product}/{side}"


@dataclass(frozen=True, slots=True)
class Exposure:
    """At-risk notional: positions at mark plus every open buy at its worst; sells are never assumed to fill."""

    by_product: Mapping[str, Decimal]
    total: Decimal
    reserved: Decimal

    def of(self, product: str) -> Decimal:
        """Worst-case notional of one product."""
        return self.by_product.get(product, ZERO)

    def within(self, products: tuple[str, ...]) -> Decimal:
        """Worst-case notional of several products together."""
        return sum((self.by_product.get(product, ZERO) for product in products), ZERO)


def worst_case(portfolio: Portfolio, approvals: Approvals, marks: Mapping[str, Decimal]) -> Exposure:
    """Add up positions and reservations; raises KeyError for a held product without a mark."""
    by_product: dict[str, Decimal] = {}
    total = reserved = ZERO
    for product, holding in portfolio.holdings.items():
        if holding.quantity:
            by_product[product] = worth = abs(holding.quantity) * marks[product]
            total += worth
    for approval in approvals.values():
        if approval.side is Side.BUY:
            worst = approval.worst_notional
            by_product[approval.product] = by_product.get(approval.product, ZERO) + worst
            reserved += worst
    return Exposure(by_product, total + reserved, reserved)


def open_exits(approvals: Approvals, product: str) -> Decimal:
    """Quantity that open sells of a product may still take from the position."""
    taken = ZERO
    for approval in approvals.values():
        if approval.side is Side.SELL and approval.product == product:
            taken += approval.remaining
    return taken


def reserved_cash(approvals: Approvals) -> Decimal:
    """Cash that open buys may still take."""
    taken = ZERO
    for approval in approvals.values():
        if approval.side is Side.BUY:
            taken += approval.worst_notional
    return taken
