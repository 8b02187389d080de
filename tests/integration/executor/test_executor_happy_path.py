"""Orders from approval to their end against the real venue."""

from typing import Any

import pytest

from gpt_trader.contracts.orders import OrderStatus

pytestmark = pytest.mark.timeout(120)


async def test_an_approved_order_is_sent_filled_and_reported_once(world: Any) -> None:
    await world.executor.start()

    intent = await world.buy()
    order_id = await world.gate.approve(intent)
    end = await world.ended(order_id)

    statuses = [event.status for event in await world.life(order_id)]
    assert statuses[:2] == [OrderStatus.SUBMITTING, OrderStatus.OPEN]
    assert end.status is OrderStatus.FILLED
    assert [body.decode() for body, _ in world.egress.posted] == [intent.body]
    await world.check_books()
