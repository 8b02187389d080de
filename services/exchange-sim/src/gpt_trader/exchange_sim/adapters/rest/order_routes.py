"""Create, preview, edit and cancel orders; read orders and fills back."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from gpt_trader.exchange_sim.adapters.keys import Scope
from gpt_trader.exchange_sim.adapters.render import (
    configuration_json,
    fill_json,
    order_json,
    order_type,
    product_type,
    time_in_force,
)
from gpt_trader.exchange_sim.adapters.rest.account_routes import portfolio_id, user_id
from gpt_trader.exchange_sim.adapters.rest.bodies import (
    CancelBody,
    ClosePositionBody,
    CreateBody,
    EditBody,
    PreviewBody,
    request_of,
)
from gpt_trader.exchange_sim.adapters.rest.market_routes import PREFIX
from gpt_trader.exchange_sim.adapters.rest.wire import Call, Json, Refused, Reply, Route, invalid, text
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, Fill, Order, OrderKind, OrderRequest, Side, Terms
from gpt_trader.exchange_sim.domain.validation import Refusal, refuse
from gpt_trader.exchange_sim.domain.venue import Accepted

MAX_CANCELS = 100
PAGE = 1000
Item = TypeVar("Item", Order, Fill)


def order_routes() -> list[Route]:
    """List the routes about orders."""
    trade, view = Scope.TRADE, Scope.VIEW
    table = (
        ("POST", "/orders", trade, _create),
        ("POST", "/orders/preview", view, _preview),
        ("POST", "/orders/edit", trade, _edit),
        ("POST", "/orders/edit_preview", trade, _edit_preview),
        ("POST", "/orders/batch_cancel", trade, _batch_cancel),
        ("POST", "/orders/close_position", trade, _close_position),
        ("GET", "/orders/historical/batch", view, _orders),
        ("GET", "/orders/historical/fills", view, _fills),
        ("GET", "/orders/historical/{order_id}", view, _order),
    )
    return [
        Route(method=method, path=PREFIX + path, scope=scope, answer=answer) for method, path, scope, answer in table
    ]


def _create(call: Call) -> Reply:
    body = call.body(CreateBody)
    return place(call, request_of(body, body.client_order_id))


def place(call: Call, request: OrderRequest) -> Reply:
    """Create an order and answer in the venue's shape; the echo is always the request's."""
    venue = call.floor.venue
    if request.product_id not in venue.listings:
        return _refused(refuse("INVALID_PRODUCT_ID"), configuration_json(request.terms))
    return _answered(call, request, venue.create(request, call.now), configuration_json(request.terms))


def _answered(call: Call, request: OrderRequest, outcome: Accepted | Refusal, echo: Json) -> Reply:
    call.floor.publish()
    if isinstance(outcome, Refusal):
        return _refused(outcome, echo)
    return Reply(
        body={
            "success": True,
            "success_response": {
                "order_id": outcome.order_id,
                "product_id": request.product_id,
                "side": call.floor.venue.orders[outcome.order_id].side.value,
                "client_order_id": request.client_order_id,
                "attached_order_id": "",
            },
            "order_configuration": echo,
        }
    )


def _refused(refusal: Refusal, echo: Json) -> Reply:
    return Reply(
        body={
            "success": False,
            "error_response": {
                "error": refusal.reason,
                "message": refusal.message,
                "error_details": "",
                "preview_failure_reason": refusal.preview,
                "new_order_failure_reason": refusal.reason,
            },
            "order_configuration": echo,
        }
    )


def _preview(call: Call) -> Reply:
    request = request_of(call.body(PreviewBody), "")
    listing = call.listing(request.product_id)
    preview, refusal = call.floor.venue.preview(request, call.now)
    return Reply(
        body={
            "order_total": text(preview.total),
            "commission_total": text(preview.commission),
            "errs": [] if refusal is None else [refusal.preview],
            "warning": [],
            "quote_size": text(preview.quote_size),
            "base_size": text(preview.base_size),
            "best_bid": text(listing.book.bids.best),
            "best_ask": text(listing.book.asks.best),
            "is_max": False,
            "order_margin_total": text(preview.margin),
            "leverage": "",
            "slippage": text(preview.slippage.quantize(Decimal("0.00000001"))),
            "preview_id": call.floor.venue.id_of("preview", f"{call.now}{request.side}{request.terms}"),
            "est_average_filled_price": text(preview.average.quantize(Decimal("0.00000001"))),
        }
    )


def _edit(call: Call) -> Reply:
    body = call.body(EditBody)
    reason = call.floor.venue.edit(body.order_id, body.price, body.size, call.now)
    call.floor.publish()
    return Reply(body={"success": reason is None, "errors": _edit_errors(reason)})


def _edit_errors(reason: str | None) -> list[Json]:
    if reason is None:
        return []
    return [{"edit_failure_reason": reason, "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON"}]


def _edit_preview(call: Call) -> Reply:
    body = call.body(EditBody)
    venue = call.floor.venue
    reason = venue.edit_refusal(body.order_id, body.price, body.size)
    order = venue.orders.get(body.order_id)
    bid = ask = None
    value = body.price * body.size
    if order is not None:
        book = venue.listings[order.product_id].book
        bid, ask = book.bids.best, book.asks.best
    return Reply(
        body={
            "errors": _edit_errors(reason),
            "slippage": "0",
            "order_total": text(value * (1 + venue.clearing.fees.taker)),
            "commission_total": text(value * venue.clearing.fees.taker),
            "quote_size": text(value),
            "base_size": text(body.size),
            "best_bid": text(bid),
            "best_ask": text(ask),
            "average_filled_price": text(body.price),
            "order_margin_total": "",
        }
    )


def _batch_cancel(call: Call) -> Reply:
    order_ids = call.body(CancelBody).order_ids
    if not 1 <= len(order_ids) <= MAX_CANCELS:
        raise invalid(f"order_ids: between 1 and {MAX_CANCELS} ids are allowed, got {len(order_ids)}")
    results: list[Json] = []
    for order_id in order_ids:
        reason = call.floor.venue.cancel(order_id, call.now)
        results.append(
            {
                "success": reason is None,
                "failure_reason": reason or "UNKNOWN_CANCEL_FAILURE_REASON",
                "order_id": order_id,
            }
        )
    call.floor.publish()
    return Reply(body={"results": results})


def _close_position(call: Call) -> Reply:
    body = call.body(ClosePositionBody)
    venue = call.floor.venue
    listing = venue.listings.get(body.product_id)
    if listing is None:
        return _refused(refuse("INVALID_PRODUCT_ID"), {})
    if listing.product.contract is None:
        return _refused(refuse("REDUCE_ONLY_NOT_ALLOWED_ON_SPOT_PRODUCTS", "only futures positions can be closed"), {})
    request = OrderRequest(
        client_order_id=body.client_order_id,
        product_id=body.product_id,
        side=Side.SELL,
        terms=Terms(kind=OrderKind.MARKET_IOC, base_size=body.size),
    )
    outcome = venue.close_position(request, call.now)
    terms = request.terms if isinstance(outcome, Refusal) else venue.orders[outcome.order_id].terms
    return _answered(call, request, outcome, configuration_json(terms))


def _order(call: Call) -> Reply:
    venue = call.floor.venue
    order = venue.visible(call.path["order_id"], call.now)
    if order is None or order.owner != CUSTOMER:
        raise Refused(404, "NOT_FOUND", "order with this orderID was not found")
    return Reply(body={"order": order_json(order, user_id(venue), portfolio_id(venue))})


def _orders(call: Call) -> Reply:
    venue = call.floor.venue
    is_wanted = _order_filter(call)
    found = [order for order in reversed(venue.orders.values()) if is_wanted(order)]
    if call.query.get("sort_by") == "LAST_UPDATE_TIME":
        found.sort(key=lambda order: order.updated_at, reverse=True)
    page, cursor = _page(call, found, PAGE)
    return Reply(
        body={
            "orders": [order_json(order, user_id(venue), portfolio_id(venue)) for order in page],
            "sequence": "0",
            "has_next": bool(cursor),
            "cursor": cursor,
        }
    )


def _order_filter(call: Call) -> Callable[[Order], bool]:
    start, end = call.instant("start_date"), call.instant("end_date")
    criteria: tuple[tuple[list[str], Callable[[Order], str]], ...] = (
        (call.many("order_ids"), lambda order: order.order_id),
        (call.many("product_ids", "product_id"), lambda order: order.product_id),
        (call.many("order_status"), lambda order: order.status.value),
        (call.many("order_types"), lambda order: order_type(order.terms)),
        (call.many("order_side"), lambda order: order.side.value),
        (call.many("time_in_forces"), lambda order: time_in_force(order.terms)),
        (call.many("asset_filters"), lambda order: order.product_id.partition("-")[0]),
        (call.many("product_type"), product_type),
        (call.many("contract_expiry_type"), lambda order: "EXPIRING" if order.is_future else ""),
        (call.many("order_placement_source"), lambda _: "RETAIL_ADVANCED"),
    )
    asked = [(wanted, value_of) for wanted, value_of in criteria if wanted]

    def is_wanted(order: Order) -> bool:
        return (
            order.owner == CUSTOMER
            and order.visible_at <= call.now
            and (start is None or order.created_at >= start)
            and (end is None or order.created_at < end)
            and all(value_of(order) in wanted for wanted, value_of in asked)
        )

    return is_wanted


def _fills(call: Call) -> Reply:
    venue = call.floor.venue
    start, end = call.instant("start_sequence_timestamp"), call.instant("end_sequence_timestamp")
    orders, trades = call.many("order_ids", "order_id"), call.many("trade_ids")
    products = call.many("product_ids", "product_id")

    def is_wanted(fill: Fill) -> bool:
        return (
            fill.owner == CUSTOMER
            and (not orders or fill.order_id in orders)
            and (not trades or fill.trade.trade_id in trades)
            and (not products or fill.trade.product_id in products)
            and (start is None or fill.trade.at >= start)
            and (end is None or fill.trade.at < end)
        )

    found = [fill for fill in reversed(venue.clearing.fills) if is_wanted(fill)]
    page, cursor = _page(call, found, 100)
    return Reply(
        body={"fills": [fill_json(fill, user_id(venue), portfolio_id(venue)) for fill in page], "cursor": cursor}
    )


def _page(call: Call, found: list[Item], default: int) -> tuple[list[Item], str]:
    limit = call.integer("limit", default, PAGE)
    anchor = call.query.get("cursor", "")
    position = 0
    if anchor:
        marks = [_mark(item) for item in found]
        if anchor not in marks:
            raise invalid("cursor: not a cursor of this listing")
        position = marks.index(anchor) + 1
    page = found[position : position + limit]
    return page, _mark(page[-1]) if position + limit < len(found) else ""


def _mark(item: Order | Fill) -> str:
    return item.order_id if isinstance(item, Order) else f"fill-{item.sequence}"
