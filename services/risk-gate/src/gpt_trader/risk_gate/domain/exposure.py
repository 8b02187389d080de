"""Reservations: every approval that is not over counts at its worst case until a terminal report and all its fills."""

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.ids import ClientOrderId, DecisionId, IntentId, VenueOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import is_future
from gpt_trader.contracts.orders import Fill, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.policy.execution import BRACKETS
from gpt_trader.risk_gate.domain.portfolio import Portfolio


@dataclass(frozen=True, slots=True)
class Amending:
    """What an order may be at the venue, besides what it was, since it was asked for."""

    quantity: Decimal
    limit_price: Decimal
    stop_price: Decimal | None
    asked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One approved order as the gate follows it. `counted` is what fills have brought, `reported` what events claim.

    `status` None = approved, and the executor has not spoken of it yet. `is_answered` = the venue decided on it.
    `trigger_price` = it is a stop at the venue; `stop_price` and `target_price` are the plan of an entry's position.
    `is_fixed` = the venue did not change it when it was asked to.
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
    contract_size: Decimal | None = None
    limit_price: Decimal
    mark: Decimal
    reserved: Decimal
    stop_price: Decimal | None
    target_price: Decimal | None
    epoch: int
    policy_version: str
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
    trigger_price: Decimal | None = None
    form: OrderForm = OrderForm.LIMIT_IOC
    cancel_asked_at: datetime | None = None
    amending: Amending | None = None
    is_fixed: bool = False

    @property
    def is_stop(self) -> bool:
        """Whether it waits at the venue for its trigger."""
        return self.trigger_price is not None

    @property
    def is_in_motion(self) -> bool:
        """Whether it is more than a stop that waits, which changes no balance until it triggers."""
        return self.trigger_price is None or self.status is not OrderStatus.OPEN or self.form in BRACKETS

    def is_in_flight(self, since: datetime) -> bool:
        """Whether the venue may still accept it: let out after `since`, with no definitive answer and no end."""
        is_open = self.status is None or not self.status.is_terminal
        return is_open and not self.is_answered and self.permitted_at is not None and self.permitted_at > since

    @property
    def most(self) -> Decimal:
        """Quantity that it may execute: the larger size while an amendment is not settled."""
        return self.quantity if self.amending is None else max(self.quantity, self.amending.quantity)

    @property
    def remaining(self) -> Decimal:
        """Quantity that may still change the position."""
        is_ended = self.status is not None and self.status.is_terminal
        left = (self.reported if is_ended else self.most) - self.counted
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


FATE_UNKNOWN = frozenset({None, OrderStatus.SUBMITTING, OrderStatus.UNKNOWN})
"""Where an order stands of which nobody has said whether the venue took it."""
_AT_VENUE = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


@dataclass(frozen=True, slots=True)
class Reserved:
    """What the open orders of spot were promised, at their worst, by product and side; `cash` is that of all buys."""

    buys: dict[str, Decimal]
    sells: dict[str, Decimal]
    cash: Decimal


@dataclass(frozen=True)
class Approvals:
    """Every order that is not over. What all of them make together is added up once, for they never change."""

    by_id: Mapping[ClientOrderId, Approval] = field(default_factory=dict)

    def __contains__(self, key: object) -> bool:
        return key in self.by_id

    def __getitem__(self, key: ClientOrderId) -> Approval:
        return self.by_id[key]

    def __iter__(self) -> Iterator[ClientOrderId]:
        return iter(self.by_id)

    def __len__(self) -> int:
        return len(self.by_id)

    def get(self, key: ClientOrderId) -> Approval | None:
        """Return an order unless it is over."""
        return self.by_id.get(key)

    def values(self) -> ValuesView[Approval]:
        """Return the orders, the oldest first."""
        return self.by_id.values()

    def items(self) -> ItemsView[ClientOrderId, Approval]:
        """Return the orders with their ids, the oldest first."""
        return self.by_id.items()

    def having(self, approval: Approval) -> "Approvals":
        """Return them with one more, or with one as it is by now."""
        return Approvals({**self.by_id, approval.client_order_id: approval})

    def without(self, key: ClientOrderId) -> "Approvals":
        """Return them but for one."""
        return Approvals({known: kept for known, kept in self.by_id.items() if known != key})

    def of(self, product: str) -> tuple[Approval, ...]:
        """Return the orders of one product."""
        return self.by_product.get(product, ())

    @cached_property
    def by_product(self) -> Mapping[str, tuple[Approval, ...]]:
        """The orders of each product that has any."""
        found: dict[str, list[Approval]] = {}
        for approval in self.by_id.values():
            found.setdefault(approval.product, []).append(approval)
        return {product: tuple(orders) for product, orders in found.items()}

    @cached_property
    def in_motion(self) -> tuple[Approval, ...]:
        """What may execute at any moment."""
        return tuple([one for one in self.by_id.values() if one.is_in_motion])

    @cached_property
    def futures(self) -> tuple[Approval, ...]:
        """The orders of futures."""
        return tuple([one for one in self.by_id.values() if is_future(one.product)])

    @cached_property
    def spot(self) -> Reserved:
        """Add up the orders of spot."""
        buys: dict[str, Decimal] = {}
        sells: dict[str, Decimal] = {}
        cash = ZERO
        for approval in self.by_id.values():
            product, is_buy = approval.product, approval.side is Side.BUY
            if not is_future(product):
                at_most = approval.worst_notional
                side = buys if is_buy else sells
                side[product] = side.get(product, ZERO) + at_most
                cash = cash + at_most if is_buy else cash
        return Reserved(buys, sells, cash)


