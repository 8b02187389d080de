"""The official WebSocket client, unmodified, on every channel; and the feed's own rules."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
import websockets
from coinbase.websocket import WebsocketResponse

CHANNELS = ["ticker", "ticker_batch", "level2", "market_trades", "candles", "status"]


def test_every_market_channel_answers_with_snapshot_ack_and_updates(
    sim: Any, listen: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    feed = listen(sim, is_anonymous=True)

    feed.client.subscribe(["BTC-USD", "ETH-USD"], CHANNELS)
    feed.client.heartbeats()

    for name in ("ticker", "ticker_batch", "l2_data", "market_trades", "candles"):
        eventually(lambda name=name: {event["type"] for event in feed.events(name)} >= {"snapshot", "update"})
    eventually(lambda: len(feed.events("heartbeats")) >= 2)
    assert len(feed.events("status")[0]["products"]) == 2
    beats = [event["heartbeat_counter"] for event in feed.events("heartbeats")]
    assert beats == list(range(beats[0], beats[0] + len(beats)))
    assert [message["sequence_num"] for message in feed.messages] == list(range(len(feed.messages)))
    assert feed.messages[0]["channel"] == "ticker"
    assert [event["subscriptions"] for event in feed.events("subscriptions")][-1]["heartbeats"] == ["heartbeats"]
    typed = [WebsocketResponse(dict(message)) for message in feed.messages]
    assert {one.channel for one in typed} >= {"l2_data", "subscriptions"}


def test_the_level2_stream_rebuilds_the_rest_book(
    sim: Any, listen: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    feed = listen(sim, is_anonymous=True)
    feed.client.subscribe(["SOL-USD"], ["level2"])
    eventually(lambda: len(feed.of("l2_data")) > 20)
    sim.post_admin("/market", product_id="SOL-USD", frozen=True)
    count = len(feed.of("l2_data"))
    eventually(lambda: len(feed.of("l2_data")) >= count)
    asyncio.run(asyncio.sleep(0.3))

    book: dict[tuple[str, str], str] = {}
    for event in feed.events("l2_data"):
        for update in event["updates"]:
            book[update["side"], update["price_level"]] = update["new_quantity"]
    rest = sim.client().get_product_book("SOL-USD").pricebook
    sim.post_admin("/market", product_id="SOL-USD", frozen=False)

    standing = {key: size for key, size in book.items() if size != "0"}
    expected = {("bid", level.price): level.size for level in rest.bids}
    assert standing == expected | {("offer", level.price): level.size for level in rest.asks}


def test_the_user_channel_reports_cumulative_states_and_the_fill(
    sim: Any, listen: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    client = sim.client()
    ask = sim.best()[1]
    feed = listen(sim)
    feed.client.user([])
    eventually(lambda: feed.events("user"))
    assert feed.events("user")[0]["type"] == "snapshot"

    created = client.limit_order_ioc_buy("user-1", "BTC-USD", "0.02", str(Decimal(ask) * 2 // 1))

    order_id = created.success_response["order_id"]
    last = eventually(
        lambda: [
            order
            for event in feed.events("user")
            for order in event["orders"]
            if order["order_id"] == order_id and order["status"] == "FILLED"
        ]
    )[-1]
    assert (last["cumulative_quantity"], last["leaves_quantity"], last["client_order_id"]) == ("0.02", "0", "user-1")
    assert (last["post_only"], last["order_type"], last["order_side"]) == ("false", "Limit", "BUY")
    [fill, *_] = client.get_fills(order_ids=[order_id]).fills
    assert fill.order_id == order_id


def test_the_user_snapshot_comes_in_batches_of_50(
    venue: Any, listen: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    client = venue.client()
    for number in range(50):
        client.limit_order_gtc_buy(f"batch-{number}", "BTC-USD", "0.001", "30000")
    feed = listen(venue)

    feed.client.user([])

    eventually(lambda: len(feed.events("user")) == 2)
    assert [len(event["orders"]) for event in feed.events("user")] == [50, 0]


def test_unsubscribing_everything_ends_in_an_empty_ack(
    sim: Any, listen: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    feed = listen(sim, is_anonymous=True)
    feed.client.subscribe(["BTC-USD"], ["ticker"])
    eventually(lambda: feed.of("ticker"))

    feed.client.unsubscribe(["BTC-USD"], ["ticker"])

    eventually(lambda: [one["events"] for one in feed.of("subscriptions")[-1:]] == [[{"subscriptions": {}}]])


async def drain(socket: Any, patience: float) -> None:
    while True:
        await asyncio.wait_for(socket.recv(), patience)


def trust(sim: Any) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=sim.ca)


async def test_errors_leave_the_socket_open_and_unnumbered(sim: Any) -> None:
    async with websockets.connect(sim.ws, ssl=trust(sim)) as socket:
        for message in (
            {"type": "subscribe", "channel": "user", "product_ids": []},
            {"type": "subscribe", "channel": "nonsense"},
            {"type": "subscribe", "channel": "ticker", "product_ids": ["BTC-USD"], "jwt": "bad"},
        ):
            await socket.send(json.dumps(message))
            assert json.loads(await socket.recv())["type"] == "error"
        await socket.send("not json")
        assert json.loads(await socket.recv())["type"] == "error"

        await socket.send(json.dumps({"type": "subscribe", "channel": "heartbeats"}))

        assert json.loads(await socket.recv())["sequence_num"] == 0


async def test_an_unknown_product_is_acknowledged_and_silent(sim: Any) -> None:
    async with websockets.connect(sim.ws + "/any/path", ssl=trust(sim)) as socket:
        await socket.send(json.dumps({"type": "subscribe", "channel": "ticker", "product_ids": ["NOPE-USD"]}))

        assert json.loads(await socket.recv())["events"] == [{"subscriptions": {"ticker": ["NOPE-USD"]}}]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.5)


async def test_a_silent_client_is_closed_after_five_seconds(sim: Any) -> None:
    async with websockets.connect(sim.ws, ssl=trust(sim)) as socket:
        await (await socket.ping())
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 60)


async def test_the_2026_profile_leaves_client_id_out_and_idle_sockets_close(start_sim: Callable[..., Any]) -> None:
    sim = start_sim("--profile", "2026", "--ws-idle-s", "1", "--no-deflate")

    async with websockets.connect(sim.ws, ssl=trust(sim)) as socket:
        await socket.send(json.dumps({"type": "subscribe", "channel": "status", "product_ids": ["BTC-USD"]}))
        message = json.loads(await socket.recv())
        assert "client_id" not in message
        await socket.recv()
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 60)


@asynccontextmanager
async def feed(venue: Any, *channels: str) -> AsyncIterator[Any]:
    async with websockets.connect(venue.ws, ssl=trust(venue), max_size=None) as socket:
        for channel in channels:
            await socket.send(json.dumps({"type": "subscribe", "channel": channel, "product_ids": ["BTC-USD"]}))
        while json.loads(await socket.recv())["channel"] != "subscriptions":
            pass
        yield socket


async def numbers(socket: Any, count: int) -> list[int]:
    return [json.loads(await asyncio.wait_for(socket.recv(), 60))["sequence_num"] for _ in range(count)]


@pytest.mark.parametrize(
    ("kind", "steps"),
    [("ws_gap", {1, 2}), ("ws_duplicate", {0, 1}), ("ws_reorder", {2, -1, 1}), ("ws_loss", {1})],
)
async def test_messages_are_lost_repeated_and_out_of_order_on_command(venue: Any, kind: str, steps: set[int]) -> None:
    async with feed(venue, "ticker") as socket:
        found = await numbers(socket, 1)
        venue.armed(kind, match="ticker:BTC-USD", product="BTC-USD")

        while not venue.fired():
            found += await numbers(socket, 1)
        found += await numbers(socket, 8)

    assert {later - earlier for earlier, later in pairwise(found)} == (steps | {2} if kind == "ws_reorder" else steps)
    [fired] = venue.fired()
    assert (fired["fault"]["kind"], fired["target"]) == (kind, "ticker:BTC-USD")


async def test_a_feed_goes_silent_while_the_socket_stays_open_and_comes_back(venue: Any) -> None:
    async with feed(venue, "ticker", "heartbeats") as socket:
        venue.armed("stale_feed", for_s=4)
        await asyncio.sleep(0.1)
        with contextlib.suppress(TimeoutError):
            await drain(socket, 0.2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 1)
        await (await socket.ping())
        await asyncio.wait_for(socket.recv(), 60)


@pytest.mark.parametrize(("code", "seen"), [(1006, None), (1001, 1001)])
async def test_a_socket_is_dropped_with_and_without_a_word(venue: Any, code: int, seen: int | None) -> None:
    async with feed(venue, "ticker") as socket:
        venue.armed("ws_drop", match="ticker", value=code)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await drain(socket, 60)
    assert (closed.value.rcvd and closed.value.rcvd.code) == seen


async def test_a_storm_cuts_every_connection_until_it_is_over(venue: Any) -> None:
    venue.armed("ws_storm", for_s=0.8, value=50)
    lives = 0
    while not any(one.get("phase") == "ended" for one in venue.fired()):
        async with websockets.connect(venue.ws, ssl=trust(venue)) as socket:
            await socket.send(json.dumps({"type": "subscribe", "channel": "ticker", "product_ids": ["BTC-USD"]}))
            with pytest.raises((websockets.ConnectionClosed, TimeoutError)):
                await asyncio.wait_for(drain(socket, 1), 0.5)
        lives += 1
    async with feed(venue, "ticker") as socket:
        assert await numbers(socket, 5)
    assert lives > 2


async def test_a_snapshot_exceeds_what_clients_usually_take(venue: Any) -> None:
    venue.armed("ws_big_snapshot", match="level2", value=11)
    async with websockets.connect(venue.ws, ssl=trust(venue), max_size=None) as socket:
        await socket.send(json.dumps({"type": "subscribe", "channel": "level2", "product_ids": ["BTC-USD"]}))
        first = await socket.recv()
    assert 11 << 20 < len(first) < 12 << 20
    bids = [one for one in json.loads(first)["events"][0]["updates"] if one["side"] == "bid"]
    assert len(bids) > 10


async def test_a_good_subscription_is_refused_on_command(venue: Any) -> None:
    venue.armed("ws_refuse", match="ticker")
    async with websockets.connect(venue.ws, ssl=trust(venue)) as socket:
        ask = json.dumps({"type": "subscribe", "channel": "ticker", "product_ids": ["BTC-USD"]})
        await socket.send(ask)
        refused = json.loads(await socket.recv())
        await socket.send(ask)
        assert refused == {"type": "error", "message": "authentication failure"}
        assert json.loads(await socket.recv())["channel"] in {"ticker", "subscriptions"}
