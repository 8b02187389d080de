"""Whatever the venue, the network or the process does: one venue order per approval at most, and equal books."""

import asyncio
import time
from typing import Any

import nats
import orjson

from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.subjects import STREAMS
from gpt_trader.runtime.infrastructure.provision import stream_config

CREATE = "POST /api/v3/brokerage/orders"
FAULTS = (
    ("lost_reply", 0, OrderStatus.FILLED),
    ("http_500_after_accept", 0, OrderStatus.FILLED),
    ("http_500_before_accept", 0, OrderStatus.FAILED),
    ("drop_connection_after_accept", 0, OrderStatus.FILLED),
    ("http_429", 0, OrderStatus.REJECTED),
    ("reject_401_once", 0, OrderStatus.REJECTED),
    ("slow_ms", 1200, OrderStatus.FILLED),
    ("slow_ms", 2600, None),
)


async def test_every_fault_of_a_create_ends_as_the_venue_has_it(world: Any) -> None:
    await world.exchange.fault("no_idempotency", times=-1)
    await world.executor.start()
    expected = {}

    for kind, value, status in FAULTS:
        await world.exchange.fault(kind, CREATE, value=value)
        order_id = await world.gate.approve(await world.buy())
        expected[order_id] = status
        await world.posted(len(expected))
        await world.exchange.struck(kind)

    for order_id, status in expected.items():
        end = await world.ended(order_id)
        assert status in {None, end.status}, (end, [one.status for one in await world.life(order_id)])
    assert len(world.egress.permits) == len(FAULTS)
    assert len(world.egress.posted) == len(FAULTS)
    await world.check_books()


async def test_a_permit_that_was_issued_before_is_resolved_by_listing_and_never_sent_again(world: Any) -> None:
    await world.executor.start()
    intent = await world.buy()
    world.egress.permits.append(intent.client_order_id)

    await world.gate.approve(intent)
    end = await world.ended(intent.client_order_id)

    assert [event.status for event in await world.life(intent.client_order_id)] == [
        OrderStatus.SUBMITTING,
        OrderStatus.UNKNOWN,
        OrderStatus.FAILED,
    ]
    assert end.reason == "absent_at_venue"
    assert len(world.egress.posted) == 1
    await world.check_books()


CHANNEL_FAULTS = ("ws_drop", "ws_gap", "ws_duplicate", "ws_reorder", "stale_feed")
"""Closed; a message lost; one told twice; two the other way round; open, and nothing of orders is told at all."""


async def test_orders_that_end_while_the_user_channel_fails_are_counted_once(world: Any) -> None:
    await world.executor.start("--reconcile-seconds", "2")
    relays = world.egress.relays

    for fault in CHANNEL_FAULTS:
        lasts = -1 if fault == "stale_feed" else 1
        orders = [await world.gate.approve(await world.rest("0.001")) for _ in range(3)]
        for order_id in orders:
            await world.reached(order_id, OrderStatus.OPEN)
        await world.exchange.fault(fault, "user", times=lasts)
        await world.exchange.move("BTC-USD", -30)
        for order_id in orders:
            assert (await world.ended(order_id)).status is OrderStatus.FILLED, fault
        await world.exchange.fault(fault, times=0)

    assert world.egress.relays > relays
    await world.check_books()


async def test_a_warm_start_counts_what_filled_meanwhile(world: Any) -> None:
    await world.executor.start()
    resting = [await world.gate.approve(await world.rest("0.001")) for _ in range(2)]
    for order_id in resting:
        await world.reached(order_id, OrderStatus.OPEN)

    await world.executor.kill()
    await world.exchange.move("BTC-USD", -30)
    await world.executor.start()

    for order_id in resting:
        assert (await world.ended(order_id)).status is OrderStatus.FILLED
    await world.check_books()


async def test_an_executor_without_a_journal_says_nothing_again_and_follows_what_is_open(
    world: Any, own_nats_stack: Any
) -> None:
    await forget_message_ids(own_nats_stack)
    await world.executor.start()
    await world.exchange.fault("reject_401_once", CREATE)
    refused = await world.gate.approve(await world.buy())
    assert (await world.ended(refused)).status is OrderStatus.REJECTED
    filled = await world.gate.approve(await world.buy())
    assert (await world.ended(filled)).status is OrderStatus.FILLED
    resting = [await world.gate.approve(await world.rest("0.001")) for _ in range(2)]
    for order_id in resting:
        await world.reached(order_id, OrderStatus.OPEN)
    said, sent = await world.events(), len(world.egress.posted)

    await world.executor.kill()
    await world.exchange.move("BTC-USD", -30)
    await world.executor.start(journal="another")

    for order_id in resting:
        assert (await world.ended(order_id)).status is OrderStatus.FILLED
    told = (await world.events())[len(said) :]
    assert sorted(one.client_order_id for one in told) == sorted(resting), "their ends, and nothing again"
    assert {one.revision for one in told} == {3}, "after submitting and open, the gate takes it for news"
    assert len(world.egress.posted) == sent, "nothing is sent that a lost journal may have sent"
    await world.check_books()


async def forget_message_ids(stack: Any) -> None:
    """Let the bus take every repetition, as it does of what was said minutes ago."""
    client = await nats.connect(
        stack.url, nkeys_seed_str=stack.provisioner_seed.read_text(), inbox_prefix="_INBOX_provisioner"
    )
    for stream in STREAMS:
        if stream.name in {"ORDERS", "FILLS"}:
            forgetful = {**stream_config(stream), "duplicate_window": 100_000_000}
            answer = await client.request(f"$JS.API.STREAM.UPDATE.{stream.name}", orjson.dumps(forgetful))
            assert "error" not in orjson.loads(answer.data)
    await client.close()


async def test_reports_wait_for_the_bus_and_come_once(world: Any, own_nats_stack: Any) -> None:
    await world.executor.start()
    await world.exchange.fault("slow_ms", CREATE, value=500)
    order_id = await world.gate.approve(await world.buy())
    await world.posted(1)

    own_nats_stack.kill()
    await asyncio.sleep(1.5)
    own_nats_stack.start()

    assert (await world.ended(order_id)).status is OrderStatus.FILLED
    await world.check_books()


async def test_an_order_leaves_within_milliseconds_of_its_approval(world: Any) -> None:
    await world.executor.start()
    took, stored = [], []
    for count in range(1, 41):
        intent = await world.buy("0.001")
        began = time.monotonic()
        await world.gate.approve(intent)
        stored.append((time.monotonic() - began) * 1000)
        await world.posted(count)
        took.append((world.egress.arrived_at[-1] - intent.approved_at).total_seconds() * 1000)

    took.sort()
    stored.sort()
    print(f"approval to egress: p50 {took[20]:.1f} ms, max {took[-1]:.1f} ms; on the bus: p50 {stored[20]:.1f} ms")
    assert took[20] < max(100, 10 * stored[20]), "where the bus alone is slow, so is this machine"


async def test_fifty_orders_at_once_end_with_equal_books(world: Any) -> None:
    await world.exchange.fault("no_idempotency", times=-1)
    await world.exchange.fault("http_500_after_accept", CREATE, times=5)
    await world.executor.start()
    intents = 50

    approved = [await world.gate.approve(await world.buy("0.001")) for _ in range(intents)]

    for order_id in approved:
        assert (await world.ended(order_id)).status in {OrderStatus.FILLED, OrderStatus.CANCELED}
    assert len(world.egress.posted) == intents
    await world.check_books()
