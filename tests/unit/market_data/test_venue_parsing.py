from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts.market import Tier
from gpt_trader.market_data.adapters import listings, parse
from gpt_trader.market_data.domain.events import (
    BookChanged,
    BookSide,
    Level,
    Pulse,
    Quoted,
    StatusChanged,
    Subscribed,
    Traded,
    VenueEvent,
)
from gpt_trader.market_data.ports import Malformed
from tests.unit.market_data.market_builders import NOW

SENT = "2026-09-05T22:10:30.257889612Z"


def a_message(channel: str, *events: Any, **more: Any) -> bytes:
    return orjson.dumps({"channel": channel, "timestamp": SENT, "sequence_num": 7, "events": list(events), **more})


def read(channel: str, *events: Any) -> tuple[VenueEvent, ...]:
    return parse.events(parse.envelope(a_message(channel, *events)))


def a_level(**changes: Any) -> dict[str, Any]:
    level = {"side": "bid", "event_time": "1970-01-01T00:00:00Z", "price_level": "64000.01", "new_quantity": "0.5"}
    return {**level, **changes}


def an_l2(kind: str = "update", **changes: Any) -> dict[str, Any]:
    return {"type": kind, "product_id": "BTC-USD", "updates": [a_level(**changes)]}


def a_print(**changes: Any) -> dict[str, Any]:
    trade = {
        "trade_id": "9",
        "product_id": "BTC-USD",
        "price": "64000.010",
        "size": "1E-8",
        "time": SENT,
        "side": "BUY",
    }
    return {**trade, **changes}


def a_product(**changes: Any) -> dict[str, Any]:
    product = {
        "product_id": "BTC-USD",
        "product_type": "SPOT",
        "base_currency_id": "BTC",
        "quote_currency_id": "USD",
        "base_increment": "0.00000001",
        "price_increment": "0.01",
        "base_min_size": "0.00000001",
        "base_max_size": "3400",
        "quote_min_size": "1",
        "status": "online",
        "approximate_quote_24h_volume": "12.5",
        "alias": "",
        "some_later_field": {"x": 1},
    }
    return {**product, **changes}


def test_the_envelope_is_read_with_and_without_client_id_and_nanoseconds_are_cut_to_microseconds() -> None:
    with_id = parse.envelope(a_message("ticker", client_id=""))
    without = parse.envelope(a_message("ticker"))

    assert with_id == without
    assert without.sequence == 7
    assert without.sent_at == datetime(2026, 9, 5, 22, 10, 30, 257889, tzinfo=UTC)


def test_levels_are_exact_decimals_and_offer_is_the_ask_side() -> None:
    (change,) = read("l2_data", an_l2("snapshot", side="offer", new_quantity="0.10000000"))

    assert change == BookChanged(
        product="BTC-USD", is_snapshot=True, levels=(Level(BookSide.ASK, Decimal("64000.01"), Decimal("0.1")),)
    )


def test_trades_of_several_products_in_one_message_are_kept_apart() -> None:
    events = read("market_trades", {"trades": [a_print(), a_print(product_id="ETH-USD"), a_print(trade_id="10")]})

    assert [(e.product, len(e.trades)) for e in events if isinstance(e, Traded)] == [("BTC-USD", 2), ("ETH-USD", 1)]


def test_a_ticker_with_an_empty_side_has_no_best_levels() -> None:
    ticker = {
        "product_id": "BTC-USD",
        "price": "100",
        "best_bid": "",
        "best_bid_quantity": "",
        "best_ask": "101",
        "best_ask_quantity": "1",
    }

    assert read("ticker", {"tickers": [ticker]}) == (Quoted(product="BTC-USD", last_price=Decimal(100), best=None),)


@pytest.mark.parametrize("counter", [3049, "3049"])
def test_the_heartbeat_counter_is_a_number_or_its_text(counter: object) -> None:
    assert read("heartbeats", {"heartbeat_counter": counter}) == (Pulse(counter=3049),)


