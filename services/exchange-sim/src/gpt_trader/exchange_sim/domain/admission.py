"""Whether an order may come in: what it says, then whether its owner can pay for it."""

from datetime import datetime

from gpt_trader.exchange_sim.domain.clearing import Clearing
from gpt_trader.exchange_sim.domain.desk import FuturesDesk
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.orders import Order, OrderRequest
from gpt_trader.exchange_sim.domain.products import Product
from gpt_trader.exchange_sim.domain.validation import Refusal, Situation, refuse, validate


def request_refusal(request: OrderRequest, listing: Listing, now: datetime) -> Refusal | None:
    """Return what is wrong with a request, whoever makes it."""
    situation = Situation(
        request=request,
        product=listing.product,
        book=listing.book,
        last=listing.last,
        open_orders=listing.open_orders,
        now=now,
    )
    return validate(situation)


def funding_refusal(order: Order, product: Product, clearing: Clearing, desk: FuturesDesk) -> Refusal | None:
    """Return why its owner can't have this order: money, margin, or a position that it would not only close."""
    if order.is_future:
        return _futures_refusal(order, product, clearing, desk)
    if not clearing.can_hold(order, product):
        return refuse("INSUFFICIENT_FUND", "Insufficient balance in source account")
    return None


def _futures_refusal(order: Order, product: Product, clearing: Clearing, desk: FuturesDesk) -> Refusal | None:
    position = desk.position(order.owner, order.product_id)
    if order.request.is_closing and (position is None or order.size > abs(position.contracts)):
        return refuse("REDUCE_ONLY_INCREASED_POSITION_SIZE", "more than the position")
    if not order.request.is_closing and desk.is_liquidating(order.owner):
        return refuse("IN_LIQUIDATION", "the account is below maintenance margin")
    if not clearing.can_hold(order, product):
        message = "Insufficient margin in the futures account"
        return Refusal("INSUFFICIENT_FUNDS", "PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES", message)
    return None
