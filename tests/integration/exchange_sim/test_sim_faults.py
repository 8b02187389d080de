"""Faults on command and the test hooks' view of the truth."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from requests import HTTPError

CREATE = "POST /api/v3/brokerage/orders"
LOW = "30000"


@pytest.fixture
def venue(start_sim: Callable[..., Any]) -> Iterator[Any]:
    return start_sim("--private-limit", "0", "--balances", "USD=100000,BTC=1")


def ids_at(venue: Any) -> list[str]:
    return [order["client_order_id"] for order in venue.get_admin("/books")["orders"]]


@pytest.mark.parametrize(
    ("kind", "status", "is_made"),
    [
        ("reject_401_once", "401", False),
        ("http_429", "429", False),
        ("http_500_before_accept", "500", False),
        ("http_500_after_accept", "500", True),
    ],
)
def test_http_faults_strike_once_before_or_after_acceptance(venue: Any, kind: str, status: str, is_made: bool) -> None:  # noqa: FBT001 -- parametrised
    client = venue.client()
    venue.post_admin("/faults", kind=kind, match=CREATE)

    with pytest.raises(HTTPError, match=status):
        client.limit_order_gtc_buy("one", "BTC-USD", "0.1", LOW)
    made_at_first = ids_at(venue)
    again = client.limit_order_gtc_buy("one", "BTC-USD", "0.1", LOW)

    assert made_at_first == (["one"] if is_made else [])
    assert again.success
    assert ids_at(venue) == ["one"]


@pytest.mark.parametrize("kind", ["drop_connection_after_accept", "lost_reply"])
def test_an_accepted_order_whose_answer_never_comes(venue: Any, kind: str) -> None:
    client = venue.client()
    client.timeout = 1
    venue.post_admin("/faults", kind=kind, match=CREATE)

    with pytest.raises(requests.RequestException):
        client.limit_order_gtc_buy("lost", "BTC-USD", "0.1", LOW)

    assert ids_at(venue) == ["lost"]


def test_without_idempotency_a_resend_is_a_second_order(venue: Any) -> None:
    client = venue.client()
    venue.post_admin("/faults", kind="no_idempotency", times=-1)

    for _ in range(2):
        client.limit_order_gtc_buy("same", "BTC-USD", "0.1", LOW)
    assert ids_at(venue) == ["same", "same"]

    venue.post_admin("/faults", kind="no_idempotency", times=0)
    client.limit_order_gtc_buy("same", "BTC-USD", "0.1", LOW)
    assert ids_at(venue) == ["same", "same"]


def test_a_slow_answer_takes_its_time(venue: Any) -> None:
    venue.post_admin("/faults", kind="slow_ms", match="GET /api/v3/brokerage/accounts", value=700)
    client = venue.client()
    client.timeout = 0.3

    with pytest.raises(requests.Timeout):
        client.get_accounts()


def test_books_tell_orders_fills_balances_and_events_in_order(venue: Any) -> None:
    client = venue.client()
    client.market_order_buy("buy", "BTC-USD", quote_size="500")
    resting = client.limit_order_gtc_buy("rest", "BTC-USD", "0.1", LOW).success_response["order_id"]
    client.cancel_orders([resting])

    books = venue.get_admin("/books")

    assert [order["status"] for order in books["orders"]] == ["FILLED", "CANCELLED"]
    assert [fill["order_id"] for fill in books["fills"]] == [books["orders"][0]["order_id"]]
    assert books["balances"]["USD"]["hold"] == "0"
    events = [(event["event"], event.get("client_order_id")) for event in books["events"]]
    assert events[-3:] == [("accepted", "rest"), ("opened", "rest"), ("cancelled", "rest")]
    assert ("filled", None) in events
    stamps = [event["accepted_at_ns"] for event in books["events"]]
    assert stamps == sorted(stamps)


def test_market_commands_move_price_spread_and_flags(
    venue: Any, listen: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    client = venue.client()
    before = float(client.get_product("BTC-USD").price)
    feed = listen(venue, is_anonymous=True)
    feed.client.subscribe(["BTC-USD"], ["status"])

    venue.post_admin("/market", product_id="BTC-USD", jump_percent="-10", spread_multiplier="20")
    eventually(lambda: float(client.get_product("BTC-USD").price) < before * 0.95)
    eventually(lambda: float(client.get_product_book("BTC-USD").spread_bps) > 15)

    venue.post_admin("/market", product_id="BTC-USD", flags={"trading_disabled": True})
    refused = client.limit_order_gtc_buy("no", "BTC-USD", "0.1", LOW)
    assert refused.error_response["error"] == "TRADING_DISABLED"
    assert client.get_product("BTC-USD").trading_disabled is True
    eventually(lambda: feed.events("status")[-1]["products"][0]["status"] == "offline")


def test_a_crash_fills_a_resting_bid_on_the_way_down(venue: Any, eventually: Callable[..., Any]) -> None:
    client = venue.client()
    bid = float(venue.best()[0])
    order_id = client.limit_order_gtc_buy("bid", "BTC-USD", "0.1", f"{bid * 0.95:.2f}").success_response["order_id"]

    venue.post_admin("/market", product_id="BTC-USD", jump_percent="-10")

    eventually(lambda: client.get_order(order_id).order.status == "FILLED")


def test_an_order_by_another_hand_shows_up_in_the_account(
    venue: Any, listen: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    feed = listen(venue)
    feed.client.user([])
    body = {
        "client_order_id": "by-hand",
        "product_id": "BTC-USD",
        "side": "BUY",
        "order_configuration": {"limit_limit_gtc": {"base_size": "0.1", "limit_price": LOW}},
    }

    made = venue.post_admin("/orders/external", **body)
    venue.post_admin("/orders/external", **body | {"stranger": True, "client_order_id": "stranger"})

    assert venue.client().get_order(made["success_response"]["order_id"]).order.client_order_id == "by-hand"
    assert [order.client_order_id for order in venue.client().list_orders().orders] == ["by-hand"]
    eventually(lambda: any(e["type"] == "update" and e["orders"] for e in feed.events("user")))


def test_money_comes_and_goes_on_command(venue: Any) -> None:
    venue.post_admin("/balances", currency="USD", amount="-40000")
    reply = venue.session.post(f"{venue.admin}/balances", json={"currency": "USD", "amount": "-70000"}, timeout=5)

    assert reply.status_code == 400
    assert venue.get_admin("/books")["balances"]["USD"]["total"] == "60000"
    assert venue.get_admin("/healthz")["status"] == "ok"
