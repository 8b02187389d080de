"""Faults on command and the test hooks' view of the truth."""

import time
from collections.abc import Callable
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests
from requests import HTTPError

from gpt_trader.exchange_sim.domain.faults.kinds import FLAGS
from gpt_trader.exchange_sim.domain.faults.reasons import CANCEL, EDIT, NEW_ORDER, PREVIEW_ONLY

CREATE = "POST /api/v3/brokerage/orders"
LOW = "30000"
ORDER_REASONS = NEW_ORDER | PREVIEW_ONLY


def ids_at(venue: Any) -> list[str]:
    return [order["client_order_id"] for order in venue.get_admin("/books")["orders"]]


ANSWERED = [
    ("reject_401_once", {}, 401, False, "Unauthorized"),
    ("http_429", {"value": 7}, 429, False, "rate_limit_exceeded"),
    ("http_500_before_accept", {}, 500, False, "INTERNAL"),
    ("http_500_before_accept", {"value": 503}, 503, False, "<html>"),
    ("http_500_after_accept", {"value": 502}, 502, True, "<html>"),
    ("maintenance", {"for_s": 0.3}, 503, False, "<html>"),
]


@pytest.mark.parametrize(("kind", "terms", "status", "is_made", "words"), ANSWERED)
def test_a_create_is_answered_with_an_error_before_or_after_it_was_done(
    venue: Any,
    kind: str,
    terms: dict[str, Any],
    status: int,
    is_made: bool,  # noqa: FBT001 -- parametrised
    words: str,
) -> None:
    client = venue.client()
    venue.armed(kind, **terms)

    with pytest.raises(HTTPError, match=str(status)) as refused:
        client.limit_order_gtc_buy("one", "BTC-USD", "0.1", LOW)
    made_at_first = ids_at(venue)
    venue.session.delete(f"{venue.admin}/faults", timeout=5)
    again = client.limit_order_gtc_buy("one", "BTC-USD", "0.1", LOW)

    assert words in refused.value.response.text
    if kind == "http_429":
        headers = refused.value.response.headers
        assert (headers["Retry-After"], headers["x-ratelimit-remaining"]) == ("7", "0")
    assert made_at_first == (["one"] if is_made else [])
    assert again.success
    assert ids_at(venue) == ["one"]
    assert [one["fault"]["kind"] for one in venue.fired()][:1] == [kind]


@pytest.mark.parametrize(
    ("kind", "terms"),
    [("drop_connection_after_accept", {}), ("cut_mid_body", {}), ("lost_reply", {}), ("slow_reply_ms", {"value": 900})],
)
def test_an_accepted_order_whose_answer_never_comes_whole(
    venue: Any, eventually: Callable[..., Any], kind: str, terms: dict[str, Any]
) -> None:
    client = venue.client()
    client.timeout = 0.5
    venue.armed(kind, match=CREATE, **terms)

    with pytest.raises(requests.RequestException):
        client.limit_order_gtc_buy("lost", "BTC-USD", "0.1", LOW)

    eventually(lambda: ids_at(venue))
    assert ids_at(venue) == ["lost"]


def test_every_reason_of_the_venue_can_refuse_an_order_and_nothing_is_made(venue: Any) -> None:
    client = venue.client()
    venue.post_admin("/scenario", faults=[{"kind": "reject_order", "name": name} for name in sorted(ORDER_REASONS)])

    answers = [client.limit_order_gtc_buy("no", "BTC-USD", "0.1", LOW) for _ in ORDER_REASONS]

    given = [
        (one.success, one.error_response["new_order_failure_reason"], one.error_response["preview_failure_reason"])
        for one in answers
    ]
    plain = [name for name in sorted(ORDER_REASONS) if not name.startswith("PREVIEW_")]
    previews = [name for name in sorted(ORDER_REASONS) if name.startswith("PREVIEW_")]
    assert given == [
        *((False, name, f"PREVIEW_{name}") for name in plain if name < "PREVIEW_"),
        *((False, "UNKNOWN_FAILURE_REASON", name) for name in previews),
        *((False, name, f"PREVIEW_{name}") for name in plain if name > "PREVIEW_"),
    ]
    assert not ids_at(venue)


