"""The official clients, unmodified, against the venue's US futures."""

import json
import ssl
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from coinbase.websocket.types.websocket_response import WebsocketResponse
from requests import HTTPError
from websockets.sync.client import connect

PERP, DATED = "BIP-20DEC30-CDE", "BIT-27DEC30-CDE"
WEDNESDAY = "2026-11-18T15:00:00Z"
OPTIONS = ("--futures", f"{PERP},{DATED}", "--key-kind", "with-transfer", "--private-limit", "0")


@pytest.fixture(scope="module")
def sim(running: Callable[..., Any]) -> Iterator[Any]:
    """Open a venue with futures on a Wednesday morning in New York."""
    with running(*OPTIONS, "--clock-start", WEDNESDAY) as one:
        yield one


@pytest.fixture
def pit(venue: Any) -> Any:
    """Hand it over as at its start, with the market held still."""
    venue.post_admin("/market", frozen=True)
    return venue


def amount(summary: Any, name: str) -> Decimal:
    return Decimal(summary.balance_summary[name]["value"])


def bought(sim: Any, contracts: str = "10", number: str = "buy") -> Any:
    created = sim.client().market_order_buy(number, PERP, base_size=contracts)
    assert created.success, created.to_dict()
    return created


def test_futures_are_products_of_their_own(pit: Any) -> None:
    client = pit.client()

    futures = client.get_products(product_type="FUTURE", contract_expiry_type="EXPIRING").products
    one = client.get_product(PERP)
    public = pit.public().get_public_products(product_type="FUTURE").products

    assert [product.product_id for product in futures] == [product.product_id for product in public] == [PERP, DATED]
    assert len(client.get_products(product_type="SPOT").products) == 6
    assert (one.product_type, one.product_venue, one.status) == ("FUTURE", "FCM", "")
    assert (one.base_increment, one.price_increment, one.quote_increment) == ("1", "5", "0.01")
    assert one.fcm_trading_session_details["is_session_open"] is True
    assert one.fcm_trading_session_details["maintenance"]["start_time"].startswith("2026-11-20T22:00")
    details = one.future_product_details
    assert (details["contract_size"], details["contract_root_unit"], details["funding_interval"]) == (
        ("0.01", "BTC", "3600s")
    )
    assert details["overnight_margin_rate"] == {"long_margin_rate": "0.2", "short_margin_rate": "0.22"}


def test_market_data_of_futures_comes_as_for_spot(pit: Any, eventually: Callable[..., Any]) -> None:
    client = pit.client()
    pit.post_admin("/market", frozen=False)

    trades = eventually(lambda: client.get_market_trades(PERP, limit=3).trades)
    book = client.get_product_book(PERP).pricebook
    now = int(client.get_unix_time().epoch_seconds)
    candles = client.get_candles(PERP, str(now - 3600), str(now), "ONE_MINUTE").candles

    assert all(Decimal(level.price) % 5 == 0 and Decimal(level.size) % 1 == 0 for level in [*book.bids, *book.asks])
    assert Decimal(trades[0].size) % 1 == 0
    assert len(candles) >= 59
    spot = Decimal(client.get_product("BTC-USD").price)
    assert abs(Decimal(client.get_product(PERP).price) / spot - 1) < Decimal("0.005")
    assert Decimal("1.15") < Decimal(client.get_product(DATED).price) / spot < Decimal("1.25")


