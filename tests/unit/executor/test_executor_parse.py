"""What the venue says becomes our types or fails loudly; nothing missing becomes zero."""

from decimal import Decimal
from typing import Any

import pytest

from gpt_trader.contracts.orders import FillKind, Liquidity, OrderStatus, is_post_only_refusal
from gpt_trader.executor.adapters import parse
from gpt_trader.executor.domain.submission import Created, Declined, ErrorStatus, Unreadable

ORDER = {
    "order_id": "venue-order",
    "client_order_id": "order",
    "product_id": "BTC-USD",
    "status": "CANCELLED",
    "filled_size": "0.5",
    "created_time": "2026-11-02T12:00:00.123456789Z",
    "last_fill_time": "2026-11-02T12:00:01Z",
    "cancel_message": "user cancelled",
    "a_field_of_tomorrow": {"x": 1},
}
FILL = {
    "entry_id": "e" * 64,
    "trade_id": "trade",
    "order_id": "venue-order",
    "trade_time": "2026-11-02T12:00:00Z",
    "trade_type": "FILL",
    "price": "100",
    "size": "0.5",
    "commission": "0.05",
    "product_id": "BTC-USD",
    "liquidity_indicator": "MAKER",
    "size_in_quote": False,
    "side": "BUY",
}


def without(given: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name != field}


def test_an_order_is_read_with_its_last_change() -> None:
    order = parse.one_order({"order": ORDER})

    assert (order.status, order.filled_quantity, order.reason) == (
        OrderStatus.CANCELED,
        Decimal("0.5"),
        "user cancelled",
    )
    assert order.updated_at.isoformat() == "2026-11-02T12:00:01+00:00"
    assert parse.one_order({"order": {**ORDER, "filled_size": ""}}).filled_quantity == 0


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PENDING", OrderStatus.OPEN),
        ("QUEUED", OrderStatus.OPEN),
        ("OPEN", OrderStatus.OPEN),
        ("CANCEL_QUEUED", OrderStatus.OPEN),
        ("EDIT_QUEUED", OrderStatus.OPEN),
        ("FILLED", OrderStatus.FILLED),
        ("CANCELLED", OrderStatus.CANCELED),
        ("EXPIRED", OrderStatus.EXPIRED),
        ("FAILED", OrderStatus.REJECTED),
        ("UNKNOWN_ORDER_STATUS", OrderStatus.UNKNOWN),
        ("", OrderStatus.UNKNOWN),
        ("SOMETHING_ELSE", OrderStatus.UNKNOWN),
    ],
)
def test_every_status_has_our_word_and_what_nobody_knows_is_unknown(word: str, status: OrderStatus) -> None:
    assert parse.one_order({"order": {**ORDER, "status": word}}).status is status


def test_only_a_refusal_to_take_what_was_to_make_is_said_in_our_words() -> None:
    reasons = ("PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY", "INSUFFICIENT_FUND")
    refused = [parse.create_reply({"success": False, "error_response": {"error": one}}) for one in reasons]

    assert [one.reason for one in refused if isinstance(one, Declined)] == [f"would_take: {reasons[0]}", reasons[1]]
    assert is_post_only_refusal(parse.one_order({"order": {**ORDER, "reject_message": reasons[0]}}).reason)


@pytest.mark.parametrize("field", ["order_id", "status", "filled_size", "created_time", "product_id"])
def test_an_order_without_a_field_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        parse.one_order({"order": without(ORDER, field)})


@pytest.mark.parametrize("field", ["entry_id", "price", "size", "commission", "trade_type", "side", "size_in_quote"])
def test_a_fill_without_a_field_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        parse.fills_page({"fills": [without(FILL, field)], "cursor": ""})


@pytest.mark.parametrize(("field", "value"), [("price", ""), ("price", "0"), ("size", "NaN"), ("side", "")])
def test_a_fill_with_a_senseless_figure_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=field):
        parse.fills_page({"fills": [{**FILL, field: value}], "cursor": ""})


def test_a_size_in_quote_is_converted_and_kinds_are_kept() -> None:
    rows = [
        {**FILL, "size": "50", "size_in_quote": True},
        {**FILL, "trade_type": "REVERSAL", "liquidity_indicator": "UNKNOWN_LIQUIDITY_INDICATOR"},
        {**FILL, "trade_type": "CORRECTION"},
    ]

    fills, cursor = parse.fills_page({"fills": rows, "cursor": "next"})

    assert [fill.quantity for fill in fills] == [Decimal("0.50000000"), Decimal("0.5"), Decimal("0.5")]
    assert [fill.kind for fill in fills] == [FillKind.FILL, FillKind.REVERSAL, FillKind.CORRECTION]
    assert [fill.liquidity for fill in fills] == [Liquidity.MAKER, Liquidity.UNKNOWN, Liquidity.MAKER]
    assert cursor == "next"


def test_a_listing_is_only_over_when_the_venue_says_so() -> None:
    assert parse.orders_page({"orders": [], "has_next": False, "cursor": "left over"})[1] is None
    assert parse.fills_page({"fills": [], "cursor": ""})[1] is None
    with pytest.raises(ValueError, match="cursor"):
        parse.orders_page({"orders": [], "has_next": True, "cursor": ""})
    with pytest.raises(ValueError, match="has_next"):
        parse.orders_page({"orders": []})
    with pytest.raises(ValueError, match="cursor"):
        parse.fills_page({"fills": []})


def test_answers_to_a_create_are_told_apart() -> None:
    success = {"success": True, "success_response": {"order_id": "v", "client_order_id": "c"}}
    refused = {"success": False, "error_response": {"error": "UNKNOWN_FAILURE_REASON", "preview_failure_reason": "P"}}

    assert parse.create_reply(success) == Created(venue_order_id="v", client_order_id="c")  # type: ignore[arg-type]
    assert parse.create_reply(refused) == Declined(reason="P")
    assert parse.create_reply({"success": False}) == Declined(reason="refused_without_reason")
    senseless: list[object] = [{}, [], "ok", None, {"success": True}, {"success": True, "success_response": {}}]
    for nonsense in senseless:
        assert isinstance(parse.create_reply(nonsense), Unreadable)


def test_an_error_without_json_keeps_its_status() -> None:
    assert parse.error_status(502, "<html>") == ErrorStatus(status=502, error="", details="")
    permit = '{"error":"PERMIT_REFUSED","error_details":"epoch","message":"epoch"}'
    assert parse.error_status(403, permit) == ErrorStatus(status=403, error="PERMIT_REFUSED", details="epoch")


def test_frames_name_orders_and_nothing_else() -> None:
    named = '[{"type":"update","orders":[{"order_id":"v","client_order_id":"c"}]}]'
    user = f'{{"channel":"user","sequence_num":4,"events":{named}}}'
    beat = '{"channel":"heartbeats","sequence_num":5,"events":[{"heartbeat_counter":"7"}]}'

    assert parse.frame(user).orders == (("c", "v"),)
    assert (parse.frame(beat).sequence, parse.frame(beat).orders) == (5, ())
    assert parse.frame('{"type":"error","message":"authentication failure"}').error == "authentication failure"
    with pytest.raises(ValueError, match="JSON"):
        parse.frame("nonsense")
