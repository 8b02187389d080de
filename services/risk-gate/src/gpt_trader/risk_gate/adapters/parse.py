"""The venue's payloads in our words: a missing field is an error that names it, an unknown status is `unknown`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

import orjson

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.venue import Balance, CancelOutcome, KeyPermissions, ProductRules, VenueOrder

_ZERO = Decimal(0)
_MOST_PLACES = 60
"""Before or behind the point: what is beyond is finite, and yet the next multiplication would overflow."""
_MOST_TIME_DIGITS = 15
"""Of milliseconds: enough for thirty thousand years, and few enough to subtract."""
_SHOWN = 60
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
_STATUSES = {
    "PENDING": OrderStatus.OPEN,
    "QUEUED": OrderStatus.OPEN,
    "OPEN": OrderStatus.OPEN,
    "CANCEL_QUEUED": OrderStatus.OPEN,
    "EDIT_QUEUED": OrderStatus.OPEN,
    "FILLED": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "FAILED": OrderStatus.REJECTED,
}

Json = Mapping[str, object]


class NotUnderstood(Exception):
    """A payload of the venue lacks a field or holds something else there; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of orders and the cursor of the next; empty = this was the last."""

    orders: tuple[VenueOrder, ...]
    cursor: str


def document(body: bytes | str) -> Json:
    """Decode a JSON object."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise NotUnderstood(f"not JSON: {error}") from error
    return _as_object(decoded, "answer")


def orders_page(body: bytes, observed_at: datetime) -> Page:
    """Read a page of `orders/historical/batch`."""
    answer = document(body)
    orders = tuple(listed_order(entry, observed_at) for entry in objects(answer, "orders"))
    return Page(orders=orders, cursor=next_cursor(answer))


def accounts_page(body: bytes) -> tuple[list[Balance], str]:
    """Read a page of `accounts` and the next cursor."""
    answer = document(body)
    balances = []
    for account in objects(answer, "accounts"):
        hold = decimal(as_object(account, "hold"), "value")
        available = decimal(as_object(account, "available_balance"), "value")
        balances.append(Balance(currency=text(account, "currency"), total=available + hold, hold=hold))
    return balances, next_cursor(answer)


def cancel_outcomes(body: bytes) -> tuple[CancelOutcome, ...]:
    """Read the results of `orders/batch_cancel`."""
    return tuple(
        CancelOutcome(
            venue_order_id=VenueOrderId(text(result, "order_id")),
            is_accepted=boolean(result, "success"),
            reason=text(result, "failure_reason") if not boolean(result, "success") else "",
        )
        for result in objects(document(body), "results")
    )


def preview_refusals(body: bytes) -> tuple[str, ...]:
    """Read `errs` of `orders/preview`, which answers 200 also when it refuses."""
    refusals = _present(document(body), "errs")
    if not isinstance(refusals, list):
        raise NotUnderstood(f"errs: not a list: {refusals!r}")
    return tuple(str(refusal) for refusal in refusals)


def edit_refusal(body: bytes) -> str:
    """Read the answer of `orders/edit`: why the order stays as it is, empty if it is being changed."""
    answer = document(body)
    if boolean(answer, "success"):
        return ""
    reasons = [str(one.get("edit_failure_reason", "")) for one in objects(answer, "errors")]
    return ", ".join(reasons) or "refused_without_reason"


def key_permissions(body: bytes) -> KeyPermissions:
    """Read `key_permissions`."""
    answer = document(body)
    return KeyPermissions(
        can_view=boolean(answer, "can_view"),
        can_trade=boolean(answer, "can_trade"),
        can_transfer=boolean(answer, "can_transfer"),
        portfolio_id=text(answer, "portfolio_uuid"),
        portfolio_type=text(answer, "portfolio_type"),
    )


def product_rules(body: bytes) -> tuple[ProductRules, ...]:
    """Read `products`."""
    return tuple(
        ProductRules(
            product=text(entry, "product_id"),
            quote_currency=text(entry, "quote_currency_id"),
            quote_min_size=decimal(entry, "quote_min_size"),
            is_tradable=not (boolean(entry, "is_disabled") or boolean(entry, "trading_disabled")),
        )
        for entry in objects(document(body), "products")
    )


def epoch_milliseconds(body: bytes) -> int:
    """Read `time`."""
    value = text(document(body), "epochMillis")
    if not value.isdecimal() or len(value) > _MOST_TIME_DIGITS:
        raise NotUnderstood(f"epochMillis: {value[:_SHOWN]!r} is no time")
    return int(value)


def feed_orders(events: Json, observed_at: datetime) -> Iterator[VenueOrder]:
    """Read the order states of a `user` message."""
    for event in objects(events, "events"):
        for order in objects(event, "orders"):
            yield _feed_order(order, observed_at)


