"""The gate's own REST calls against the simulator and its faults."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.ports import OutcomeUnknown, VenueUnavailable

Body = Callable[..., bytes]
ORDERS = "/api/v3/brokerage/orders"


async def place(hop: Any, body: bytes) -> VenueOrderId:
    _, answer = await hop.post(hop.permits.approve(body))
    return VenueOrderId(answer["success_response"]["order_id"])


async def test_every_currency_is_read(hop: Any) -> None:
    balances = {balance.currency: balance for balance in await hop.venue.accounts()}

    assert balances["USD"].total > 0
    assert balances["BTC"].hold == Decimal(0)


async def test_open_orders_are_listed_and_cancelled_until_none_is_left(hop: Any, sim: Any, an_order_body: Body) -> None:
    body = an_order_body(price="101.00", quantity="0.02")
    wanted = [await place(hop, body), *[await place(hop, an_order_body()) for _ in range(200)]]
    await sim.admin_call("/delays", {"pending_ms": 600_000})
    wanted += [await place(hop, an_order_body()) for _ in range(60)]
    await sim.admin_call("/delays", {"pending_ms": 0})
    on_the_way = sum(order["status"] == "PENDING" for order in await sim.orders())

    listed = {order.venue_order_id: order for order in await hop.venue.open_orders()}
    outcomes = await hop.venue.cancel(list(listed))
    left = {order.venue_order_id for order in await hop.venue.open_orders()}

    order = listed[wanted[0]]
    assert on_the_way == 60
    assert order.client_order_id == ClientOrderId(json.loads(body)["client_order_id"])
    assert (order.side, order.quantity, order.limit_price) == (Side.BUY, Decimal("0.02"), Decimal("101.00"))
    assert order.status is OrderStatus.OPEN
    assert set(wanted) <= set(listed)
    assert all(outcome.is_accepted for outcome in outcomes)
    assert not left & set(wanted)


async def test_a_cancel_of_an_unknown_order_is_an_outcome_not_an_error(hop: Any) -> None:
    outcomes = await hop.venue.cancel([VenueOrderId("00000000-0000-0000-0000-000000000000")])

    assert not outcomes[0].is_accepted
    assert outcomes[0].reason


async def test_key_permissions_and_clock_are_read(hop: Any) -> None:
    permissions = await hop.venue.key_permissions()

    assert (permissions.can_view, permissions.can_trade, permissions.can_transfer) == (True, True, False)
    assert abs(await hop.venue.clock_offset()) < timedelta(seconds=1)


@pytest.mark.parametrize("fault", ["reject_401_once", "http_429", "http_500_before_accept"])
async def test_a_read_survives_a_passing_fault(hop: Any, sim: Any, fault: str) -> None:
    await sim.arm(fault, match="GET /api/v3/brokerage/accounts")

    assert await hop.venue.accounts()


async def test_a_read_gives_up_after_three_tries(hop: Any, sim: Any) -> None:
    await sim.arm("http_500_before_accept", match="GET /api/v3/brokerage/key_permissions", times=3)

    with pytest.raises(VenueUnavailable, match="HTTP 500"):
        await hop.venue.key_permissions()


async def test_a_cancel_that_is_never_answered_is_unknown(hop: Any, sim: Any) -> None:
    await sim.arm("http_500_after_accept", match=f"POST {ORDERS}/batch_cancel", times=3)

    with pytest.raises(OutcomeUnknown):
        await hop.venue.cancel([VenueOrderId("x")])


async def test_the_venue_takes_or_refuses_a_preview_and_makes_no_order(hop: Any, an_order_body: Body) -> None:
    good, huge = (json.loads(an_order_body(quantity=quantity)) for quantity in ("0.02", "900000"))
    before = len(await hop.venue.open_orders())
    for body in (good, huge):
        del body["client_order_id"]

    assert await hop.venue.preview(json.dumps(good).encode()) == ()
    assert await hop.venue.preview(json.dumps(huge).encode())
    assert len(await hop.venue.open_orders()) == before


async def test_a_preview_without_an_answer_is_not_asked_twice(hop: Any, sim: Any, an_order_body: Body) -> None:
    body = json.loads(an_order_body())
    del body["client_order_id"]
    await sim.arm("http_500_before_accept", match=f"POST {ORDERS}/preview")

    with pytest.raises(VenueUnavailable, match="preview"):
        await hop.venue.preview(json.dumps(body).encode())
