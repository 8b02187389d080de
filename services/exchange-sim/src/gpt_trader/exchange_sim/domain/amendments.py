"""Whether an order may be changed or cancelled, in the venue's words."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gpt_trader.exchange_sim.domain.clearing import Clearing
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.orders import EDITABLE_KINDS, Edit, Order, Side, Status, Trigger
from gpt_trader.exchange_sim.domain.validation import crosses


def cancel_refusal(order: Order | None, listings: Mapping[str, Listing], now: datetime) -> str | None:
    """Return why an order can't be cancelled; None if it can."""
    if order is None:
        return "UNKNOWN_CANCEL_ORDER"
    if order.status is Status.FILLED:
        return "ORDER_IS_FULLY_FILLED"
    if order.is_terminal:
        return "INVALID_CANCEL_REQUEST"
    if order.status is Status.CANCEL_QUEUED:
        return "DUPLICATE_CANCEL_REQUEST"
    contract = listings[order.product_id].product.contract
    is_shut = contract is not None and not contract.is_open(now)
    return "INVALID_CANCEL_FCM_TRADING_SESSION" if is_shut else None


def amendment_refusal(order: Order, edit: Edit, listing: Listing, clearing: Clearing) -> str | None:
    """Return why the order can't have these prices and this size, in the venue's words; None if it can."""
    price, size, stop = edit.price, edit.size, edit.stop_price or order.terms.stop_price
    rules = (
        (not order.is_future, "CANNOT_EDIT_FUTURES_ORDER"),
        (order.status is Status.OPEN, "ONLY_OPEN_ORDERS_CAN_BE_EDITED"),
        (order.terms.kind in EDITABLE_KINDS, "ONLY_LIMIT_ORDER_EDITS_SUPPORTED"),
        (order.terms.base_size is not None, "SIZE_IN_QUOTE_EDITS_NOT_ALLOWED"),
        (
            (price, size, stop) != (order.limit, order.size, order.terms.stop_price),
            "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST",
        ),
        (size > order.filled, "CANNOT_EDIT_TO_BELOW_FILLED_SIZE"),
        (edit.stop_price is None or _may_trigger_at(order, edit, listing), "INVALID_EDITED_PRICE"),
    )
    for is_met, reason in rules:
        if not is_met:
            return reason
    return _terms_refusal(order, price, size, listing, clearing)


def _may_trigger_at(order: Order, edit: Edit, listing: Listing) -> bool:
    """Whether a trigger fits: of an order that waits for one, not reached yet, and on the limit's right side."""
    stop, last = edit.stop_price, listing.last
    if stop is None or order.trigger is not Trigger.WAITING or stop <= 0 or stop % listing.product.price_increment:
        return False
    if order.side is Side.SELL:
        return edit.price <= stop and (last is None or stop < last)
    return edit.price >= stop and (last is None or stop > last)


def _terms_refusal(order: Order, price: Decimal, size: Decimal, listing: Listing, clearing: Clearing) -> str | None:
    product = listing.product
    if price <= 0 or price % product.price_increment:
        return "INVALID_EDITED_PRICE"
    if size % product.base_increment or not product.base_min_size <= size <= product.base_max_size:
        return "INVALID_EDITED_SIZE"
    if order.terms.post_only and crosses(listing.book, order.side, price):
        return "INVALID_EDITED_PRICE"
    edited = replace(order, limit=price, size=size)
    return None if clearing.can_hold(edited, product) else "COMMANDER_REJECTED_EDIT_ORDER"
