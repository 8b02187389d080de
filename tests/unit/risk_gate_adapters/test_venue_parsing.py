"""Payloads of the venue become our types, or are refused by the field's name."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.adapters import parse
from gpt_trader.risk_gate.adapters.parse import NotUnderstood
from gpt_trader.risk_gate.adapters.user_channel import FeedBroken, Progress
from gpt_trader.risk_gate.domain.venue import VenueOrder

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def a_listed_order(**changes: Any) -> dict[str, Any]:
    order: dict[str, Any] = {
        "order_id": "v1",
        "client_order_id": "c1",
        "product_id": "BTC-USD",
        "side": "BUY",
        "status": "OPEN",
        "filled_size": "",
        "order_configuration": {"limit_limit_gtc": {"base_size": "0.5", "limit_price": "100.10"}},
    }
    order.update(changes)
    return order


def a_feed_order(**changes: Any) -> dict[str, Any]:
    order: dict[str, Any] = {
        "order_id": "v1",
        "client_order_id": "c1",
        "product_id": "BTC-USD",
        "order_side": "SELL",
        "status": "OPEN",
        "cumulative_quantity": "0.2",
        "leaves_quantity": "0.3",
        "limit_price": "100.10",
    }
    order.update(changes)
    return order


def listed(order: dict[str, Any]) -> VenueOrder:
    body = json.dumps({"orders": [order], "has_next": False, "cursor": ""}).encode()
    return parse.orders_page(body, NOW).orders[0]


def fed(order: dict[str, Any]) -> VenueOrder:
    return next(parse.feed_orders({"events": [{"type": "update", "orders": [order]}]}, NOW))


def test_a_listed_order_is_read() -> None:
    order = listed(a_listed_order())

    assert (order.side, order.status) == (Side.BUY, OrderStatus.OPEN)
    assert (order.quantity, order.filled_quantity, order.limit_price) == (Decimal("0.5"), Decimal(0), Decimal("100.10"))


def test_a_feed_order_is_read() -> None:
    order = fed(a_feed_order())

    assert (order.side, order.status) == (Side.SELL, OrderStatus.PARTIALLY_FILLED)
    assert (order.quantity, order.filled_quantity) == (Decimal("0.5"), Decimal("0.2"))


@pytest.mark.parametrize(
    ("status", "known"),
    [
        ("PENDING", OrderStatus.OPEN),
        ("QUEUED", OrderStatus.OPEN),
        ("CANCEL_QUEUED", OrderStatus.OPEN),
        ("EDIT_QUEUED", OrderStatus.OPEN),
        ("FILLED", OrderStatus.FILLED),
        ("CANCELLED", OrderStatus.CANCELED),
        ("EXPIRED", OrderStatus.EXPIRED),
        ("FAILED", OrderStatus.REJECTED),
        ("UNKNOWN_ORDER_STATUS", OrderStatus.UNKNOWN),
        ("SOMETHING_OF_NEXT_YEAR", OrderStatus.UNKNOWN),
    ],
)
def test_every_status_has_our_word_and_an_unheard_one_is_unknown(status: str, known: OrderStatus) -> None:
    assert listed(a_listed_order(status=status)).status is known


@pytest.mark.parametrize("field", ["order_id", "product_id", "side", "status", "filled_size", "order_configuration"])
def test_a_missing_field_of_a_listed_order_is_named(field: str) -> None:
    order = a_listed_order()
    del order[field]

    with pytest.raises(NotUnderstood, match=field):
        listed(order)


@pytest.mark.parametrize("field", ["order_id", "product_id", "order_side", "status", "leaves_quantity"])
def test_a_missing_field_of_a_feed_order_is_named(field: str) -> None:
    order = a_feed_order()
    del order[field]

    with pytest.raises(NotUnderstood, match=field):
        fed(order)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-sNaN", "1,5", "", "one"])
def test_an_amount_that_is_none_is_refused(amount: str) -> None:
    with pytest.raises(NotUnderstood, match="leaves_quantity"):
        fed(a_feed_order(leaves_quantity=amount))


def test_an_amount_written_as_a_number_is_refused() -> None:
    with pytest.raises(NotUnderstood, match="leaves_quantity"):
        fed(a_feed_order(leaves_quantity=0.3))


@pytest.mark.parametrize("price", ["0", "", None])
def test_no_limit_price_is_none(price: str | None) -> None:
    assert fed(a_feed_order(limit_price=price)).limit_price is None


def test_an_order_without_our_id_still_reads() -> None:
    assert fed(a_feed_order(client_order_id="")).client_order_id == ""


def test_a_page_that_promises_more_without_a_cursor_is_refused() -> None:
    with pytest.raises(NotUnderstood, match="cursor"):
        parse.orders_page(b'{"orders": [], "has_next": true, "cursor": ""}', NOW)


def test_missing_frames_break_the_channel_and_repeated_ones_are_skipped() -> None:
    progress = Progress(heartbeat_at=0.0)

    assert [progress.is_next(number) for number in (0, 1, 1, 0, 2)] == [True, True, False, False, True]
    with pytest.raises(FeedBroken, match="4 after 2"):
        progress.is_next(4)


@pytest.mark.parametrize("stated", ["soon", "-1", "9" * 16, "9" * 5000])
def test_a_time_of_the_venue_that_no_clock_could_show_is_not_understood(stated: str) -> None:
    with pytest.raises(NotUnderstood, match="epochMillis"):
        parse.epoch_milliseconds(json.dumps({"epochMillis": stated}).encode())
