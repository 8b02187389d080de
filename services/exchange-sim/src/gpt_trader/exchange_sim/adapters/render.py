"""Orders and fills as the venue writes them, for REST and for the user feed."""

from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from gpt_trader.exchange_sim.adapters.rest.wire import Json, ratio, text, timestamp
from gpt_trader.exchange_sim.domain.orders import (
    BRACKET_KINDS,
    GTD_KINDS,
    IMMEDIATE_KINDS,
    MARKET_KINDS,
    STOP_KINDS,
    ZERO,
    Fill,
    Order,
    OrderKind,
    Row,
    Side,
    Status,
    Terms,
)

NO_TIME = "0001-01-01T00:00:00Z"


def configuration_json(terms: Terms) -> Json:
    """Echo a configuration with the fields its kind has."""
    is_bracket = terms.kind in BRACKET_KINDS
    fields: Json = {
        name: text(amount)
        for name, amount in (
            ("quote_size", terms.quote_size),
            ("base_size", terms.base_size),
            ("limit_price", terms.limit_price),
            ("stop_trigger_price" if is_bracket else "stop_price", terms.stop_price),
        )
        if amount is not None
    }
    if terms.kind in {OrderKind.LIMIT_GTC, OrderKind.LIMIT_GTD}:
        fields["post_only"] = terms.post_only
    if terms.stop_direction is not None:
        fields["stop_direction"] = terms.stop_direction.value
    if terms.end_time is not None:
        fields["end_time"] = timestamp(terms.end_time)
    return {terms.kind.value: fields}


def order_type(order: Order) -> str:
    """Name the venue's order type."""
    terms = order.terms
    if order.request.is_liquidation:
        return "LIQUIDATION"
    if terms.kind in MARKET_KINDS:
        return "MARKET"
    if terms.kind in STOP_KINDS:
        return "STOP_LIMIT"
    return "BRACKET" if terms.kind in BRACKET_KINDS else "LIMIT"


def time_in_force(terms: Terms) -> str:
    """Name the venue's time in force."""
    if terms.kind in {OrderKind.LIMIT_FOK, OrderKind.MARKET_FOK}:
        return "FILL_OR_KILL"
    if terms.kind in IMMEDIATE_KINDS:
        return "IMMEDIATE_OR_CANCEL"
    return "GOOD_UNTIL_DATE_TIME" if terms.kind in GTD_KINDS else "GOOD_UNTIL_CANCELLED"


def completion(order: Order) -> Decimal:
    """Percentage filled, of the base quantity or of the budget."""
    if order.budget is not None:
        done = ratio((order.filled_value + order.fees) * 100, order.budget, "0.01")
        return Decimal(100) if order.status is Status.FILLED else done
    return ratio(order.filled * 100, order.size, "0.01")


def total_after_fees(order: Order) -> Decimal:
    """Money that changed hands, fees included."""
    return order.filled_value + (order.fees if order.side is Side.BUY else -order.fees)


def average_price(order: Order) -> Decimal:
    """Mean price of the fills, per unit of the underlying."""
    return ratio(order.filled_value, order.filled * (order.contract_size or 1))


def product_type(order: Order) -> str:
    """Name the kind of product an order trades."""
    return "FUTURE" if order.is_future else "SPOT"