def terms_of(client_order_id: str, product: str, side: Side) -> str:
    """Name what was approved under an id, for comparison with the venue's orders."""
    return f"{client_order_id}/{product}/{side}"


@dataclass(frozen=True, slots=True)
class Sides:
    """How long, and how short, a product may become through its open orders; notional, neither below zero."""

    long: Decimal
    short: Decimal


@dataclass(frozen=True, slots=True)
class Exposure:
    """At-risk notional per product: the largest that any subset of its open orders, filled, could make of it.

    `net` are the positions alone, shorts taken off; `reserved` is what open orders add to the positions as they stand,
    `cash` what open buys of spot may still take.
    """

    by_product: Mapping[str, Decimal]
    net: Decimal
    total: Decimal
    reserved: Decimal
    cash: Decimal
    futures: Mapping[str, Sides]

    def of(self, product: str) -> Decimal:
        """Worst-case notional of one product."""
        return self.by_product.get(product, ZERO)

    def within(self, products: tuple[str, ...]) -> Decimal:
        """Worst-case notional of several products together."""
        return sum((self.by_product.get(product, ZERO) for product in products), ZERO)


def worst_case(worths: Mapping[str, Decimal], approvals: Approvals, marks: Mapping[str, Decimal]) -> Exposure:
    """Add up what is held, by its worth, and open orders.

    The absolute position is convex in what fills, so its largest is at one end: all buys filled, or all sells.
    """
    spot = approvals.spot
    buys, sells = (dict(spot.buys), dict(spot.sells)) if approvals.futures else (spot.buys, spot.sells)
    for approval in approvals.futures:
        side = buys if approval.side is Side.BUY else sells
        side[approval.product] = side.get(approval.product, ZERO) + _at_most(approval, marks)
    by_product = {name: abs(worth) for name, worth in worths.items()}
    held = sum(by_product.values(), ZERO)
    futures = {name: Sides(max(worth, ZERO), max(-worth, ZERO)) for name, worth in worths.items() if is_future(name)}
    for name in {**buys, **sells}:
        worth = worths.get(name, ZERO)
        long, short = worth + buys.get(name, ZERO), sells.get(name, ZERO) - worth
        by_product[name] = max(long, short)
        if is_future(name):
            futures[name] = Sides(max(long, ZERO), max(short, ZERO))
    worst = sum(by_product.values(), ZERO)
    return Exposure(by_product, sum(worths.values(), ZERO), worst, worst - held, spot.cash, futures)


def _at_most(approval: Approval, marks: Mapping[str, Decimal]) -> Decimal:
    """Return what a future's order may add to its side; an exit counts, for an entry beyond it may fill as well."""
    if approval.purpose.is_entry:
        return approval.worst_notional
    return approval.remaining * marks.get(approval.product, approval.limit_price)


def at_risk(portfolio: Portfolio, approvals: Approvals) -> frozenset[str]:
    """Name the products that are held or ordered."""
    held = {product for product, holding in portfolio.holdings.items() if holding.quantity}
    return frozenset(held.union(approvals.by_product))


def open_exits(orders: Iterable[Approval]) -> Decimal:
    """Quantity that open exits among a product's orders may still take from the position."""
    return sum((one.remaining for one in orders if not one.purpose.is_entry), ZERO)


def stops_of(approvals: Approvals, product: str) -> tuple[Approval, ...]:
    """Return the stops of a product that are not over, wherever they are on their way."""
    return tuple(one for one in approvals.of(product) if one.is_stop)


def resting(approvals: Approvals, product: str) -> tuple[Approval, ...]:
    """Return what may stay at the venue for long and is not over: all of it goes before anything exits the product."""
    return tuple(one for one in approvals.of(product) if one.form.rests)


def resting_stop(approvals: Approvals, product: str) -> Approval | None:
    """Return the stop that works at the venue for a product, if nobody wants it gone."""
    for approval in stops_of(approvals, product):
        if approval.status in _AT_VENUE and approval.cancel_asked_at is None:
            return approval
    return None