def test_a_position_is_opened_valued_and_closed(pit: Any) -> None:
    client = pit.client()
    preview = client.preview_market_order_buy(PERP, base_size="10")

    created = bought(pit)
    order = client.get_order(created.success_response["order_id"]).order
    summary = client.get_futures_balance_summary()
    position = client.get_futures_position(PERP).position
    fills = client.get_fills(product_ids=[PERP]).fills
    listed = client.list_futures_positions().positions
    part = client.close_position("close-1", PERP, size="4")
    rest = client.close_position("close-2", PERP)
    again = client.close_position("close-2", PERP)
    nothing = client.close_position("close-3", PERP)

    assert preview.errs == []
    assert (order.status, order.product_type, order.filled_size) == ("FILLED", "FUTURE", "10")
    notional = Decimal(order.average_filled_price) * 10 * Decimal("0.01")
    assert abs(Decimal(order.filled_value) - notional) < Decimal("0.00001")
    assert Decimal(order.total_fees) == Decimal(order.filled_value) * Decimal("0.0003") + Decimal("1.5")
    assert sum(Decimal(fill.commission) for fill in fills) == Decimal(order.total_fees)
    assert (position.side, position.number_of_contracts) == ("LONG", "10")
    assert [one.product_id for one in listed] == [PERP]
    assert amount(summary, "total_usd_balance") == Decimal(100000) - Decimal(order.total_fees)
    assert amount(summary, "cfm_usd_balance") < Decimal(preview.order_margin_total) * 2
    assert amount(summary, "liquidation_threshold") == amount(summary, "initial_margin") * Decimal("0.9")
    assert (part.success_response["side"], rest.order_configuration.market_market_ioc.base_size) == ("SELL", "6")
    assert again.success_response["order_id"] == rest.success_response["order_id"]
    assert nothing.error_response["error"] == "CANNOT_CLOSE_ZERO_POSITION"
    assert client.list_futures_positions().positions == []
    with pytest.raises(HTTPError, match="404"):
        client.get_futures_position(PERP)


def test_orders_are_filtered_summed_and_refused_as_futures(pit: Any) -> None:
    client = pit.client()
    bought(pit)
    low = "50000"

    resting = client.limit_order_gtc_buy("rest", PERP, "2", low)
    order_id = resting.success_response["order_id"]
    edited = client.edit_order(order_id, size="1", price="49995")
    spot = client.list_orders(product_type="SPOT").orders
    futures = client.list_orders(product_type="FUTURE").orders
    summary = client.get_transaction_summary(product_type="FUTURE", product_venue="FCM")
    spot_summary = client.get_transaction_summary(product_type="SPOT")
    held = amount(client.get_futures_balance_summary(), "total_open_orders_hold_amount")
    client.cancel_orders([order_id])

    assert edited.errors[0].edit_failure_reason == "CANNOT_EDIT_FUTURES_ORDER"
    assert (len(spot), len(futures)) == (0, 2)
    assert (summary.total_volume > 0, summary.fee_tier["taker_fee_rate"]) == (True, "0.0003")
    assert (spot_summary.total_volume, spot_summary.fee_tier["taker_fee_rate"]) == (0, "0.001")
    assert held > 2 * 500 * Decimal("0.2")
    assert amount(client.get_futures_balance_summary(), "total_open_orders_hold_amount") == 0
    too_large = client.market_order_buy("huge", PERP, base_size="5000")
    assert too_large.error_response["preview_failure_reason"] == "PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES"
    by_money = client.market_order_buy("money", PERP, quote_size="500")
    assert by_money.error_response["error"] == "UNSUPPORTED_ORDER_CONFIGURATION"


def test_margin_setting_and_window(pit: Any) -> None:
    client = pit.client()
    bought(pit)
    standard = amount(client.get_futures_balance_summary(), "initial_margin")

    before = client.get_intraday_margin_setting().setting
    client.set_intraday_margin_setting("INTRADAY_MARGIN_SETTING_INTRADAY")
    after = client.get_intraday_margin_setting().setting
    intraday = amount(client.get_futures_balance_summary(), "initial_margin")
    window = client.get_current_margin_window("MARGIN_PROFILE_TYPE_RETAIL_INTRADAY_MARGIN_1").margin_window
    pit.post_admin("/market", margin_window="OVERNIGHT")
    forced = client.get_current_margin_window("MARGIN_PROFILE_TYPE_RETAIL_REGULAR").margin_window

    assert (before, after) == ("INTRADAY_MARGIN_SETTING_STANDARD", "INTRADAY_MARGIN_SETTING_INTRADAY")
    assert (window["margin_window_type"], window["end_time"]) == (
        ("FCM_MARGIN_WINDOW_TYPE_INTRADAY", "2026-11-18T21:00:00.000000Z")
    )
    assert standard == intraday * 2 == amount(client.get_futures_balance_summary(), "initial_margin")
    assert forced["margin_window_type"] == "FCM_MARGIN_WINDOW_TYPE_OVERNIGHT"
    pit.post_admin("/market", product_id=PERP, overnight_margin_rate="0.4")
    assert amount(client.get_futures_balance_summary(), "initial_margin") == standard * 2