def test_cancels_and_amendments_are_refused_with_their_reasons(venue: Any) -> None:
    client = venue.client()
    order_id = client.limit_order_gtc_buy("rest", "BTC-USD", "0.1", LOW).success_response["order_id"]
    faults = [{"kind": "reject_cancel", "name": name} for name in sorted(CANCEL)]
    venue.post_admin("/scenario", faults=faults + [{"kind": "reject_edit", "name": name} for name in sorted(EDIT)])

    cancels = [client.cancel_orders([order_id]).results[0] for _ in CANCEL]
    edits = [client.edit_order(order_id, "0.2", LOW) for _ in EDIT]

    assert [(one.success, one.failure_reason) for one in cancels] == [(False, name) for name in sorted(CANCEL)]
    assert [one.errors[0].edit_failure_reason for one in edits] == sorted(EDIT)
    assert [order["status"] for order in venue.orders()] == ["OPEN"]


@pytest.mark.parametrize(
    ("kind", "success", "reason"),
    [
        ("fill_before_cancel", False, "ORDER_IS_FULLY_FILLED"),
        ("fill_after_cancel", True, "UNKNOWN_CANCEL_FAILURE_REASON"),
    ],
)
def test_a_fill_wins_the_race_against_a_cancel(venue: Any, kind: str, success: bool, reason: str) -> None:  # noqa: FBT001 -- parametrised
    client = venue.client()
    price = f"{float(venue.best()[0]) * 0.999:.2f}"
    order_id = client.limit_order_gtc_buy("race", "BTC-USD", "0.1", price).success_response["order_id"]
    venue.armed(kind, product="BTC-USD", side="BUY")

    result = client.cancel_orders([order_id]).results[0]

    assert (result.success, result.failure_reason) == (success, reason)
    assert [(one["status"], one["filled_size"]) for one in venue.orders()] == [("FILLED", "0.1")]


def test_a_share_of_an_order_fills_at_once(venue: Any) -> None:
    client = venue.client()
    bid, ask = (float(price) for price in venue.best())
    venue.armed("partial_fill", value=40, times=2)

    client.limit_order_gtc_buy("maker", "BTC-USD", "0.1", f"{bid * 0.999:.2f}")
    client.limit_order_ioc_buy("taker", "BTC-USD", "0.1", f"{ask * 1.01:.2f}")
    venue.post_admin("/orders/fill", order_id=venue.orders()[0]["order_id"], size="0.01")

    found = [(one["client_order_id"], one["status"], one["filled_size"]) for one in venue.orders()]
    assert found == [("maker", "OPEN", "0.05"), ("taker", "CANCELLED", "0.04")]


@pytest.mark.parametrize(
    ("kind", "row", "left"), [("fill_correction", "CORRECTION", "0.005"), ("fill_reversal", "REVERSAL", "0")]
)
def test_a_later_row_restates_a_fill_and_the_money_follows(
    venue: Any, eventually: Callable[..., Any], kind: str, row: str, left: str
) -> None:
    client = venue.client()
    before = venue.get_admin("/books")["balances"]
    venue.armed(kind, product="BTC-USD", side="BUY")

    client.limit_order_ioc_buy("one", "BTC-USD", "0.01", f"{float(venue.best()[1]) * 1.01:.2f}")
    fills = eventually(lambda: [f for f in client.get_fills().fills if f.trade_type == row])

    books = venue.get_admin("/books")
    trades = [one for one in books["fills"] if one["trade_id"] == fills[0].trade_id]
    assert [one["trade_type"] for one in trades] == ["FILL", row]
    assert len({one["entry_id"] for one in trades}) == 2
    gained = Decimal(books["balances"]["BTC"]["total"]) - Decimal(before["BTC"]["total"])
    assert (books["orders"][0]["filled_size"], gained) == (left, Decimal(left))
    paid = Decimal(before["USD"]["total"]) - Decimal(books["balances"]["USD"]["total"])
    assert paid == Decimal(books["orders"][0]["total_value_after_fees"])


@pytest.mark.parametrize("flag", sorted(FLAGS))
def test_a_flag_holds_for_its_time_and_is_gone_after(venue: Any, flag: str, eventually: Callable[..., Any]) -> None:
    client = venue.client()

    venue.armed("product_flag", name=flag, product="BTC-USD", for_s=1.5)
    held = client.get_product("BTC-USD")[flag]
    other = client.get_product("ETH-USD")[flag]
    eventually(lambda: not client.get_product("BTC-USD")[flag])

    assert (held, other) == (True, False)
    assert [one.get("phase", "struck") for one in venue.fired()] == ["began", "ended"]