def listed_order(order: Json, observed_at: datetime) -> VenueOrder:
    """Read an order as listings and single requests show it."""
    configuration = as_object(order, "order_configuration")
    terms = _as_object(next(iter(configuration.values()), {}), "order_configuration.*")
    filled = _so_far(order, "filled_size")
    # An order sized in quote currency has no base quantity; what has filled is all that is known of it.
    quantity = decimal(terms, "base_size") if terms.get("base_size") else filled
    return _order(order, text(order, "side"), (quantity, filled), _prices(terms), observed_at)


def _feed_order(order: Json, observed_at: datetime) -> VenueOrder:
    filled = _so_far(order, "cumulative_quantity")
    # Leaves is 0 on terminal orders: their quantity reads as what was filled.
    quantity = filled + decimal(order, "leaves_quantity")
    return _order(order, text(order, "order_side"), (quantity, filled), _prices(order), observed_at)


def _order(
    order: Json,
    side: str,
    quantities: tuple[Decimal, Decimal],
    prices: tuple[Decimal | None, Decimal | None],
    observed_at: datetime,
) -> VenueOrder:
    if side not in SIDES:
        raise NotUnderstood(f"side: {side!r} is neither BUY nor SELL")
    quantity, filled = quantities
    status = _STATUSES.get(text(order, "status"), OrderStatus.UNKNOWN)
    if status is OrderStatus.OPEN and filled > _ZERO:
        status = OrderStatus.PARTIALLY_FILLED
    return VenueOrder(
        client_order_id=ClientOrderId(text(order, "client_order_id") if order.get("client_order_id") else ""),
        venue_order_id=VenueOrderId(text(order, "order_id")),
        product=text(order, "product_id"),
        side=SIDES[side],
        status=status,
        quantity=quantity,
        filled_quantity=filled,
        limit_price=prices[0],
        stop_price=prices[1],
        observed_at=observed_at,
        is_liquidation=order.get("is_liquidation") is True or str(order.get("order_type")).upper() == "LIQUIDATION",
    )


def _so_far(fields: Json, name: str) -> Decimal:
    """Read a filled quantity, which the venue leaves empty before the first fill."""
    return decimal(fields, name) if _present(fields, name) else _ZERO


def _prices(fields: Json) -> tuple[Decimal | None, Decimal | None]:
    """Read limit and trigger."""
    return _optional(fields, "limit_price"), _optional(fields, "stop_price")


def _optional(fields: Json, name: str) -> Decimal | None:
    """Read a price; the venue writes none as absent, "" or 0."""
    return (decimal(fields, name) or None) if fields.get(name) else None


def next_cursor(answer: Json) -> str:
    """Return where the next page begins; empty = there is none."""
    if not boolean(answer, "has_next"):
        return ""
    cursor = text(answer, "cursor")
    if not cursor:
        raise NotUnderstood("cursor: is empty although has_next is true")
    return cursor


def objects(fields: Json, name: str) -> list[Json]:
    """Return a list of objects."""
    value = _present(fields, name)
    if not isinstance(value, list):
        raise NotUnderstood(f"{name}: {type(value).__name__} is no list")
    return [_as_object(entry, name) for entry in value]


def text(fields: Json, name: str) -> str:
    """Return a text, possibly empty."""
    value = _present(fields, name)
    if not isinstance(value, str):
        raise NotUnderstood(f"{name}: {type(value).__name__} is no text")
    return value


def boolean(fields: Json, name: str) -> bool:
    """Return a truth value."""
    value = _present(fields, name)
    if not isinstance(value, bool):
        raise NotUnderstood(f"{name}: {type(value).__name__} is no boolean")
    return value


def whole_number(fields: Json, name: str) -> int:
    """Return a JSON integer."""
    value = _present(fields, name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotUnderstood(f"{name}: {type(value).__name__} is no whole number")
    return value


def as_object(fields: Json, name: str) -> Json:
    """Return an object inside another."""
    return _as_object(_present(fields, name), name)


def decimal(fields: Json, name: str) -> Decimal:
    """Return an exact amount that can be counted with; the venue writes amounts as text."""
    spelled = text(fields, name)
    try:
        amount = Decimal(spelled)
    except InvalidOperation:
        raise NotUnderstood(f"{name}: {spelled!r} is no decimal") from None
    if not amount.is_finite() or abs(amount.adjusted()) > _MOST_PLACES:
        raise NotUnderstood(f"{name}: {spelled[:_SHOWN]!r} is no amount")
    return amount


def _present(fields: Json, name: str) -> object:
    if name not in fields:
        raise NotUnderstood(f"{name}: is missing")
    return fields[name]


def _as_object(value: object, name: str) -> Json:
    if not isinstance(value, dict):
        raise NotUnderstood(f"{name}: {type(value).__name__} is no object")
    return value