def test_sweeps_are_scheduled_listed_and_cancelled(pit: Any) -> None:
    client = pit.client()
    bought(pit)
    client.close_position("close", PERP)

    scheduled = client.schedule_futures_sweep("100.50")
    sweep = client.list_futures_sweeps().sweeps[0]
    with pytest.raises(HTTPError, match="400"):
        client.schedule_futures_sweep("1")
    cancelled = client.cancel_pending_futures_sweep()
    everything = client.schedule_futures_sweep("")

    assert (scheduled.success, cancelled.success, everything.success) == (True, True, True)
    assert (sweep.status, sweep.requested_amount["value"], sweep.should_sweep_all) == ("PENDING", "100.5", False)
    assert sweep.schedule_time == "2026-11-19T14:00:00.000000Z"
    assert client.list_futures_sweeps().sweeps[0].should_sweep_all is True


def test_scopes_of_the_futures_routes(start_sim: Callable[..., Any]) -> None:
    sim = start_sim("--futures", PERP)
    trader, viewer = sim.client(), sim.client(sim.view_key_file)

    assert viewer.get_futures_balance_summary().balance_summary
    assert trader.set_intraday_margin_setting("INTRADAY_MARGIN_SETTING_STANDARD").to_dict() == {}
    for call in (
        lambda: trader.schedule_futures_sweep("1"),
        trader.cancel_pending_futures_sweep,
        lambda: viewer.set_intraday_margin_setting("INTRADAY_MARGIN_SETTING_STANDARD"),
        lambda: viewer.close_position("x", PERP),
    ):
        with pytest.raises(HTTPError, match="Missing Required Scopes"):
            call()
    with pytest.raises(HTTPError, match="400"):
        trader.set_intraday_margin_setting("SOMETHING")


def test_the_portfolio_shows_futures_beside_spot(pit: Any) -> None:
    client = pit.client()
    bought(pit)

    breakdown = client.get_portfolio_breakdown(client.get_portfolios().portfolios[0].uuid).breakdown
    books = pit.get_admin("/books")

    position = breakdown.futures_positions[0]
    assert (position["product_id"], position["side"], position["amount"]) == (
        (PERP, "FUTURES_POSITION_SIDE_LONG", "10")
    )
    assert Decimal(breakdown.portfolio_balances["total_futures_balance"]["value"]) > 1000
    assert books["futures"]["positions"][0]["number_of_contracts"] == "10"
    assert {"transfer_to_futures", "fee"} <= {event["event"] for event in books["events"]}
    assert Decimal(books["balances"]["USD"]["total"]) + Decimal(books["futures"]["summary"]["cfm_usd_balance"]) < 100000


def test_liquidation_leaves_an_order_that_says_so(pit: Any, eventually: Callable[..., Any]) -> None:
    client = pit.client()
    bought(pit, "100")

    pit.post_admin("/market", frozen=False, jump_percent="-25")

    def liquidated() -> list[Any]:
        return [order for order in client.list_orders(product_ids=[PERP]).orders if order.is_liquidation]

    order = eventually(liquidated)[-1]
    assert (order.order_type, order.side) == ("LIQUIDATION", "SELL")
    eventually(lambda: not client.list_futures_positions().positions)
    assert Decimal(pit.get_admin("/books")["futures"]["summary"]["daily_realized_pnl"]) < -9000


