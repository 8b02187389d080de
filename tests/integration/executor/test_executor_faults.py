"""Whatever the venue, the network or the process does: one venue order per approval at most, and equal books."""

import asyncio
import random
from typing import Any

import pytest

from gpt_trader.contracts.orders import OrderStatus

pytestmark = pytest.mark.timeout(200)

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
        await asyncio.sleep(0.1)

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


async def test_orders_that_ended_while_the_user_channel_was_down_are_counted(world: Any) -> None:
    await world.executor.start()
    orders = [await world.gate.approve(await world.rest()) for _ in range(5)]
    for order_id in orders:
        await world.reached(order_id, OrderStatus.OPEN)
    relays = world.egress.relays

    await world.exchange.fault("ws_drop", "user", value=1006)
    await world.exchange.move("BTC-USD", -30)
    for order_id in orders:
        assert (await world.ended(order_id)).status is OrderStatus.FILLED

    assert world.egress.relays > relays
    await world.check_books()


async def test_the_killed_executor_finds_what_its_interrupted_create_became(world: Any) -> None:
    await world.exchange.fault("no_idempotency", times=-1)
    await world.executor.start()
    await world.exchange.fault("slow_ms", CREATE, value=700)
    order_id = await world.gate.approve(await world.buy())
    await world.posted(1)

    await world.executor.kill()
    await asyncio.sleep(1.0)
    await world.executor.start()

    statuses = [event.status for event in await world.life(order_id)]
    assert (await world.ended(order_id)).status is OrderStatus.FILLED
    assert OrderStatus.UNKNOWN in statuses or OrderStatus.UNKNOWN in [e.status for e in await world.life(order_id)]
    assert len(world.egress.posted) == 1
    await world.check_books()


async def test_kills_at_random_moments_never_make_a_second_order_and_lose_no_fill(world: Any) -> None:
    """Kill -9 the process 12 times while approvals and venue faults come in, then let it finish."""
    seed = 20261121
    rng = random.Random(seed)
    await world.exchange.fault("no_idempotency", times=-1)
    await world.executor.start()
    approved = []

    for _ in range(12):
        for _ in range(rng.randint(1, 4)):
            if rng.random() < 0.4:
                kind = rng.choice(["http_500_after_accept", "drop_connection_after_accept", "http_500_before_accept"])
                await world.exchange.fault(kind, CREATE)
            if rng.random() < 0.3:
                await world.exchange.fault("slow_ms", CREATE, value=rng.randint(20, 400))
            intent = await (world.buy() if rng.random() < 0.7 else world.rest())
            approved.append(await world.gate.approve(intent))
        await asyncio.sleep(rng.uniform(0, 0.15))
        await world.executor.kill()
        await world.executor.start(wait=rng.random() < 0.8)
    await world.executor.ready()

    await world.settled(approved)
    assert len(world.egress.posted) == len({body for body, _ in world.egress.posted}), "a body was posted twice"
    await world.check_books()
    statuses = [(await world.life(order_id))[-1].status for order_id in approved]
    print(f"seed {seed}: {len(approved)} approvals, {len(world.egress.permits)} permits,",
          {status.value: statuses.count(status) for status in set(statuses)})  # fmt: skip


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
    took = []
    for count in range(1, 41):
        intent = await world.buy("0.001")
        await world.gate.approve(intent)
        await world.posted(count)
        took.append((world.egress.arrived_at[-1] - intent.approved_at).total_seconds() * 1000)

    took.sort()
    print(f"approval to egress: p50 {took[20]:.1f} ms, max {took[-1]:.1f} ms")
    assert took[20] < 100


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
