"""ccxt, unmodified, trading and listening: only addresses, keys and the trusted certificate are configured."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from ccxt.base.errors import ExchangeError, InsufficientFunds
from ccxt.pro import coinbase

BTC = "BTC/USD"


@pytest.fixture
async def exchange(venue: Any) -> AsyncIterator[coinbase]:
    key = json.loads(Path(venue.key_file).read_text())
    client = coinbase(
        {
            "apiKey": key["name"],
            "secret": key["privateKey"],
            "cafile": venue.ca,
            "urls": {"api": {"rest": f"https://{venue.rest}", "ws": venue.ws}},
        }
    )
    yield client
    await client.close()


async def test_ccxt_reads_the_market_and_the_account(exchange: coinbase) -> None:
    markets = await exchange.load_markets()
    by_old_route, balances = await exchange.fetch_balance(), await exchange.fetch_balance({"v3": True})
    ticker, tickers = await exchange.fetch_ticker(BTC), await exchange.fetch_tickers([BTC, "ETH/USD"])
    book = await exchange.fetch_order_book(BTC, 5)
    candles = await exchange.fetch_ohlcv(BTC, "1m", limit=5)

    market = markets[BTC]
    assert (market["active"], market["precision"]) == (True, {"amount": 1e-08, "price": 0.01})
    assert (market["taker"], market["maker"]) == (0.001, 0.0006)
    assert by_old_route["USD"]["total"] == balances["USD"]["free"] == 1_000_000
    assert ticker["bid"] < ticker["ask"]
    assert tickers["ETH/USD"]["last"] > 0
    assert (len(book["bids"]), book["bids"][0][0] < book["asks"][0][0]) == (5, True)
    assert len(candles) == 5
    assert len(await exchange.fetch_trades(BTC, limit=3)) == 3
    assert abs(await exchange.fetch_time() - exchange.milliseconds()) < 60_000


async def test_ccxt_creates_fetches_edits_and_cancels_orders(venue: Any, exchange: coinbase) -> None:
    bid = float(venue.best()[0])
    resting = await exchange.create_order(BTC, "limit", "buy", 0.01, round(bid * 0.9, 2), {"post_only": True})
    await exchange.edit_order(resting["id"], BTC, "limit", "buy", 0.02, round(bid * 0.9, 2))
    opened = await exchange.fetch_open_orders(BTC)
    assert [(one["id"], one["status"], one["amount"]) for one in opened] == [(resting["id"], "open", 0.02)]
    assert (await exchange.fetch_balance({"v3": True}))["USD"]["used"] > 0

    await exchange.cancel_order(resting["id"])
    cancelled = await exchange.fetch_order(resting["id"])

    assert (cancelled["status"], cancelled["filled"]) == ("canceled", 0)
    assert [one["id"] for one in await exchange.fetch_canceled_orders(BTC)] == [resting["id"]]


async def test_ccxt_trades_and_reads_what_it_traded(venue: Any, exchange: coinbase) -> None:
    bought = await exchange.create_order(BTC, "market", "buy", 0.01, None, {"cost": 500})
    ask = float(venue.best()[1])
    swept = await exchange.create_order(BTC, "limit", "sell", 0.01, round(ask * 0.99, 2), {"timeInForce": "IOC"})
    stop = await exchange.create_order(
        BTC, "limit", "sell", 0.01, round(ask * 0.9, 2), {"stopLossPrice": round(ask * 0.91, 2)}
    )
    trades = await exchange.fetch_my_trades(BTC)

    order = await exchange.fetch_order(bought["id"])
    assert (order["status"], order["side"], float(order["fee"]["cost"]) > 0) == ("closed", "buy", True)
    assert {trade["order"] for trade in trades} == {bought["id"], swept["id"]}
    assert sum(t["amount"] for t in trades if t["order"] == swept["id"]) == pytest.approx(0.01)
    assert (await exchange.fetch_order(stop["id"]))["status"] == "open"
    assert len(await exchange.cancel_orders([stop["id"]])) == 1
    with pytest.raises(InsufficientFunds):
        await exchange.create_order(BTC, "limit", "buy", 1000, round(ask * 0.9, 2))
    with pytest.raises(ExchangeError, match="not found"):
        await exchange.fetch_order("nothing")


async def test_ccxt_watches_ticker_book_trades_and_own_orders(venue: Any, exchange: coinbase) -> None:
    async with asyncio.timeout(60):
        ticker = await exchange.watch_ticker(BTC)
        book = await exchange.watch_order_book(BTC)
        trades = await exchange.watch_trades(BTC)
        async with asyncio.TaskGroup() as group:
            orders = group.create_task(exchange.watch_orders(BTC))
            await asyncio.sleep(0.2)
            placed = await exchange.create_order(BTC, "limit", "buy", 0.01, round(float(venue.best()[0]) * 0.9, 2))

    assert ticker["bid"] < ticker["ask"]
    assert book["bids"][0][0] < book["asks"][0][0]
    assert trades[-1]["price"] > 0
    assert [order["id"] for order in orders.result()] == [placed["id"]]