def test_the_clock_is_off_in_the_time_route_and_in_the_date(venue: Any) -> None:
    venue.armed("clock_skew", value=-90_000)
    began = time.monotonic()
    reply = venue.request("GET", "/api/v3/brokerage/time")
    venue.session.delete(f"{venue.admin}/faults", timeout=5)
    right = venue.request("GET", "/api/v3/brokerage/time")
    most = 91 + time.monotonic() - began

    seconds = int(right.json()["epochSeconds"]) - int(reply.json()["epochSeconds"])
    dates = [parsedate_to_datetime(one.headers["Date"]) for one in (reply, right)]
    assert 89 <= seconds <= most
    assert 89 <= (dates[1] - dates[0]).total_seconds() <= most


def test_a_fault_strikes_only_what_it_names_when_its_turn_comes(venue: Any) -> None:
    client = venue.client()
    venue.armed("reject_order", name="INVALID_REQUEST", product="ETH-USD", side="BUY", after=1, times=2)

    def is_made(product: str, side: str) -> bool:
        price = LOW if product == "BTC-USD" else "1500"
        order = client.limit_order_gtc_buy if side == "BUY" else client.limit_order_gtc_sell
        return bool(order("", product, "0.1", price if side == "BUY" else "999999").success)

    asked = [("BTC-USD", "BUY"), ("ETH-USD", "BUY"), ("BTC-USD", "SELL"), *[("ETH-USD", "BUY")] * 3]
    assert [is_made(*one) for one in asked] == [True, True, True, False, False, True]


def test_chances_are_drawn_from_the_seed_and_a_recorded_run_happens_again(venue: Any) -> None:
    def outcomes() -> list[bool]:
        client = venue.client()
        return [client.limit_order_gtc_buy(f"{n}", "BTC-USD", "0.01", LOW).success for n in range(30)]

    storm = {"kind": "reject_order", "name": "INVALID_REQUEST", "probability": 0.4, "times": -1}
    venue.post_admin("/scenario", seed=11, faults=[storm])
    first, fired = outcomes(), venue.fired()
    venue.post_admin("/reset")
    venue.post_admin("/scenario", seed=12, faults=[storm])
    other = outcomes()
    venue.post_admin("/reset")
    venue.post_admin("/repeat", fired=fired)
    again = outcomes()

    assert 5 < sum(first) < 25
    assert again == first != other
    assert [(one["target"], one["ordinal"]) for one in venue.fired()] == [(o["target"], o["ordinal"]) for o in fired]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "http_430"}, "kind is 'http_430'"),
        ({"kind": "http_429", "probability": 1.5}, "probability is 1.5: Input should be less than or equal to 1"),
        ({"kind": "http_429", "value": -1}, "value: -1 is not what http_429 takes: 0 to 3600 (seconds of Retry-After)"),
        ({"kind": "reject_order", "name": "NO_MOOD"}, "name: 'NO_MOOD' is none that reject_order knows"),
        ({"kind": "clock_skew", "probability": 0.5}, "clock_skew lasts: it takes at_s and for_s"),
        ({"kind": "ws_drop", "side": "BUY"}, "side: ws_drop strikes no order"),
        ({"kind": "http_429", "atempt": 1}, "atempt is 1: Extra inputs are not permitted"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_field_value_and_reason(
    venue: Any, fault: dict[str, Any], words: str
) -> None:
    reply = venue.session.post(f"{venue.admin}/faults", json=fault, timeout=5)

    assert (reply.status_code, words in reply.json()["error"]) == (400, True), reply.text


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
    eventually(lambda: [event["products"][0]["status"] for event in feed.events("status")[-1:]] == ["offline"])


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
    venue.post_admin("/reset", balances={"USD": "100000"})
    venue.post_admin("/balances", currency="USD", amount="-40000")
    reply = venue.session.post(f"{venue.admin}/balances", json={"currency": "USD", "amount": "-70000"}, timeout=5)

    assert reply.status_code == 400
    assert venue.get_admin("/books")["balances"]["USD"]["total"] == "60000"
    assert venue.get_admin("/healthz")["status"] == "ok"
