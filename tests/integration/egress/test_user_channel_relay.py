"""The drop copy sees what the venue does; the relay shows the same frames and never hides a gap."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.server import ServerConnection, serve

from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.risk_gate.adapters.relay import Relay
from gpt_trader.risk_gate.adapters.tls import client_context
from gpt_trader.risk_gate.adapters.user_channel import UserChannel
from gpt_trader.risk_gate.domain.venue import VenueOrder

Body = Callable[..., bytes]
Until = Callable[[Callable[[], bool]], Awaitable[None]]


@asynccontextmanager
async def watching(channel: UserChannel) -> AsyncIterator[list[VenueOrder]]:
    seen: list[VenueOrder] = []

    async def watch() -> None:
        async with contextlib.aclosing(channel.observations()) as observations:
            async for order in observations:
                seen.append(order)  # noqa: PERF401 - each must be visible before the next

    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch())
        yield seen
        task.cancel()


def client_order_id(body: bytes) -> str:
    return str(json.loads(body)["client_order_id"])


async def test_every_change_of_an_order_is_observed(
    hop: Any, user_channel: Callable[..., UserChannel], an_order_body: Body, until: Until
) -> None:
    body = an_order_body()
    async with watching(user_channel(hop.relay)) as seen:
        await until(lambda: hop.relay.is_open)
        _, created = await hop.post(hop.permits.approve(body))
        await hop.venue.cancel([created["success_response"]["order_id"]])

        def states() -> list[OrderStatus]:
            return [order.status for order in seen if order.client_order_id == client_order_id(body)]

        await until(lambda: OrderStatus.CANCELED in states())

    assert states()[0] is OrderStatus.OPEN


async def test_an_order_that_nobody_approved_is_observed(
    hop: Any, sim: Any, user_channel: Callable[..., UserChannel], an_order_body: Body, until: Until
) -> None:
    foreign = json.loads(an_order_body())

    async with watching(user_channel(hop.relay)) as seen:
        await until(lambda: hop.relay.is_open)
        await sim.admin_call("/orders/external", foreign)
        await until(lambda: any(order.client_order_id == foreign["client_order_id"] for order in seen))


async def test_the_relay_is_refused_while_the_channel_is_down(hop: Any) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await hop.client.ws_connect(f"https://{hop.address}/ws/user")

    assert refused.value.status == 503


async def test_the_relay_shows_raw_frames(
    hop: Any, user_channel: Callable[..., UserChannel], an_order_body: Body, until: Until
) -> None:
    body = an_order_body()
    async with watching(user_channel(hop.relay)):
        await until(lambda: hop.relay.is_open)
        async with hop.client.ws_connect(f"https://{hop.address}/ws/user") as socket:
            await hop.post(hop.permits.approve(body))
            async with asyncio.timeout(60):
                frames = [json.loads(await socket.receive_str())]
                while client_order_id(body) not in json.dumps(frames[-1]):
                    frames.append(json.loads(await socket.receive_str()))

    numbers = [frame["sequence_num"] for frame in frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert frames[-1]["channel"] == "user"


async def test_a_watcher_that_does_not_read_is_cut_off(hop: Any, until: Until) -> None:
    hop.relay.is_open = True
    socket = await hop.client.ws_connect(f"https://{hop.address}/ws/user")
    await until(lambda: hop.relay.watchers == 1)
    frame = "x" * 100_000

    for _ in range(3000):
        hop.relay.publish(frame)
        await asyncio.sleep(0)
    await until(lambda: hop.relay.watchers == 0)

    await socket.close()


@pytest.mark.parametrize("fault", ["ws_drop", "ws_gap"])
async def test_a_broken_channel_ends_the_relays_with_1012_and_comes_back(
    hop: Any, sim: Any, user_channel: Callable[..., UserChannel], until: Until, fault: str
) -> None:
    async with watching(user_channel(hop.relay)):
        await until(lambda: hop.relay.is_open)
        async with hop.client.ws_connect(f"https://{hop.address}/ws/user") as socket:
            await sim.arm(fault, match="heartbeats" if fault == "ws_gap" else "user")
            async with asyncio.timeout(60):
                while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                    pass

            assert (message.type, socket.close_code) == (aiohttp.WSMsgType.CLOSE, 1012)
        await until(lambda: hop.relay.is_open)


async def test_a_frame_that_is_no_text_breaks_the_channel_and_not_the_process(
    egress_tls: tuple[ssl.SSLContext, Path], user_channel: Callable[..., UserChannel], until: Until
) -> None:
    """Play the venue: confirm the subscription, then send bytes that are no UTF-8."""
    context, ca = egress_tls
    confirmed = {"channel": "subscriptions", "sequence_num": 0, "events": [{"subscriptions": {"user": ["u"]}}]}
    connections: list[ServerConnection] = []

    async def venue(socket: ServerConnection) -> None:
        connections.append(socket)
        await socket.send(json.dumps(confirmed))
        if len(connections) == 1:
            await socket.send(b'{"channel": "user\xff"}')
        await socket.wait_closed()

    relay = Relay()
    plain = user_channel(relay)
    async with serve(venue, "127.0.0.1", 0, ssl=context) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        plain.terms = replace(plain.terms, url=f"wss://127.0.0.1:{port}", tls=client_context(ca))
        async with watching(plain):
            await until(lambda: len(connections) == 2 and relay.is_open)


async def test_a_repeated_frame_is_passed_on_once(
    hop: Any, sim: Any, user_channel: Callable[..., UserChannel], an_order_body: Body, until: Until
) -> None:
    body = an_order_body()
    async with watching(user_channel(hop.relay)) as seen:
        await until(lambda: hop.relay.is_open)
        await sim.arm("ws_duplicate", match="user")
        await hop.post(hop.permits.approve(body))
        await until(lambda: bool(seen) and seen[-1].client_order_id == client_order_id(body))
        await asyncio.sleep(0.1)

    orders = [order for order in seen if order.client_order_id == client_order_id(body)]
    assert len(orders) == len(set(orders))


async def test_a_channel_without_heartbeats_is_given_up(
    hop: Any, sim: Any, user_channel: Callable[..., UserChannel], until: Until
) -> None:
    async with watching(user_channel(hop.relay)):
        await until(lambda: hop.relay.is_open)
        await sim.arm("stale_feed", match="heartbeats", times=-1)

        await until(lambda: not hop.relay.is_open)

        await sim.arm("stale_feed", times=0)
        await until(lambda: hop.relay.is_open)
