"""A zone that is taken over tries to reach what it has no right to; the server's generated configuration must hold.

Each attack runs twice: as generated, and with every permission list of the outer accounts deleted, which shows that
the borders between the accounts hold alone. The attacker is the only active client: whatever anybody sees, or any
stream keeps, on a subject that is not the attacker's own is a breach.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from gpt_trader.contracts.subjects import ALERTING, ALERTS, DURABLES, HISTORY, ROUTES, STREAMS, Zone
from gpt_trader.runtime.bus import PublishRefused, connect
from gpt_trader.runtime.bus.link import inbox_prefix
from gpt_trader.runtime.infrastructure import keys, nats_config, servers
from gpt_trader.runtime.infrastructure.provision import provision

ATTACKERS = [zone for zone in Zone if zone is not Zone.GATE]
EVIL = "EVIL"
NOBODY_THERE = "503"


def concrete(pattern: str) -> str:
    return pattern.replace(">", f"a.{EVIL}" if pattern.startswith(("signals", "no_trade", "candles")) else EVIL)


TARGETS = [
    *(concrete(route.pattern) for route in ROUTES),
    concrete(ALERTS),
    *(f"control.{command}" for command in ("kill", "reset", "resume", "flatten")),
    *(f"pub.{concrete(route.pattern)}" for route in ROUTES),
]


def is_own(zone: Zone, subject: str) -> bool:
    plain = subject.removeprefix("pub.")
    if plain.startswith("alerts."):
        return zone in ALERTING
    for route in ROUTES:
        head = route.pattern.removesuffix(">")
        if plain == route.pattern or (head.endswith(".") and plain.startswith(head)):
            return route.publisher is zone
    return False


@dataclass(frozen=True)
class Site:
    url: str
    seeds: dict[Zone, Path]
    provisioner_seed: Path
    has_permission_lists: bool


@contextmanager
def site(
    folder: Path,
    ports: tuple[int, int],
    *,
    has_permission_lists: bool,
    tampered: Callable[[str], str] = lambda text: text,
) -> Iterator[Site]:
    seeds = {zone: folder / f"{zone}.nk" for zone in Zone}
    public = {zone: keys.create_nkey(seed) for zone, seed in seeds.items()}
    text = nats_config.render(
        nats_config.NatsConfig(
            listen=f"127.0.0.1:{ports[0]}",
            monitor=f"127.0.0.1:{ports[1]}",
            store_dir=folder / "js",
            public_keys=public,
            provisioner_key=keys.create_nkey(folder / "provisioner.nk"),
            system_key=keys.create_nkey(folder / "system.nk"),
        )
    )
    text = tampered(text)
    if not has_permission_lists:
        for zone in ATTACKERS:
            text, count = re.subn(
                rf"nkey: {public[zone]}, permissions: {{.*?\] }} }}", f"nkey: {public[zone]} }}", text, flags=re.DOTALL
            )
            assert count == 1
    (folder / "nats.conf").write_text(text)
    url = f"nats://127.0.0.1:{ports[0]}"
    with servers.running(servers.nats_argv(folder / "nats.conf"), ports[0], folder / "nats.log"):
        asyncio.run(provision(url, folder / "provisioner.nk"))
        yield Site(url, seeds, folder / "provisioner.nk", has_permission_lists)


@pytest.fixture(params=[True, False], ids=["as-generated", "without-permission-lists"])
def attacked(request: pytest.FixtureRequest, tmp_path: Path, free_port: Any) -> Iterator[Site]:
    with site(tmp_path, (free_port(), free_port()), has_permission_lists=request.param) as server:
        yield server


@pytest.fixture
def generated(tmp_path: Path, free_port: Any) -> Iterator[Site]:
    with site(tmp_path, (free_port(), free_port()), has_permission_lists=True) as server:
        yield server


@dataclass
class Eye:
    """A client that notes everything it can see, and every refusal."""

    zone: Zone
    client: Client
    seen: list[Msg] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def on_message(self, message: Msg) -> None:
        self.seen.append(message)

    async def on_error(self, error: Exception) -> None:
        self.refused.append(str(error))


@asynccontextmanager
async def eye(server: Site, zone: Zone) -> AsyncIterator[Eye]:
    client = Client()
    own = Eye(zone, client)
    await client.connect(
        server.url,
        nkeys_seed_str=server.seeds[zone].read_text(),
        inbox_prefix=inbox_prefix(zone),
        error_cb=own.on_error,
        allow_reconnect=False,
    )
    try:
        yield own
    finally:
        await client.close()


@asynccontextmanager
async def observers(server: Site, attacker: Zone) -> AsyncIterator[list[Eye]]:
    async with AsyncExitStack() as opened:
        eyes = [await opened.enter_async_context(eye(server, zone)) for zone in Zone if zone is not attacker]
        for own in eyes:
            for pattern in nats_config._readable(own.zone):
                await own.client.subscribe(pattern, cb=own.on_message)
            await own.client.flush()
            assert own.refused == []
        yield eyes


async def stored(server: Site) -> list[tuple[str, str, bytes]]:
    async with connect(server.url, server.seeds[Zone.OPERATOR], Zone.OPERATOR) as operator:
        return [
            (stream.name, received.subject, received.payload)
            for stream in STREAMS
            async for received in operator.history(stream.name)
        ]


async def waited(is_there: Callable[[], object]) -> None:
    """Give what the server says the time that it may take on a busy machine; what is missing then the test names."""
    deadline = asyncio.get_running_loop().time() + 30
    while not is_there() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - the server is a process
        await asyncio.sleep(0.05)


async def assert_nothing_was_breached(server: Site, attacker: Zone, eyes: list[Eye]) -> None:
    await asyncio.sleep(0.3)
    foreign = [
        (own.zone, message.subject, message.data[:80])
        for own in eyes
        for message in own.seen
        if not is_own(attacker, message.subject)
    ]
    assert foreign == []
    assert [entry for entry in await stored(server) if not is_own(attacker, entry[1])] == []
    assert await provision(server.url, server.provisioner_seed) == []


def own_subjects(zone: Zone) -> list[str]:
    return [concrete(pattern) for pattern in nats_config._publishable(zone)]


@pytest.mark.parametrize("zone", ATTACKERS)
async def test_publishing_on_foreign_subjects_reaches_nobody(attacked: Site, zone: Zone) -> None:
    targets = [subject for subject in TARGETS if not is_own(zone, subject) or subject.startswith("pub.")]
    async with observers(attacked, zone) as eyes, eye(attacked, zone) as attacker:
        for subject in targets:
            await attacker.client.publish(subject, b"direct")
            await attacker.client.publish(subject, b"stored", reply=attacker.client.new_inbox())
            await attacker.client.publish(subject, b"", headers={"Nats-Msg-Id": subject})
        await attacker.client.flush()

        await assert_nothing_was_breached(attacked, zone, eyes)

        if attacked.has_permission_lists:
            refused = " ".join(attacker.refused)
            assert [subject for subject in targets if f'"{subject.lower()}"' not in refused] == []


@pytest.mark.parametrize("zone", ATTACKERS)
async def test_answers_can_not_be_steered_to_a_foreign_subject(attacked: Site, zone: Zone) -> None:
    replies = [
        *(subject for subject in TARGETS if not is_own(zone, subject)),
        *(f"{inbox_prefix(other)}.ask.1" for other in Zone if other is not zone),
        "_INBOX_executor.pull.INTENTS.executor.1",
        "$JS.API.STREAM.PURGE.INTENTS",
        "$JS.ACK.SIGNALS.risk-gate.1.1.1.0.0",
    ]
    bodies = (b"", b'{"batch":5,"no_wait":true}', b'{"last_by_subj":">"}', b'{"seq":1,"batch":5}')
    async with observers(attacked, zone) as eyes, eye(attacked, zone) as attacker:
        for number, reply in enumerate(replies):
            for subject in own_subjects(zone):
                for body in bodies if subject.startswith("$") else bodies[:1]:
                    await attacker.client.publish(subject, body, reply=reply)
                await attacker.client.publish(subject, b"", reply=reply, headers={"Nats-Msg-Id": f"m{number}"})
                await attacker.client.publish(
                    subject, b"", reply=reply, headers={"Nats-Expected-Last-Sequence": "999999"}
                )
            await attacker.client.flush()

        await assert_nothing_was_breached(attacked, zone, eyes)


HEADERS = (
    {"Nats-Trace-Dest": f"intents.approved.{EVIL}"},
    {"Nats-Trace-Dest": "control.kill", "Nats-Trace-Only": "true"},
    {"Nats-Trace-Dest": f"fills.{EVIL}", "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"},
    {"Nats-Rollup": "all"},
    {"Nats-Rollup": "sub"},
    {"Nats-TTL": "1s"},
    {"Nats-Schedule": "@at 2020-01-01T00:00:00Z", "Nats-Schedule-Target": f"intents.approved.{EVIL}"},
    {"Nats-Schedule": "@every 1s", "Nats-Schedule-Target": "control.kill"},
    {"Nats-Batch-Id": "b", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1"},
    {"Nats-Subject": f"intents.approved.{EVIL}", "Nats-Stream": "INTENTS", "Nats-Sequence": "1"},
    {"Nats-Incr": "+1"},
)


@pytest.mark.parametrize("zone", ATTACKERS)
async def test_server_headers_neither_redirect_nor_erase(attacked: Site, zone: Zone) -> None:
    subjects = [subject for subject in own_subjects(zone) if not subject.startswith("$")]
    async with eye(attacked, zone) as attacker:
        for subject in subjects:
            await attacker.client.publish(subject, b"kept")
        await attacker.client.flush()
        await asyncio.sleep(0.2)
        before = await stored(attacked)
        async with observers(attacked, zone) as eyes:
            for subject in subjects:
                for headers in HEADERS:
                    await attacker.client.publish(subject, b"", headers=headers)
            await attacker.client.flush()

            await asyncio.sleep(1.2)
            await assert_nothing_was_breached(attacked, zone, eyes)
        assert before != []
        assert [entry for entry in before if entry not in await stored(attacked)] == []


def administration() -> Iterator[tuple[str, dict[str, Any]]]:
    for stream in ("INTENTS", "CONTROL", "SIGNALS", "ORDERS", "FILLS"):
        for deliver in (f"intents.approved.{EVIL}", "control.kill", f"fills.{EVIL}"):
            push = {"stream_name": stream, "config": {"deliver_subject": deliver, "ack_policy": "none"}}
            yield f"$JS.API.CONSUMER.CREATE.{stream}", push
            durable = {"durable_name": "evil", "name": "evil", **push["config"]}  # type: ignore[dict-item]
            yield f"$JS.API.CONSUMER.CREATE.{stream}.evil", {"stream_name": stream, "config": durable}
            yield f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.evil", {"stream_name": stream, "config": durable}
            republish = {"name": stream, "subjects": [f"x.{stream}"], "republish": {"src": ">", "dest": deliver}}
            yield f"$JS.API.STREAM.UPDATE.{stream}", republish
        for action in ("DELETE", "PURGE", "INFO", "SNAPSHOT", "LEADER.STEPDOWN"):
            yield f"$JS.API.STREAM.{action}.{stream}", {}
        yield f"$JS.API.STREAM.MSG.DELETE.{stream}", {"seq": 1}
        yield f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": 1}
        yield f"$JS.API.CONSUMER.LIST.{stream}", {}
    for action in ("DELETE", "UPDATE", "INFO", "SNAPSHOT"):
        yield f"$JS.API.STREAM.{action}.LAB_WORK", {}
    for held in DURABLES:
        yield f"$JS.API.CONSUMER.DELETE.{held.stream}.{held.name}", {}
        yield f"$JS.API.CONSUMER.PAUSE.{held.stream}.{held.name}", {"pause_until": "2099-01-01T00:00:00Z"}
    for extra in (
        {"mirror": {"name": "INTENTS"}},
        {"sources": [{"name": "INTENTS"}], "subjects": ["x.evil"]},
        {"subjects": ["x.evil"], "republish": {"src": "x.evil", "dest": f"intents.approved.{EVIL}"}},
        {"subjects": ["x.evil"], "subject_transform": {"src": "x.evil", "dest": f"intents.approved.{EVIL}"}},
    ):
        yield "$JS.API.STREAM.CREATE.EVIL", {"name": "EVIL", "storage": "memory", **extra}
    yield "$JS.API.STREAM.RESTORE.EVIL", {"config": {"name": "EVIL"}}
    yield "$JS.API.ACCOUNT.PURGE.RISK_GATE", {}
    yield "$JS.API.META.LEADER.STEPDOWN", {}


@pytest.mark.parametrize("zone", ATTACKERS)
async def test_nobody_outside_can_make_change_or_inspect_anything_on_the_server(attacked: Site, zone: Zone) -> None:
    async with observers(attacked, zone) as eyes, eye(attacked, zone) as attacker:
        inbox = attacker.client.new_inbox()
        await attacker.client.subscribe(inbox, cb=attacker.on_message)
        requests = list(administration())
        foreign = [stream.name for stream in STREAMS if stream.name not in HISTORY[zone]]
        requests += [(f"$JS.API.DIRECT.GET.{stream}", {"last_by_subj": ">"}) for stream in foreign]
        for subject, body in requests:
            await attacker.client.publish(subject, json.dumps(body).encode(), reply=inbox)
        await attacker.client.publish("x.evil", b"evil")
        await attacker.client.flush()
        if attacked.has_permission_lists:
            await waited(lambda: len(attacker.refused) > len(requests))
        await asyncio.sleep(0.5)

        answers = [json.loads(message.data) for message in attacker.seen if message.data]
        assert [answer for answer in answers if "error" not in answer] == []
        statuses = {message.headers["Status"] for message in attacker.seen if "Status" in (message.headers or {})}
        assert statuses <= {NOBODY_THERE}
        await assert_nothing_was_breached(attacked, zone, eyes)
        if attacked.has_permission_lists:
            assert answers == []
            refused = " ".join(attacker.refused)
            assert [subject for subject, _ in requests if f'"{subject.lower()}"' not in refused] == []


@pytest.mark.parametrize("zone", ATTACKERS)
async def test_nobody_listens_where_it_may_not(attacked: Site, zone: Zone) -> None:
    forbidden = [
        ">", "*.>", "_INBOX.>", "_R_.>", "$JS.>", "$SYS.>", "$SYS.REQ.>", "$SYS.ACCOUNT.>",
        *(f"{inbox_prefix(other)}.>" for other in Zone if other is not zone), "_INBOX_provisioner.>",
        *(route.pattern for route in ROUTES if zone not in route.readers and route.publisher is not zone),
    ]  # fmt: skip
    async with eye(attacked, zone) as attacker, connect(attacked.url, attacked.seeds[Zone.GATE], Zone.GATE) as gate:
        for pattern in forbidden:
            await attacker.client.subscribe(pattern, cb=attacker.on_message)
        await attacker.client.flush()

        await gate.store(f"intents.approved.{EVIL}", b"secret", message_id="i", expect_last_sequence=0)
        await gate.store(f"decisions.{EVIL}", b"secret", message_id="d")
        assert [received.payload async for received in gate.history("INTENTS")] == [b"secret"]
        async with connect(attacked.url, attacked.seeds[Zone.EXECUTOR], Zone.EXECUTOR) as executor:
            if zone is not Zone.EXECUTOR:
                assert await executor.last("INTENTS", ">") is not None
        await asyncio.sleep(0.3)

        readable = {pattern.removesuffix(">") for pattern in nats_config._readable(zone)}
        leaked = [message.subject for message in attacker.seen if not message.subject.startswith(tuple(readable))]
        assert leaked == []
        if attacked.has_permission_lists:
            refused = " ".join(attacker.refused)
            assert [pattern for pattern in forbidden if f'"{pattern.lower()}"' not in refused] == []


@pytest.mark.parametrize("zone", ATTACKERS)
async def test_foreign_acknowledgements_can_not_be_forged(attacked: Site, zone: Zone) -> None:
    durable = next(durable for durable in DURABLES if durable.stream == "CONTROL")
    async with (
        eye(attacked, zone) as attacker,
        connect(attacked.url, attacked.seeds[Zone.OPERATOR], Zone.OPERATOR) as o,
    ):
        await o.store("control.kill", b"now", message_id="k")
        for forged in DURABLES:
            if forged.zone is not zone:
                for verdict in (b"+ACK", b"+TERM", b'-NAK {"delay":60000000000}', b"+WPI", b"+NXT"):
                    for sequence in range(1, 4):
                        subject = f"$JS.ACK.{forged.stream}.{forged.name}.1.{sequence}.{sequence}.0.0"
                        await attacker.client.publish(subject, verdict)
                api = f"$JS.API.CONSUMER.MSG.NEXT.{forged.stream}.{forged.name}"
                await attacker.client.publish(api, b'{"batch":10,"no_wait":true}', reply=attacker.client.new_inbox())
        await attacker.client.flush()
        await asyncio.sleep(0.2)

        received: list[tuple[bytes, int]] = []
        async with connect(attacked.url, attacked.seeds[Zone.GATE], Zone.GATE) as gate, asyncio.TaskGroup() as group:

            async def on_control(message: Any) -> None:
                received.append((message.payload, message.deliveries))

            task = group.create_task(gate.consume(durable, on_control))
            await waited(lambda: received)
            await asyncio.sleep(0.3)
            task.cancel()
        assert received == [(b"now", 1)]


@pytest.mark.parametrize("zone", ATTACKERS)
async def test_the_system_account_answers_nobody(attacked: Site, zone: Zone) -> None:
    async with eye(attacked, zone) as attacker:
        inbox = attacker.client.new_inbox()
        await attacker.client.subscribe(inbox, cb=attacker.on_message)
        for subject in (
            "$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.SERVER.PING.JSZ", "$SYS.REQ.CLAIMS.LIST",
            "$SYS.REQ.ACCOUNT.RISK_GATE.CONNZ", "$SYS.REQ.ACCOUNT.RISK_GATE.SUBSZ", "$SYS.REQ.SERVER.RELOAD",
        ):  # fmt: skip
            await attacker.client.publish(subject, b"{}", reply=inbox)
        await attacker.client.flush()
        await asyncio.sleep(0.2)

        assert [message.data for message in attacker.seen if message.data] == []


def crossing_as_a_stream(text: str) -> str:
    """Let signals cross the way that looks natural and is wrong."""
    service, stream = '{ service: "signals.>", accounts: [STRATEGY] }', '{ stream: "signals.>", accounts: [RISK_GATE] }'
    by_service = '{ service: { account: RISK_GATE, subject: "signals.>" } }'
    by_stream = '{ stream: { account: STRATEGY, subject: "signals.>" } }'
    assert (text.count(service), text.count(by_service)) == (1, 1)
    text = text.replace(service, "").replace(by_service, "")
    for account, section, entry in (("STRATEGY", "exports", stream), ("RISK_GATE", "imports", by_stream)):
        start = text.index(f"{section}: [", text.index(f"  {account} {{")) + len(f"{section}: [")
        text = f"{text[:start]}\n{entry}{text[start:]}"
    return text


@pytest.fixture
def weakened(tmp_path: Path, free_port: Any) -> Iterator[Site]:
    ports = (free_port(), free_port())
    with site(tmp_path, ports, has_permission_lists=True, tampered=crossing_as_a_stream) as server:
        yield server


async def test_this_harness_sees_the_breach_when_signals_cross_as_a_stream(weakened: Site) -> None:
    async with observers(weakened, Zone.STRATEGY) as eyes, eye(weakened, Zone.STRATEGY) as attacker:
        await attacker.client.publish(f"signals.a.{EVIL}", b"", reply=f"intents.approved.{EVIL}")
        await attacker.client.flush()
        await waited(lambda: any(message.subject == f"intents.approved.{EVIL}" for own in eyes for message in own.seen))

        with pytest.raises(AssertionError, match=r"intents\.approved"):
            await assert_nothing_was_breached(weakened, Zone.STRATEGY, eyes)


async def test_nobody_connects_without_a_known_key(generated: Site, tmp_path: Path) -> None:
    keys.create_nkey(tmp_path / "stranger.nk")
    for credential in ({}, {"nkeys_seed_str": (tmp_path / "stranger.nk").read_text()}):
        client = Client()
        with pytest.raises((nats.errors.Error, OSError)):
            await client.connect(generated.url, allow_reconnect=False, **credential)  # type: ignore[arg-type]
        await client.close()


@pytest.mark.parametrize("zone", ATTACKERS)
async def test_a_refusal_ends_the_publisher_with_a_clear_error(generated: Site, zone: Zone) -> None:
    async with connect(generated.url, generated.seeds[zone], zone) as bus:
        await bus.publish("intents.approved.BTC-USD", b"evil")

        async with asyncio.timeout(60):
            with pytest.raises(PublishRefused, match=r"intents\.approved\.btc-usd"):
                await bus.watch()


async def test_a_kill_needs_only_the_operator_and_the_bus(generated: Site) -> None:
    async with observers(generated, Zone.OPERATOR) as eyes, eye(generated, Zone.OPERATOR) as operator:
        for payload in (b"", b"now", b"\xff\x00\xfe", b'{"reason":"x"}' * 150):
            await operator.client.publish("control.kill", payload)
        await operator.client.flush()
        deaf = {Zone.EXCHANGE, Zone.LAB}  # the paper venue hears prices alone, and a lab its work
        hear = {own.zone: 0 if own.zone in deaf else 4 for own in eyes}
        await waited(lambda: all(len(own.seen) >= hear[own.zone] for own in eyes))
        await asyncio.sleep(0.3)

        assert operator.refused == []
        assert {own.zone: len(own.seen) for own in eyes} == hear
        assert [entry[:2] for entry in await stored(generated)] == [("CONTROL", "control.kill")] * 4