def test_acks_and_status_are_read_and_unknown_channels_say_nothing() -> None:
    assert read("subscriptions", {"subscriptions": {"level2": ["BTC-USD"]}}) == (Subscribed(channels=("level2",)),)
    (status,) = read("status", {"products": [{"id": "BTC-USD", "status": "online"}]})
    assert isinstance(status, StatusChanged)
    assert set(status.status_by_product) == {"BTC-USD"}
    assert read("something_new", {"x": 1}) == ()


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (b"not json", "message"),
        (b"[]", "message"),
        (b'{"type":"error","message":"authentication failure"}', "type"),
        (b'{"channel":"ticker","timestamp":"now","sequence_num":1,"events":[]}', "message.timestamp"),
        (b'{"channel":"ticker","timestamp":"2026-01-01T00:00:00","sequence_num":1,"events":[]}', "message.timestamp"),
        (b'{"channel":"ticker","timestamp":"2026-01-01T00:00:00Z","sequence_num":"1","events":[]}', "sequence_num"),
        (b'{"channel":"ticker","timestamp":"2026-01-01T00:00:00Z","sequence_num":true,"events":[]}', "sequence_num"),
        (b'{"channel":"ticker","timestamp":"2026-01-01T00:00:00Z","sequence_num":1}', "message.events"),
    ],
)
def test_an_unreadable_envelope_names_the_field(message: bytes, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse.envelope(message)

    assert caught.value.field == field


@pytest.mark.parametrize(
    ("channel", "event", "field"),
    [
        ("l2_data", an_l2("delta"), "l2_data.type"),
        ("l2_data", an_l2(side="left"), "l2_data.side"),
        ("l2_data", an_l2(price_level="0"), "l2_data.price_level"),
        ("l2_data", an_l2(new_quantity="-1"), "l2_data.new_quantity"),
        ("l2_data", an_l2(new_quantity="NaN"), "l2_data.new_quantity"),
        ("l2_data", an_l2(new_quantity=0.5), "l2_data.new_quantity"),
        ("market_trades", {"trades": [a_print(size="x")]}, "trade.size"),
        ("market_trades", {"trades": [a_print(time=None)]}, "trade.time"),
        ("market_trades", {"trades": "none"}, "market_trades.trades"),
        ("ticker", {"tickers": [{"product_id": "BTC-USD", "price": None}]}, "ticker.price"),
        ("heartbeats", {"heartbeat_counter": None}, "heartbeats.heartbeat_counter"),
    ],
)
def test_an_unreadable_event_names_the_field(channel: str, event: Any, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(channel, event)

    assert caught.value.field == field


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "updates", "trades", "tickers", "product_id", "price", "side", "products", "id"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    channel=st.sampled_from(["l2_data", "market_trades", "ticker", "heartbeats", "status", "subscriptions", "other"]),
    event=json_values,
)
def test_whatever_the_venue_sends_is_read_or_malformed_and_nothing_else(channel: str, event: Any) -> None:
    with suppress(Malformed):
        read(channel, event)


@given(st.binary(max_size=60))
def test_no_bytes_break_the_envelope(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse.envelope(raw)


def test_a_listing_keeps_the_venue_rules_and_absent_flags_are_not_set() -> None:
    listing = listings.listing(a_product(post_only=True, alias="BTC-USD", product_id="BTC-USDC"))

    assert (listing.product, listing.wire_id) == ("BTC-USDC", "BTC-USD")
    assert (listing.is_post_only, listing.is_cancel_only, listing.is_disabled) == (True, False, False)
    assert listing.volume_24h_notional == Decimal("12.5")


@pytest.mark.parametrize(
    "change", [{"is_disabled": True}, {"trading_disabled": True}, {"view_only": True}, {"status": "delisted"}]
)
def test_a_product_that_cannot_be_traded_is_disabled(change: dict[str, Any]) -> None:
    assert listings.listing(a_product(**change)).is_disabled


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price_increment": None}, "product BTC-USD.price_increment"),
        ({"base_increment": "0"}, "product BTC-USD.base_increment"),
        ({"cancel_only": "yes"}, "product BTC-USD.cancel_only"),
        ({"product_type": "PERPETUAL"}, "product BTC-USD.product_type"),
        ({"product_type": "FUTURE"}, "product.future_product_details"),
    ],
)
def test_a_listing_without_a_rule_is_malformed_and_never_guessed(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed) as caught:
        listings.listing(a_product(**change))

    assert caught.value.field == field


FUTURE = {
    "product_id": "BIP-20DEC30-CDE",
    "product_type": "FUTURE",
    "status": "",
    "base_currency_id": "",
    "base_increment": "1",
    "base_min_size": "1",
    "base_max_size": "1000",
    "price_increment": "5",
    "future_product_details": {
        "contract_size": "0.01",
        "contract_root_unit": "BTC",
        "contract_expiry": "2030-12-20T16:00:00Z",
        "intraday_margin_rate": {"long_margin_rate": "0.1", "short_margin_rate": "0.11"},
        "overnight_margin_rate": {"long_margin_rate": "0.2", "short_margin_rate": "0.22"},
        "funding_rate": "0.0001",
    },
}


def test_a_future_is_listed_in_base_currency_with_its_terms() -> None:
    listing = listings.listing(a_product(**FUTURE))

    spec = listing.spec(Tier.T1)
    assert (spec.kind, spec.base_currency, spec.base_increment, spec.base_min_size) == (
        ("future", "BTC", Decimal("0.01"), Decimal("0.01"))
    )
    assert (spec.base_max_size, spec.price_increment, listing.unit) == (Decimal(10), Decimal(5), Decimal("0.01"))
    assert spec.future is not None
    assert (spec.future.intraday_margin_short, spec.future.overnight_margin_long) == (Decimal("0.11"), Decimal("0.2"))
    assert spec.future.funding_rate == Decimal("0.0001")


def test_a_future_is_disabled_while_its_session_is_shut() -> None:
    shut = a_product(**FUTURE, fcm_trading_session_details={"is_session_open": False})

    assert listings.listing(shut).is_disabled


def test_candles_come_oldest_first() -> None:
    ohlcv = {"open": "1", "high": "2", "low": "1", "close": "2", "volume": "0"}
    reply = {"candles": [{"start": "120", **ohlcv}, {"start": "60", **ohlcv}]}

    assert [int(c.start.timestamp()) for c in parse.candles(reply, "BTC-USD", "1m", NOW)] == [60, 120]


def test_a_candle_whose_close_is_above_its_high_is_malformed() -> None:
    candle = {"start": "60", "open": "1", "high": "2", "low": "1", "close": "3", "volume": "0"}

    with pytest.raises(Malformed, match="between low and high"):
        parse.candles({"candles": [candle]}, "BTC-USD", "1m", NOW)
