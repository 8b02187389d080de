import asyncio
import itertools
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import nats.errors
import pytest
from nats.aio.client import Client

from gpt_trader.contracts.subjects import ALERTING, DURABLES, HISTORY, STREAMS, Durable, Zone
from gpt_trader.contracts.telemetry import Heartbeat
from gpt_trader.runtime import tracing
from gpt_trader.runtime.bus import (
    BusUnavailable,
    FencedOff,
    NotDurable,
    PublishRefused,
    Received,
    StreamFull,
    SubscriberFailed,
    Unavailable,
    connect,
    decoded,
    require_fsync,
)
from gpt_trader.runtime.infrastructure import keys, servers
from gpt_trader.runtime.infrastructure.provision import ProvisioningFailed, provision

PRODUCT = "BTC-USD"


def durable(stream: str, zone: Zone) -> Durable:
    return next(durable for durable in DURABLES if (durable.stream, durable.zone) == (stream, zone))


async def until(condition: Any, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition belongs to another process
            await asyncio.sleep(0.01)


async def subscribed(*buses: Any) -> None:
    """Wait until the server knows the subscriptions: what is published on another connection may overtake them."""
    for bus in buses:
        await bus._link.client.flush()


class Seen(list[Received]):
    async def on_message(self, received: Received) -> None:
        self.append(received)


async def test_ticks_reach_every_reader(bus_of: Any) -> None:
    market, readers = await bus_of(Zone.MARKET_DATA), [Zone.GATE, Zone.STRATEGY, Zone.LEARNING, Zone.OPERATOR]
    seen = {zone: Seen() for zone in readers}
    for zone in readers:
        reader = await bus_of(zone)
        await reader.subscribe("ticks.>", seen[zone].on_message)
        await subscribed(reader)

    await market.publish(f"ticks.{PRODUCT}", b"tick")

    await until(lambda: all(seen.values()))
    assert {zone: (got[0].subject, got[0].payload) for zone, got in seen.items()} == dict.fromkeys(
        readers, (f"ticks.{PRODUCT}", b"tick")
    )


async def test_a_stored_message_is_seen_under_its_own_subject_with_its_place_in_the_stream(bus_of: Any) -> None:
    market, strategy = await bus_of(Zone.MARKET_DATA), await bus_of(Zone.STRATEGY)
    seen = Seen()
    await strategy.subscribe("candles.>", seen.on_message)
    await subscribed(strategy)

    sequence = await market.store(f"candles.1m.{PRODUCT}", b"candle", message_id="seen-1")

    await until(lambda: seen)
    assert (seen[0].subject, seen[0].payload, seen[0].sequence) == (f"candles.1m.{PRODUCT}", b"candle", sequence)
    assert seen[0].stored_at is not None
    assert abs(seen[0].stored_at - datetime.now(UTC)) < timedelta(seconds=60)


async def test_an_alert_of_any_zone_reaches_the_operator(bus_of: Any) -> None:
    operator, seen = await bus_of(Zone.OPERATOR), Seen()
    await operator.subscribe("alerts.>", seen.on_message)
    await subscribed(operator)

    beating = ALERTING - {Zone.EXCHANGE}
    for zone in sorted(beating):
        await (await bus_of(zone)).publish("alerts.warning", zone.encode())

    await until(lambda: len(seen) == len(beating))
    assert {received.payload.decode() for received in seen} == beating
    assert {received.subject for received in seen} == {"alerts.warning"}


async def test_the_same_message_id_is_stored_once(bus_of: Any) -> None:
    strategy = await bus_of(Zone.STRATEGY)

    first = await strategy.store(f"signals.a.{PRODUCT}", b"x", message_id="once")
    second = await strategy.store(f"signals.a.{PRODUCT}", b"x", message_id="once")

    assert first == second


async def test_a_second_writer_is_fenced_off(own_bus_of: Any) -> None:
    gate, rival = await own_bus_of(Zone.GATE), await own_bus_of(Zone.GATE)
    await gate.store(f"intents.approved.{PRODUCT}", b"1", message_id="f1", expect_last_sequence=0)
    await rival.store(f"intents.approved.{PRODUCT}", b"2", message_id="f2", expect_last_sequence=1)

    with pytest.raises(FencedOff):
        await gate.store(f"intents.approved.{PRODUCT}", b"3", message_id="f3", expect_last_sequence=1)


async def test_a_retry_behind_the_fence_finds_its_own_first_attempt(own_bus_of: Any) -> None:
    gate = await own_bus_of(Zone.GATE)
    await gate.store(f"intents.approved.{PRODUCT}", b"1", message_id="r1", expect_last_sequence=0)

    again = await gate.store(f"intents.approved.{PRODUCT}", b"1", message_id="r1", expect_last_sequence=0)

    assert again == 1


async def test_history_reads_everything_once_in_order_across_accounts(own_bus_of: Any) -> None:
    gate, learning = await own_bus_of(Zone.GATE), await own_bus_of(Zone.LEARNING)
    for number in range(40):
        await gate.store(f"decisions.P-{number % 2}", b"%d" % number, message_id=f"d{number}")

    whole = [received async for received in learning.history("DECISIONS", batch=7)]
    some = [received async for received in learning.history("DECISIONS", subject_filter="decisions.P-1", batch=7)]
    tail = [received async for received in gate.history("DECISIONS", start_sequence=38)]

    assert [int(received.payload) for received in whole] == list(range(40))
    assert [int(received.payload) for received in some] == list(range(1, 40, 2))
    assert [received.sequence for received in tail] == [38, 39, 40]


async def test_history_from_a_time_leaves_out_what_is_older(own_bus_of: Any) -> None:
    gate = await own_bus_of(Zone.GATE)
    await gate.store(f"decisions.{PRODUCT}", b"old", message_id="old")
    await asyncio.sleep(0.05)
    start = datetime.now(UTC)
    await gate.store(f"decisions.{PRODUCT}", b"young", message_id="young")

    since = [received.payload async for received in gate.history("DECISIONS", start_time=start)]

    assert since == [b"young"]


async def test_history_of_an_empty_stream_is_empty(own_bus_of: Any) -> None:
    executor = await own_bus_of(Zone.EXECUTOR)

    assert [received async for received in executor.history("INTENTS")] == []
    assert await executor.last("INTENTS", ">") is None


async def test_every_zone_may_read_exactly_its_history(own_bus_of: Any) -> None:
    for zone, streams in HISTORY.items():
        bus = await own_bus_of(zone)
        for stream in streams:
            assert await bus.last(stream, ">") is None
        forbidden = {stream.name for stream in STREAMS} - streams
        if forbidden:
            with pytest.raises(PublishRefused):
                await bus.last(min(forbidden), ">")


async def test_a_durable_delivers_everything_in_order_and_acknowledges(own_bus_of: Any) -> None:
    strategy, gate, seen = await own_bus_of(Zone.STRATEGY), await own_bus_of(Zone.GATE), Seen()
    for number in range(300):
        await strategy.store(f"signals.a.{PRODUCT}", b"%d" % number, message_id=f"c{number}")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(gate.consume(durable("SIGNALS", Zone.GATE), seen.on_message))
        await until(lambda: len(seen) == 300)
        task.cancel()
    again = Seen()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(gate.consume(durable("SIGNALS", Zone.GATE), again.on_message))
        await asyncio.sleep(0.3)
        task.cancel()

    assert [int(received.payload) for received in seen] == list(range(300))
    assert [received.sequence for received in seen] == list(range(1, 301))
    assert again == []


async def test_a_malformed_message_is_dropped_and_the_next_is_delivered(own_bus_of: Any) -> None:
    strategy, gate = await own_bus_of(Zone.STRATEGY), await own_bus_of(Zone.GATE)
    good = Heartbeat(
        service="a",
        version="1",
        is_ready=True,
        detail="",
        configuration="0" * 64,
        drift="",
        published_at=datetime.now(UTC),
    )
    await strategy.store(f"signals.a.{PRODUCT}", b"not json", message_id="m1")
    await strategy.store(f"signals.a.{PRODUCT}", good, message_id="m2")
    read: list[tuple[Heartbeat, int]] = []

    async def on_heartbeat(heartbeat: Heartbeat, received: Received) -> None:
        read.append((heartbeat, received.deliveries))

    async with asyncio.TaskGroup() as group:
        on_message = decoded(Heartbeat, on_heartbeat)
        task = group.create_task(gate.consume(durable("SIGNALS", Zone.GATE), on_message))
        await until(lambda: read)
        task.cancel()
    assert read == [(good, 1)]


async def test_unavailable_gives_the_message_back_for_later(own_bus_of: Any) -> None:
    strategy, gate = await own_bus_of(Zone.STRATEGY), await own_bus_of(Zone.GATE)
    await strategy.store(f"signals.a.{PRODUCT}", b"x", message_id="u1")
    deliveries: list[tuple[int, float]] = []

    async def on_message(received: Received) -> None:
        deliveries.append((received.deliveries, asyncio.get_running_loop().time()))
        if received.deliveries == 1:
            raise Unavailable("the portfolio can't be read")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(gate.consume(durable("SIGNALS", Zone.GATE), on_message))
        await until(lambda: len(deliveries) == 2)
        task.cancel()
    assert [count for count, _ in deliveries] == [1, 2]
    assert 0.8 < deliveries[1][1] - deliveries[0][1] < 25, "a second, and not the 30 s after which silence is one"


async def test_a_crash_before_the_acknowledgement_brings_the_message_back(own_bus_of: Any) -> None:
    strategy, gate = await own_bus_of(Zone.STRATEGY), await own_bus_of(Zone.GATE)
    await strategy.store(f"signals.a.{PRODUCT}", b"x", message_id="b1")
    signals = durable("SIGNALS", Zone.GATE)

    async def crash(_received: Received) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await gate.consume(signals, crash)
    await expire_acknowledgement_wait(gate)
    seen = Seen()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(gate.consume(signals, seen.on_message))
        await until(lambda: seen)
        task.cancel()

    assert [(received.payload, received.deliveries) for received in seen] == [(b"x", 2)]


async def expire_acknowledgement_wait(gate: Any) -> None:
    """Give the unacknowledged message back at once instead of waiting 30 s for the server to do it."""
    await gate._link.send("$JS.ACK.SIGNALS.risk-gate.1.1.1.0.0", b"-NAK", None)
    await asyncio.sleep(0.1)


async def test_a_subscriber_that_raises_ends_the_bus(bus_of: Any) -> None:
    market, gate = await bus_of(Zone.MARKET_DATA), await bus_of(Zone.GATE)

    async def crash(_received: Received) -> None:
        raise ZeroDivisionError

    await gate.subscribe("ticks.>", crash)
    await subscribed(gate)
    await market.publish(f"ticks.{PRODUCT}", b"tick")

    async with asyncio.timeout(60):
        with pytest.raises(SubscriberFailed) as failure:
            await gate.watch()
    assert isinstance(failure.value.__cause__, ZeroDivisionError)


async def test_a_cancelled_watcher_leaves_the_bus_usable(bus_of: Any) -> None:
    market = await bus_of(Zone.MARKET_DATA)
    async with asyncio.TaskGroup() as group:
        watcher = group.create_task(market.watch())
        await asyncio.sleep(0)
        watcher.cancel()

    await market.publish(f"ticks.{PRODUCT}", b"tick")
    assert await market.last("BOOKS", "universe") is None


async def test_a_payload_that_is_too_large_is_a_bug_and_not_an_outage(bus_of: Any) -> None:
    market = await bus_of(Zone.MARKET_DATA)

    with pytest.raises(nats.errors.MaxPayloadError):
        await market.publish(f"ticks.{PRODUCT}", b"x" * 1_000_000)


async def test_many_requests_keep_the_order_and_leave_nothing_behind(own_nats_stack: Any, own_bus_of: Any) -> None:
    """The process stalls when the inbox is due to change: what it then takes for lost is only unread."""
    gate, executor, seen = await own_bus_of(Zone.GATE), await own_bus_of(Zone.EXECUTOR), Seen()
    due_to_change, count = 6_400, 7_000

    async def publish(first: int, end: int) -> None:
        for number in range(first, end):
            await gate.publish(f"intents.approved.{PRODUCT}", b"%d" % number)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(executor.consume(durable("INTENTS", Zone.EXECUTOR), seen.on_message))
        for end in range(400, due_to_change + 1, 400):
            await publish(end - 400, end)
            await until(lambda end=end: len(seen) >= end)  # type: ignore[misc] # the loop's own
        await publish(due_to_change, due_to_change + 20)
        await asyncio.sleep(0.001)
        time.sleep(5.2)
        await publish(due_to_change + 20, count)
        await until(lambda: len(seen) >= count)
        task.cancel()

    assert [int(received.payload) for received in seen] == list(range(count))
    await until_replies_are_few(own_nats_stack, 0)


async def until_replies_are_few(stack: Any, count: int) -> None:
    """Wait until the server holds no more open requests than these; by itself it gives one up after two minutes."""
    async with asyncio.timeout(30):
        while await pending_replies(stack) > count:  # noqa: ASYNC110 - the server is another process
            await asyncio.sleep(0.1)


async def pending_replies(stack: Any) -> int:
    url = f"{stack.monitor_url}/accountz?acc=RISK_GATE"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return len((await answer.json())["account_detail"].get("responses") or {})


async def test_reading_back_across_accounts_leaves_nothing_behind(own_nats_stack: Any, own_bus_of: Any) -> None:
    executor, gate = await own_bus_of(Zone.EXECUTOR), await own_bus_of(Zone.GATE)
    await gate.store("intents.epoch", b"1", message_id="e1")

    for _ in range(50):
        assert await executor.last("INTENTS", ">") is not None
        assert [received async for received in executor.history("INTENTS")] != []

    await until_replies_are_few(own_nats_stack, 1)


async def test_the_trace_and_the_origin_travel_with_the_chain(bus_of: Any) -> None:
    market, strategy, gate = await bus_of(Zone.MARKET_DATA), await bus_of(Zone.STRATEGY), await bus_of(Zone.GATE)
    seen = Seen()

    async def answer(_received: Received) -> None:
        await strategy.publish(f"no_trade.a.{PRODUCT}", b"")
        await strategy.publish("alerts.info", b"origin")

    async def on_alert(received: Received) -> None:
        if received.payload == b"origin":
            seen.append(received)

    await strategy.subscribe(f"ticks.{PRODUCT}-TRACE", answer)
    await gate.subscribe("alerts.>", on_alert)
    await subscribed(strategy, gate)
    tracing.origin(123456789, "tick")
    await market.publish(f"ticks.{PRODUCT}-TRACE", b"tick")

    await until(lambda: seen)
    assert seen[0].headers["Origin-Ns"] == "123456789"


async def test_a_refused_subject_ends_the_publisher_at_once(bus_of: Any) -> None:
    strategy = await bus_of(Zone.STRATEGY)
    started = asyncio.get_running_loop().time()

    with pytest.raises(PublishRefused, match=r"intents\.approved"):
        await strategy.store("intents.approved.BTC-USD", b"x", message_id="never")

    assert asyncio.get_running_loop().time() - started < 0.9, "sooner than an answer is given up"
    with pytest.raises(PublishRefused):
        await strategy.watch()
    with pytest.raises(PublishRefused):
        await strategy.publish(f"no_trade.a.{PRODUCT}", b"")


async def test_nothing_is_sent_or_kept_while_the_server_is_away(own_nats_stack: Any, own_bus_of: Any) -> None:
    strategy = await own_bus_of(Zone.STRATEGY)
    own_nats_stack.kill()
    await until(lambda: not strategy.is_connected)

    with pytest.raises(BusUnavailable):
        await strategy.store(f"signals.a.{PRODUCT}", b"ghost", message_id="ghost")
    with pytest.raises(BusUnavailable):
        await strategy.publish(f"no_trade.a.{PRODUCT}", b"ghost")
    own_nats_stack.start()
    await until(lambda: strategy.is_connected)
    await asyncio.sleep(0.3)

    operator = await own_bus_of(Zone.OPERATOR)
    assert await operator.last("SIGNALS", ">") is None


async def test_what_was_acknowledged_survives_kill_9_and_consumers_go_on(own_nats_stack: Any, own_bus_of: Any) -> None:
    strategy, gate, seen = await own_bus_of(Zone.STRATEGY), await own_bus_of(Zone.GATE), Seen()
    acknowledged: list[str] = []

    async def publish() -> None:
        for number in itertools.count():
            if len(acknowledged) == 300:
                return
            try:
                await strategy.store(f"signals.a.{PRODUCT}", b"%d" % number, message_id=f"k{number}")
            except BusUnavailable:
                await asyncio.sleep(0.05)
                continue
            acknowledged.append(str(number))

    async with asyncio.TaskGroup() as group:
        consumer = group.create_task(gate.consume(durable("SIGNALS", Zone.GATE), seen.on_message))
        publisher = group.create_task(publish())
        for _ in range(3):
            await asyncio.sleep(0.1)
            own_nats_stack.kill()
            own_nats_stack.start()
            await until(lambda: strategy.is_connected and gate.is_connected)
        await publisher
        await until(lambda: {received.payload.decode() for received in seen} >= set(acknowledged))
        consumer.cancel()

    stored = [received.payload.decode() async for received in (await own_bus_of(Zone.OPERATOR)).history("SIGNALS")]
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))


