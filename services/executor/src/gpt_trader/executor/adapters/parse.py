"""The venue's JSON as our types; what does not fit raises ValueError naming field and reason."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from gpt_trader.contracts.ids import ClientOrderId, FillId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.message import Amount, Instant, NonNegative, Positive
from gpt_trader.contracts.orders import WOULD_TAKE, FillKind, Liquidity, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.executor.domain.submission import Created, CreateReply, Declined, ErrorStatus, Unreadable
from gpt_trader.executor.domain.venue import VenueFill, VenueOrder

Json = Mapping[str, Any]
_SMALLEST = Decimal("1E-8")


def _blank_is_zero(value: object) -> object:
    """Read a blank filled size as the venue means it: no fills yet. No price passes through here."""
    return "0" if value == "" else value


class _Foreign(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Order(_Foreign):
    order_id: Annotated[VenueOrderId, Field(min_length=1)]
    client_order_id: ClientOrderId = ClientOrderId("")
    product_id: str
    status: str
    filled_size: Annotated[NonNegative, BeforeValidator(_blank_is_zero)]
    created_time: Instant
    last_update_time: Instant | None = None
    last_fill_time: Instant | None = None
    reject_message: str = ""
    cancel_message: str = ""


class _Orders(_Foreign):
    orders: list[_Order]
    has_next: bool
    cursor: str = ""


class _OneOrder(_Foreign):
    order: _Order


class _Fill(_Foreign):
    entry_id: Annotated[FillId, Field(min_length=1)]
    trade_id: str
    order_id: VenueOrderId
    trade_time: Instant
    trade_type: Literal["FILL", "SYNTHETIC", "REVERSAL", "CORRECTION"]
    price: Positive
    size: Positive
    commission: Amount
    product_id: str
    liquidity_indicator: str = ""
    size_in_quote: bool
    side: Literal["BUY", "SELL"]


class _Fills(_Foreign):
    fills: list[_Fill]
    cursor: str


class _Success(_Foreign):
    order_id: Annotated[VenueOrderId, Field(min_length=1)]
    client_order_id: ClientOrderId


class _Failure(_Foreign):
    error: str = ""
    preview_failure_reason: str = ""
    new_order_failure_reason: str = ""


class _Created(_Foreign):
    success: Literal[True]
    success_response: _Success


class _Declined(_Foreign):
    success: Literal[False]
    error_response: _Failure = _Failure()


class _Problem(_Foreign):
    error: str = ""
    error_details: str = ""
    message: str = ""


class _UserOrder(_Foreign):
    order_id: Annotated[VenueOrderId, Field(min_length=1)]
    client_order_id: str


class _UserEvent(_Foreign):
    orders: list[_UserOrder] = []


class _Frame(_Foreign):
    channel: str = ""
    sequence_num: int | None = None
    type: str = ""
    message: str = ""
    events: list[dict[str, Any]] = []


_CREATE: TypeAdapter[_Created | _Declined] = TypeAdapter(_Created | _Declined)
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
"""FAILED = the venue took the order and refused it afterwards; every other word is unknown."""
_KINDS = {"REVERSAL": FillKind.REVERSAL, "CORRECTION": FillKind.CORRECTION}
_LIQUIDITY = {"MAKER": Liquidity.MAKER, "TAKER": Liquidity.TAKER}
_NOTHING_SAID = "refused_without_reason"
_POST_ONLY = "LIMIT_PRICE_POST_ONLY"
_NO_REASON = frozenset({"", "UNKNOWN_FAILURE_REASON"})


class Frame(BaseModel):
    """A message of the user channel: its place, the orders it names, and an error text if it is one."""

    model_config = ConfigDict(frozen=True)

    sequence: int | None
    orders: tuple[tuple[str, VenueOrderId], ...]
    error: str


def binds(intent: ApprovedIntent) -> bool:
    """Whether the body names this order, and the JSON library will spell it the same when it is sent."""
    try:
        body = json.loads(intent.body)
    except ValueError:
        return False
    if not isinstance(body, dict) or json.dumps(body) != intent.body:
        return False
    named = (body.get("client_order_id"), body.get("product_id"), body.get("side"))
    return named == (intent.client_order_id, intent.product, intent.side.value.upper())


def create_reply(body: object) -> CreateReply:
    """Read the body of HTTP 200: created, declined, or nothing we understand."""
    try:
        answer = _CREATE.validate_python(body)
    except ValueError as error:
        return Unreadable(detail=str(error))
    match answer:
        case _Created():
            success = answer.success_response
            return Created(venue_order_id=success.order_id, client_order_id=success.client_order_id)
        case _Declined():
            failure = answer.error_response
            reasons = (failure.preview_failure_reason, failure.error, failure.new_order_failure_reason)
            return Declined(reason=_said(next((one for one in reasons if one not in _NO_REASON), _NOTHING_SAID)))


def error_status(status: int, text: str) -> ErrorStatus:
    """Read an HTTP error; a body that is not the venue's JSON has no words for us."""
    try:
        problem = _Problem.model_validate_json(text)
    except ValueError:
        problem = _Problem()
    return ErrorStatus(status=status, error=problem.error, details=problem.error_details or problem.message)


