"""Orders from approval to their end against the real venue, and what is refused on the way."""

import asyncio
from typing import Any

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.orders import Fill, OrderEvent, OrderStatus
from gpt_trader.executor.domain.replay import replay
from gpt_trader.runtime.journal import read
from gpt_trader.runtime.secret_files import write_secret
from gpt_trader.runtime.signing import Signer, generate_seed


async def test_an_approved_order_is_sent_as_approved_and_its_journal_replays_its_reports(world: Any) -> None:
    await world.executor.start()

    intent = await world.buy()
    order_id = await world.gate.approve(intent)
    end = await world.ended(order_id)

    statuses = [event.status for event in await world.life(order_id)]
    assert statuses[:2] == [OrderStatus.SUBMITTING, OrderStatus.OPEN]
    assert end.status is OrderStatus.FILLED
    assert [body.decode() for body, _ in world.egress.posted] == [intent.body]
    await world.check_books()
    await world.executor.kill()
    entries = read(world.executor.folder / "journal" / "executor.journal")
    replayed = list(replay(entry.payload for entry in entries))
    assert [one for one in replayed if isinstance(one, OrderEvent)] == await world.events()
    assert [one for one in replayed if isinstance(one, Fill)] == await world.fills()


async def test_a_resting_order_is_canceled_when_the_gate_says_so(world: Any) -> None:
    await world.executor.start()
    resting = await world.gate.approve(await world.rest())
    await world.reached(resting, OrderStatus.OPEN)

    await world.gate.cancel(resting, "BTC-USD")

    assert (await world.ended(resting)).status is OrderStatus.CANCELED
    await world.check_books()


async def test_nothing_is_sent_before_the_gate_speaks_or_after_a_kill_but_a_flatten(world: Any) -> None:
    world.gate.status = None
    await world.executor.start(wait=False)
    await world.executor.recovered()
    early = await world.gate.approve(await world.buy())
    assert (await world.ended(early)).reason == "trading_state_unheard"

    world.gate.status = TradingStatus.ACTIVE
    await world.executor.ready()
    world.gate.status = None
    await world.operator.publish(subjects.CONTROL_KILL, b"")
    await world.executor.said('"event": "killed"')
    late = await world.gate.approve(await world.buy())
    assert (await world.ended(late)).reason == "kill"
    await world.gate.say(TradingStatus.ACTIVE)
    unacknowledged = await world.gate.approve(await world.buy())
    assert (await world.ended(unacknowledged)).reason == "kill"

    world.gate.status = TradingStatus.HALTED
    await asyncio.sleep(2)  # ten words of it
    entry = await world.gate.approve(await world.buy())
    flatten = await world.gate.approve(await world.buy(purpose=Purpose.FLATTEN))
    assert (await world.ended(entry)).reason == "kill"
    assert (await world.ended(flatten)).status is OrderStatus.FILLED
    assert world.egress.permits == [flatten]

    world.gate.status = TradingStatus.ACTIVE
    await asyncio.sleep(2)  # ten words of it
    after = await world.gate.approve(await world.buy())
    assert (await world.ended(after)).status is OrderStatus.FILLED
    await world.check_books()


async def test_what_the_gate_did_not_sign_here_and_now_is_never_sent(world: Any) -> None:
    await world.executor.start()
    seed = world.executor.folder / "other.seed"
    write_secret(seed, generate_seed())
    honest, world.gate.signer = world.gate.signer, Signer.load(seed, key_id="gate")
    forged = await world.gate.approve(await world.buy())
    world.gate.signer = honest
    misplaced = (await world.buy()).model_copy(update={"stream_sequence": 1})
    await world.gate.approve(misplaced)
    expired = await world.gate.approve(await world.buy(life=-1.0))
    world.gate.epoch = 2
    await world.gate.claim()
    world.gate.epoch = 1
    fenced = await world.gate.approve(await world.buy())

    assert (await world.ended(expired)).reason == "expired"
    assert (await world.ended(fenced)).reason == "epoch"
    assert not world.egress.posted
    assert not await world.life(forged)
    assert not await world.life(misplaced.client_order_id)
    assert [alert.code for alert in await world.alerts()] == ["intent_refused", "intent_refused"]


async def test_a_refused_permit_ends_the_order_and_the_next_one_passes(world: Any) -> None:
    await world.executor.start()
    world.egress.refusal = "price_moved"

    refused = await world.gate.approve(await world.buy())

    end = await world.ended(refused)
    assert (end.status, end.reason) == (OrderStatus.FAILED, "price_moved")
    world.egress.refusal = ""
    assert (await world.ended(await world.gate.approve(await world.buy()))).status is OrderStatus.FILLED
    await world.check_books()


async def test_sigterm_cancels_open_entries_leaves_exits_reports_and_exits_cleanly(world: Any) -> None:
    await world.executor.start()
    entries = [await world.gate.approve(await world.rest()) for _ in range(50)]
    protective = await world.gate.approve(await world.rest(purpose=Purpose.PROTECTIVE))
    for order_id in (*entries, protective):
        await world.reached(order_id, OrderStatus.OPEN)

    code = await world.executor.stop()

    assert code == 0
    for order_id in entries:
        assert (await world.ended(order_id)).status is OrderStatus.CANCELED
    assert (await world.life(protective))[-1].status is OrderStatus.OPEN
    await world.check_books()


async def test_an_order_at_the_venue_that_is_not_ours_raises_an_alert(world: Any) -> None:
    await world.executor.start()
    intent = await world.rest()

    await world.exchange.external_order(
        {
            "client_order_id": "by-hand",
            "product_id": "BTC-USD",
            "side": "BUY",
            "order_configuration": {
                "limit_limit_gtc": {"base_size": "0.01", "limit_price": str(intent.limit_price), "post_only": False}
            },
        }
    )

    await world.alerted("foreign_order")


async def test_a_second_executor_on_the_same_journal_refuses_to_start(world: Any) -> None:
    await world.executor.start()
    first = world.executor.process
    await world.executor.start(wait=False)

    assert await asyncio.wait_for(world.executor.process.wait(), 60) == 2
    assert "is open in another process" in world.executor.log()
    world.executor.process = first
