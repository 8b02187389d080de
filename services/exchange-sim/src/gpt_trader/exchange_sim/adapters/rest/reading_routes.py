"""Read orders and fills back, page by page."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

from gpt_trader.exchange_sim.adapters.keys import Scope
from gpt_trader.exchange_sim.adapters.render import fill_json, order_json, order_type, product_type, time_in_force
from gpt_trader.exchange_sim.adapters.rest.account_routes import portfolio_id, user_id
from gpt_trader.exchange_sim.adapters.rest.market_routes import PREFIX
from gpt_trader.exchange_sim.adapters.rest.wire import Call, Refused, Reply, Route, invalid
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, Fill, Order

PAGE = 1000
Item = TypeVar("Item", Order, Fill)


def reading_routes() -> list[Route]:
    """List the routes that tell of orders and fills."""
    table = (("batch", _orders), ("fills", _fills), ("{order_id}", _order))
    return [
        Route(method="GET", path=f"{PREFIX}/orders/historical/{path}", scope=Scope.VIEW, answer=answer)
        for path, answer in table
    ]


def _order(call: Call) -> Reply:
    venue = call.floor.venue
    order = venue.visible(call.path["order_id"], call.now)
    if order is None or order.owner != CUSTOMER:
        raise Refused(404, "NOT_FOUND", "order with this orderID was not found")
    return Reply(body={"order": order_json(order, user_id(venue), portfolio_id(venue))})


def _orders(call: Call) -> Reply:
    venue = call.floor.venue
    newest_first: Iterable[Order] = reversed(venue.orders.values())
    if call.query.get("sort_by") == "LAST_UPDATE_TIME":
        newest_first = sorted(newest_first, key=lambda order: order.updated_at, reverse=True)
    page, cursor = _page(call, newest_first, _order_filter(call), PAGE)
    user, portfolio = user_id(venue), portfolio_id(venue)
    return Reply(
        body={
            "orders": [order_json(order, user, portfolio) for order in page],
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
        (call.many("order_types"), order_type),
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

    page, cursor = _page(call, reversed(venue.clearing.fills), is_wanted, 100)
    user, portfolio = user_id(venue), portfolio_id(venue)
    return Reply(body={"fills": [fill_json(fill, user, portfolio) for fill in page], "cursor": cursor})


def _page(call: Call, items: Iterable[Item], is_wanted: Callable[[Item], bool], default: int) -> tuple[list[Item], str]:
    """Take what is wanted behind the cursor, and no more than asked: what ended meanwhile still marks its place."""
    limit = call.integer("limit", default, PAGE)
    anchor, rest = call.query.get("cursor", ""), iter(items)
    if anchor and not any(_mark(item) == anchor for item in rest):
        raise invalid("cursor: not a cursor of this listing")
    page = list(islice(filter(is_wanted, rest), limit + 1))
    return page[:limit], _mark(page[limit - 1]) if len(page) > limit else ""


def _mark(item: Order | Fill) -> str:
    return item.order_id if isinstance(item, Order) else f"fill-{item.sequence}"