def one_order(body: object) -> VenueOrder:
    """Read the answer to a request for one order."""
    return _order(_OneOrder.model_validate(body).order)


def orders_page(body: object) -> tuple[list[VenueOrder], str | None]:
    """Read a page of orders and the cursor of the next one; None = this was the last."""
    page = _Orders.model_validate(body)
    if page.has_next and not page.cursor:
        raise ValueError("cursor: empty although has_next is true")
    return [_order(order) for order in page.orders], page.cursor if page.has_next else None


def fills_page(body: object) -> tuple[list[VenueFill], str | None]:
    """Read a page of fills and the cursor of the next one; None = this was the last."""
    page = _Fills.model_validate(body)
    return [_fill(fill) for fill in page.fills], page.cursor or None


def frame(text: str | bytes) -> Frame:
    """Read a message of the user channel; raises ValueError for what is none."""
    raw = _Frame.model_validate_json(text)
    events = [_UserEvent.model_validate(event) for event in raw.events] if raw.channel == "user" else []
    return Frame(
        sequence=raw.sequence_num,
        orders=tuple((order.client_order_id, order.order_id) for event in events for order in event.orders),
        error=raw.message if raw.type == "error" else "",
    )


def venue_time(at: datetime) -> str:
    """Spell a time as the venue's filters want it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _order(raw: _Order) -> VenueOrder:
    times = [time for time in (raw.created_time, raw.last_fill_time, raw.last_update_time) if time is not None]
    return VenueOrder(
        venue_order_id=raw.order_id,
        client_order_id=raw.client_order_id,
        product=raw.product_id,
        status=_STATUSES.get(raw.status, OrderStatus.UNKNOWN),
        filled_quantity=raw.filled_size,
        reason=_said(raw.reject_message or raw.cancel_message),
        created_at=raw.created_time,
        updated_at=max(times),
    )


def _said(reason: str) -> str:
    """Put the one reason that is acted on into our words; the venue's own stays readable behind them."""
    return f"{WOULD_TAKE}: {reason}" if _POST_ONLY in reason else reason


def _fill(raw: _Fill) -> VenueFill:
    quantity = (raw.size / raw.price).quantize(_SMALLEST) if raw.size_in_quote else raw.size
    return VenueFill(
        fill_id=raw.entry_id,
        trade_id=raw.trade_id,
        venue_order_id=raw.order_id,
        product=raw.product_id,
        side=Side.BUY if raw.side == "BUY" else Side.SELL,
        kind=_KINDS.get(raw.trade_type, FillKind.FILL),
        quantity=quantity,
        price=raw.price,
        fee=raw.commission,
        liquidity=_LIQUIDITY.get(raw.liquidity_indicator, Liquidity.UNKNOWN),
        occurred_at=raw.trade_time,
    )