def order_json(order: Order, user_id: str, portfolio_id: str) -> Json:
    """Render an order object of the REST API."""
    return {
        "order_id": order.order_id,
        "product_id": order.product_id,
        "user_id": user_id,
        "order_configuration": configuration_json(order.terms),
        "side": order.side.value,
        "client_order_id": order.request.client_order_id,
        "status": order.status.value,
        "time_in_force": time_in_force(order.terms),
        "created_time": timestamp(order.created_at),
        "completion_percentage": f"{completion(order):.2f}",
        "filled_size": text(order.filled),
        "average_filled_price": text(average_price(order)),
        "fee": "",
        "number_of_fills": str(order.fill_count),
        "filled_value": text(order.filled_value),
        "pending_cancel": order.status is Status.CANCEL_QUEUED,
        "size_in_quote": order.budget is not None,
        "total_fees": text(order.fees),
        "size_inclusive_of_fees": order.budget is not None,
        "total_value_after_fees": text(total_after_fees(order)),
        "trigger_status": order.trigger.value,
        "order_type": order_type(order),
        "reject_reason": "REJECT_REASON_UNSPECIFIED",
        "settled": order.status is Status.FILLED,
        "product_type": product_type(order),
        "reject_message": order.reject_message,
        "cancel_message": order.cancel_message,
        "order_placement_source": "RETAIL_ADVANCED",
        "outstanding_hold_amount": text(order.hold),
        "is_liquidation": order.request.is_liquidation,
        "last_fill_time": None if order.last_fill_at is None else timestamp(order.last_fill_at),
        "edit_history": _edits_json(order),
        "leverage": "",
        "margin_type": "CROSS" if order.is_future else "UNKNOWN_MARGIN_TYPE",
        "retail_portfolio_id": portfolio_id,
        "originating_order_id": order.originating_order_id,
        "attached_order_id": order.attached_order_id,
        "attached_order_configuration": (
            None if order.request.attached is None else configuration_json(order.request.attached)
        ),
        "workable_size": text(order.remaining if order.is_resting else ZERO),
        "last_update_time": timestamp(order.updated_at),
    }


def _edits_json(order: Order) -> list[Json]:
    return [
        {
            "price": text(edit.price),
            "size": text(edit.size),
            "replace_accept_timestamp": timestamp(edit.accepted_at),
        }
        for edit in order.edits[-5:]
    ]


def fill_json(fill: Fill, user_id: str, portfolio_id: str) -> Json:
    """Render a fill row."""
    return {
        "entry_id": sha256(_entry(fill).encode()).hexdigest(),
        "trade_id": fill.trade.trade_id,
        "order_id": fill.order_id,
        "trade_time": timestamp(fill.trade.at),
        "trade_type": fill.row.value,
        "price": text(fill.trade.price),
        "size": text(fill.trade.quantity),
        "commission": text(fill.commission),
        "product_id": fill.trade.product_id,
        "sequence_timestamp": timestamp(fill.trade.at),
        "liquidity_indicator": "MAKER" if fill.is_maker else "TAKER",
        "size_in_quote": False,
        "user_id": user_id,
        "side": fill.side.value,
        "retail_portfolio_id": portfolio_id,
        "fillSource": "FILL_SOURCE_CLOB",
    }


def _entry(fill: Fill) -> str:
    row = f"{fill.order_id}:{fill.trade.trade_id}"
    return row if fill.row is Row.FILL else f"{row}:{fill.sequence}"


def user_order_json(order: Order, portfolio_id: str) -> Json:
    """Render the cumulative order state of the user feed."""
    terms = order.terms
    leaves = ZERO if order.is_terminal else order.remaining
    end: datetime | None = terms.end_time
    return {
        "avg_price": text(average_price(order)),
        "cancel_reason": order.cancel_message,
        "client_order_id": order.request.client_order_id,
        "completion_percentage": text(completion(order)),
        "contract_expiry_type": "EXPIRING" if order.is_future else "UNKNOWN_CONTRACT_EXPIRY_TYPE",
        "cumulative_quantity": text(order.filled),
        "filled_value": text(order.filled_value),
        "leaves_quantity": text(leaves),
        "limit_price": text(terms.limit_price or ZERO),
        "number_of_fills": str(order.fill_count),
        "order_id": order.order_id,
        "order_side": order.side.value,
        "order_type": {"STOP_LIMIT": "Stop Limit"}.get(order_type(order), order_type(order).title()),
        "outstanding_hold_amount": text(order.hold),
        "post_only": "true" if terms.post_only else "false",
        "product_id": order.product_id,
        "product_type": product_type(order),
        "reject_reason": order.reject_message,
        "retail_portfolio_id": portfolio_id,
        "risk_managed_by": "MANAGED_BY_FCM" if order.is_future else "UNKNOWN_RISK_MANAGEMENT_TYPE",
        "status": order.status.value,
        "stop_price": text(terms.stop_price or ZERO),
        "time_in_force": time_in_force(terms),
        "total_fees": text(order.fees),
        "total_value_after_fees": text(total_after_fees(order)),
        "trigger_status": order.trigger.value,
        "creation_time": timestamp(order.created_at),
        "end_time": NO_TIME if end is None else timestamp(end),
        "start_time": NO_TIME,
    }
