"""Turn a request into a working order, and say beforehand what it would cost."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gpt_trader.exchange_sim.domain.clearing import protection_limit
from gpt_trader.exchange_sim.domain.fees import Fees
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.matching import Incoming, estimate, floor
from gpt_trader.exchange_sim.domain.orders import MARKET_KINDS, ZERO, Order, OrderRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Expected size and cost; `margin` is what a future takes instead of its price."""

    base_size: Decimal
    quote_size: Decimal
    commission: Decimal
    total: Decimal
    average: Decimal
    slippage: Decimal
    margin: Decimal | None = None


def draft(request: OrderRequest, listing: Listing, order_id: str, now: datetime) -> Order:
    """Resolve limit, base quantity and budget of a validated request."""
    terms = request.terms
    reference = listing.book.mid or listing.last_or_start()
    limit = terms.limit_price
    if limit is None:
        limit = protection_limit(reference, request.side, listing.product)
    size, budget = terms.base_size, None
    if size is None and terms.kind in MARKET_KINDS:
        size, budget = ZERO, terms.quote_size
    elif size is None:
        size = floor((terms.quote_size or ZERO) / limit, listing.product.base_increment)
    return Order(
        order_id=order_id,
        request=request,
        terms=terms,
        created_at=now,
        updated_at=now,
        visible_at=now,
        limit=limit,
        size=size,
        contract_size=None if listing.product.contract is None else listing.product.contract.size,
        budget=budget,
    )


def incoming_of(order: Order, listing: Listing, fees: Fees) -> Incoming:
    """Make the aggressor an order becomes, bounded by its limit and by price protection."""
    limit = order.limit
    mid = listing.book.mid
    if mid is not None:
        protected = protection_limit(mid, order.side, listing.product)
        limit = min(limit, protected) if order.side.value == "BUY" else max(limit, protected)
    budget = None if order.budget is None else order.budget - order.filled_value - order.fees
    return Incoming(
        owner=order.owner,
        side=order.side,
        limit=limit,
        remaining=order.remaining,
        budget=budget,
        fee_rate=fees.taker,
        increment=listing.product.base_increment,
    )


def preview_of(request: OrderRequest, listing: Listing, fees: Fees, now: datetime) -> Preview:
    """Estimate the cost at the current book; a resting part counts at its limit with the taker rate."""
    order = draft(request, listing, "", now)
    expected = estimate(listing.book, incoming_of(order, listing, fees))
    quantity, value = expected.quantity, expected.value
    if order.terms.kind not in MARKET_KINDS:
        resting = max(order.size - quantity, ZERO)
        quantity, value = quantity + resting, value + resting * order.limit
    value *= listing.product.multiplier
    commission = fees.commission(value, quantity, is_maker=False)
    mid = listing.book.mid
    average = expected.average or order.limit
    return Preview(
        base_size=quantity,
        quote_size=value,
        commission=commission,
        total=value + commission if request.side.value == "BUY" else value - commission,
        average=average,
        slippage=ZERO if mid is None or not expected.quantity else abs(expected.average / mid - 1),
    )