async def test_a_full_stream_takes_no_more_and_forgets_nothing(own_nats_stack: Any, own_bus_of: Any) -> None:
    gate = await own_bus_of(Zone.GATE)
    await gate.store(f"intents.approved.{PRODUCT}", b"first", message_id="first")
    await shrink("INTENTS", 4096, own_nats_stack)

    async def fill() -> None:
        for number in range(10):
            await gate.store(f"intents.approved.{PRODUCT}", b"x" * 1000, message_id=f"full{number}")

    with pytest.raises(StreamFull):
        await fill()

    payloads = [received.payload async for received in gate.history("INTENTS")]
    assert payloads[0] == b"first"


async def admin(stack: Any) -> Client:
    client = Client()
    await client.connect(
        stack.url, nkeys_seed_str=stack.provisioner_seed.read_text(), inbox_prefix="_INBOX_provisioner"
    )
    return client


async def shrink(stream: str, size: int, stack: Any) -> None:
    client = await admin(stack)
    info = json.loads((await client.request(f"$JS.API.STREAM.INFO.{stream}")).data)
    changed = json.dumps({**info["config"], "max_bytes": size}).encode()
    answer = json.loads((await client.request(f"$JS.API.STREAM.UPDATE.{stream}", changed)).data)
    assert "error" not in answer
    await client.close()