def test_a_contract_can_be_expired_now(pit: Any) -> None:
    client = pit.client()
    client.market_order_sell("short", DATED, base_size="3")

    pit.post_admin("/market", product_id=DATED, expire=True)
    refused = client.market_order_buy("late", DATED, base_size="1")

    assert client.list_futures_positions().positions == []
    assert refused.error_response["error"] == "UNTRADABLE_PRODUCT"
    assert [one.product_id for one in client.get_products(product_type="FUTURE").products] == [PERP]
    assert (
        client.get_products(product_type="FUTURE", expiring_contract_status="STATUS_EXPIRED").products[0].product_id
        == DATED
    )
    assert client.get_product(DATED).fcm_trading_session_details["is_session_open"] is False


def test_funding_is_paid_on_the_hour_at_the_rate_a_test_sets(
    start_sim: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    sim = start_sim(*OPTIONS, "--clock-start", "2026-11-18T14:59:00Z", "--clock-rate", "20")
    sim.post_admin("/market", product_id=PERP, funding_rate="-0.001")
    bought(sim)

    paid = eventually(lambda: [e for e in sim.get_admin("/books")["events"] if e["event"] == "funding"])

    assert Decimal(paid[0]["amount"]) > 5
    assert sim.client().get_product(PERP).future_product_details["funding_rate"] == "-0.001"


def test_friday_maintenance_shuts_the_session(
    start_sim: Callable[..., Any], listen: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    sim = start_sim(*OPTIONS, "--clock-start", "2026-11-20T22:30:00Z")
    client = sim.client()

    feed = listen(sim, is_anonymous=True)
    feed.client.ticker([PERP])

    refused = client.limit_order_gtc_buy("late", PERP, "1", "60000")
    ticker = eventually(lambda: feed.events("ticker"))[-1]["tickers"][-1]
    product = client.get_product(PERP)

    assert refused.error_response["error"] == "INVALID_FCM_TRADING_SESSION"
    assert (product.best_bid_price, product.best_ask_price, product.trading_disabled) == ("", "", False)
    assert product.fcm_trading_session_details["is_session_open"] is False
    assert (ticker["best_bid"], ticker["best_ask"], Decimal(ticker["price"]) > 0) == ("", "", True)
    assert client.market_order_buy("spot", "BTC-USD", quote_size="100").success


def test_the_feed_tells_balances_and_positions(
    pit: Any, listen: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    listener = listen(pit)
    listener.client.futures_balance_summary()
    listener.client.user([])
    eventually(lambda: listener.events("futures_balance_summary") and listener.events("user"))

    bought(pit)
    changed = eventually(
        lambda: [
            event["fcm_balance_summary"]
            for event in listener.events("futures_balance_summary")
            if event["fcm_balance_summary"]["cfm_usd_balance"] != "0"
        ]
    )[-1]
    update = eventually(lambda: [event for event in listener.events("user") if event["type"] == "update"])[-1]

    position = update["positions"]["expiring_futures_positions"][0]
    assert (position["product_id"], position["side"], position["number_of_contracts"]) == (PERP, "LONG", "10")
    assert (update["orders"][0]["product_type"], update["orders"][0]["risk_managed_by"]) == ("FUTURE", "MANAGED_BY_FCM")
    assert changed["overnight_margin_window_measure"]["margin_window_type"] == "FCM_MARGIN_WINDOW_TYPE_OVERNIGHT"
    assert Decimal(changed["initial_margin"]) > 1000
    typed: Any = WebsocketResponse(listener.of("futures_balance_summary")[0])  # type: ignore[no-untyped-call]  # the SDK's
    assert typed.events[0].fcm_balance_summary.cbi_usd_balance == "100000"


def test_market_channels_carry_futures_and_the_balance_channel_needs_a_key(
    pit: Any, listen: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    pit.post_admin("/market", frozen=False)
    anonymous = listen(pit, is_anonymous=True)

    anonymous.client.subscribe([PERP], ["level2", "ticker", "market_trades", "candles"])
    for channel in ("l2_data", "ticker", "market_trades", "candles"):
        eventually(lambda channel=channel: anonymous.events(channel))

    trust = ssl.create_default_context(cafile=pit.ca)
    with connect(pit.ws, ssl=trust) as raw:
        raw.send('{"type":"subscribe","channel":"futures_balance_summary","product_ids":[]}')
        assert json.loads(raw.recv(5)) == {"type": "error", "message": "authentication failure"}
