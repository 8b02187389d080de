"""Create, preview, edit and cancel orders."""

from decimal import Decimal

from gpt_trader.exchange_sim.adapters.keys import Scope
from gpt_trader.exchange_sim.adapters.render import configuration_json
from gpt_trader.exchange_sim.adapters.rest.bodies import (
    CancelBody,
    ClosePositionBody,
    CreateBody,
    EditBody,
    PreviewBody,
    request_of,
)
from gpt_trader.exchange_sim.adapters.rest.market_routes import PREFIX
from gpt_trader.exchange_sim.adapters.rest.wire import Call, Json, Reply, Route, invalid, text
from gpt_trader.exchange_sim.domain.faults.kinds import FaultKind
from gpt_trader.exchange_sim.domain.orders import Edit, OrderKind, OrderRequest, Side, Terms
from gpt_trader.exchange_sim.domain.validation import Accepted, Refusal, named, refuse

MAX_CANCELS = 100


def order_routes() -> list[Route]:
    """List the routes that do something to orders."""
    trade, view = Scope.TRADE, Scope.VIEW
    table = (
        ("POST", "/orders", trade, _create),
        ("POST", "/orders/preview", view, _preview),
        ("POST", "/orders/edit", trade, _edit),
        ("POST", "/orders/edit_preview", trade, _edit_preview),
        ("POST", "/orders/batch_cancel", trade, _batch_cancel),
        ("POST", "/orders/close_position", trade, _close_position),
    )
    return [
        Route(method=method, path=PREFIX + path, scope=scope, answer=answer) for method, path, scope, answer in table
    ]


def _create(call: Call) -> Reply:
    body = call.body(CreateBody)
    return place(call, request_of(body, body.client_order_id))


def place(call: Call, request: OrderRequest) -> Reply:
    """Create an order and answer in the venue's shape; the echo is always the request's."""
    venue, echo = call.floor.venue, configuration_json(request.terms)
    if request.product_id not in venue.listings:
        return _refused(refuse("INVALID_PRODUCT_ID"), echo)
    rejected = call.strikes.of(FaultKind.REJECT_ORDER)
    if rejected is not None:
        return _refused(named(rejected.name), echo)
    partial = call.strikes.of(FaultKind.PARTIAL_FILL)
    part = None if partial is None else Decimal(partial.value) / 100
    return _answered(call, request, venue.create(request, call.now, part), echo)


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
    rejected = call.strikes.of(FaultKind.REJECT_EDIT)
    if rejected is None:
        reason = call.floor.venue.edit(body.order_id, body.price, body.size, call.now, body.stop_price)
    else:
        reason = rejected.name
    call.floor.publish()
    return Reply(body={"success": reason is None, "errors": _edit_errors(reason)})


def _edit_errors(reason: str | None) -> list[Json]:
    if reason is None:
        return []
    return [{"edit_failure_reason": reason, "preview_failure_reason": "UNKNOWN_PREVIEW_FAILURE_REASON"}]


def _edit_preview(call: Call) -> Reply:
    body = call.body(EditBody)
    venue = call.floor.venue
    reason = venue.edit_refusal(body.order_id, Edit(price=body.price, size=body.size, accepted_at=call.now))
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
        reason = _cancel(call, order_id)
        results.append(
            {
                "success": reason is None,
                "failure_reason": reason or "UNKNOWN_CANCEL_FAILURE_REASON",
                "order_id": order_id,
            }
        )
    call.floor.publish()
    return Reply(body={"results": results})


def _cancel(call: Call, order_id: str) -> str | None:
    venue = call.floor.venue
    order = venue.orders.get(order_id)
    rejected = call.strikes.of(FaultKind.REJECT_CANCEL, order)
    if rejected is not None:
        return rejected.name
    if order is not None and order.is_resting:
        if call.strikes.of(FaultKind.FILL_BEFORE_CANCEL, order):
            venue.fill(order_id, call.now)
        elif call.strikes.of(FaultKind.FILL_AFTER_CANCEL, order):
            venue.fill(order_id, call.now)
            return None
    return venue.cancel(order_id, call.now)


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