async def test_provisioning_again_changes_nothing_and_repairs_what_differs(own_nats_stack: Any) -> None:
    assert await provision(own_nats_stack.url, own_nats_stack.provisioner_seed) == []
    await shrink("FILLS", 4096, own_nats_stack)

    changes = await provision(own_nats_stack.url, own_nats_stack.provisioner_seed)

    assert changes == ["stream FILLS updated: max_bytes"]


async def test_history_can_be_neither_deleted_nor_purged_by_the_provisioner(
    own_nats_stack: Any, own_bus_of: Any
) -> None:
    gate = await own_bus_of(Zone.GATE)
    await gate.store(f"decisions.{PRODUCT}", b"kept", message_id="kept")
    client = await admin(own_nats_stack)

    purged = json.loads((await client.request("$JS.API.STREAM.PURGE.DECISIONS")).data)
    deleted = json.loads((await client.request("$JS.API.STREAM.MSG.DELETE.DECISIONS", b'{"seq":1}')).data)

    await client.close()
    assert "error" in purged
    assert "error" in deleted
    last = await gate.last("DECISIONS", ">")
    assert last is not None
    assert last.payload == b"kept"


async def test_a_wrong_credential_is_refused_at_once(nats_stack: Any) -> None:
    keys.create_nkey(nats_stack.folder / "stranger.nk")
    started = asyncio.get_running_loop().time()

    with pytest.raises(PublishRefused, match=r"(?i)authorization violation"):
        async with connect(nats_stack.url, nats_stack.folder / "stranger.nk", Zone.GATE):
            pass

    assert asyncio.get_running_loop().time() - started < 8, "sooner than a server that is silent is given up"


async def test_provisioning_with_the_wrong_credential_says_so(own_nats_stack: Any) -> None:
    with pytest.raises(ProvisioningFailed):
        await provision(own_nats_stack.url, own_nats_stack.seeds[Zone.STRATEGY])


async def test_the_generated_server_syncs_every_acknowledgement(nats_stack: Any) -> None:
    await require_fsync(nats_stack.monitor_url)


async def test_a_server_with_default_sync_is_refused(tmp_path: Any, free_port: Any) -> None:
    port, monitor = free_port(), free_port()
    config = tmp_path / "loose.conf"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\nhttp: "127.0.0.1:{monitor}"\njetstream {{ store_dir: "{tmp_path}" }}\n'
    )
    with servers.running(servers.nats_argv(config), port, tmp_path / "nats.log"), pytest.raises(NotDurable):
        await require_fsync(f"http://127.0.0.1:{monitor}")


async def test_no_answer_about_durability_is_no_yes(free_port: Any) -> None:
    with pytest.raises(BusUnavailable):
        await require_fsync(f"http://127.0.0.1:{free_port()}")
