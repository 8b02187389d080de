"""A real venue, a real bus and a real executor process; gate and egress are stand-ins that keep the gate's rules."""

import asyncio
import json
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from coinbase import jwt_generator

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingState, TradingStatus
from gpt_trader.contracts.forms import OrderForm, TimeInForce
from gpt_trader.contracts.ids import ClientOrderId, DecisionId, SignalId, client_order_id, intent_id
from gpt_trader.contracts.intents import ApprovedIntent, CancelIntent, EpochClaim, Purpose, SignedIntent
from gpt_trader.contracts.message import GENESIS_HASH, Command, digest
from gpt_trader.contracts.orders import Fill, OrderEvent, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.contracts.subjects import Zone
from gpt_trader.contracts.telemetry import Alert
from gpt_trader.exchange_sim.adapters.tls import server_context
from gpt_trader.runtime.bus import Bus, BusUnavailable
from gpt_trader.runtime.secret_files import write_secret
from gpt_trader.runtime.signing import Signer, generate_seed

PATIENCE_SECONDS = 60.0


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class Exchange:
    """A running exchange-sim and its test hooks."""

    places: Mapping[str, str]
    http: aiohttp.ClientSession

    async def fault(self, kind: str, match: str = "", times: int = 1, value: int = 0) -> None:
        body = {"kind": kind, "match": match, "times": times, "value": value}
        async with self.http.post(f"{self.places['admin']}/faults", data=orjson.dumps(body)) as reply:
            assert reply.status == 200, await reply.text()

    async def struck(self, kind: str) -> None:
        """Wait until a fault has struck: what is armed after it must not meet the same request."""

        async def has_struck() -> bool:
            async with self.http.get(f"{self.places['admin']}/faults") as reply:
                return all(one["kind"] != kind for one in (await reply.json())["armed"])

        await until(has_struck)

    async def last_price(self, product: str) -> Decimal:
        async with self.http.get(f"{self.places['admin']}/healthz") as reply:
            return Decimal((await reply.json())["last"][product])

    async def books(self) -> dict[str, Any]:
        async with self.http.get(f"{self.places['admin']}/books") as reply:
            books: dict[str, Any] = await reply.json()
            return books

    async def move(self, product: str, percent: int) -> None:
        body = {"product_id": product, "jump_percent": percent}
        async with self.http.post(f"{self.places['admin']}/market", data=orjson.dumps(body)) as reply:
            assert reply.status == 200, await reply.text()

    async def external_order(self, body: Mapping[str, Any]) -> None:
        async with self.http.post(f"{self.places['admin']}/orders/external", data=orjson.dumps(body)) as reply:
            assert reply.status == 200, await reply.text()


@dataclass(slots=True, kw_only=True)
class Egress:
    """Keeps the gate's rule: a body it knows gets one permit, ever. Signs with the official token builder."""

    venue: str
    key: Mapping[str, str]
    trust: ssl.SSLContext
    http: aiohttp.ClientSession
    approvals: dict[str, ClientOrderId] = field(default_factory=dict)
    permits: list[ClientOrderId] = field(default_factory=list)
    posted: list[tuple[bytes, Mapping[str, str]]] = field(default_factory=list)
    arrived_at: list[datetime] = field(default_factory=list)
    refusal: str = ""
    seconds: float = 2.0
    relays: int = 0

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/ws/user", self.relay)
        app.router.add_route("*", "/{tail:.*}", self.forward)
        return app

    async def forward(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        assert "Authorization" not in request.headers
        if request.method == "POST" and request.path.endswith("/orders"):
            self.posted.append((body, dict(request.headers)))
            self.arrived_at.append(now())
            reason = self.permit(body)
            if reason:
                return web.json_response(
                    {"error": "PERMIT_REFUSED", "error_details": reason, "message": reason}, status=403
                )
        token = jwt_generator.build_rest_jwt(
            f"{request.method} {self.venue}{request.path}", self.key["name"], self.key["privateKey"]
        )
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            async with self.http.request(
                request.method,
                f"https://{self.venue}{request.raw_path}",
                data=body,
                headers=headers,
                ssl=self.trust,
                timeout=aiohttp.ClientTimeout(total=self.seconds),
            ) as reply:
                return web.Response(status=reply.status, body=await reply.read(), content_type=reply.content_type)
        except TimeoutError:
            return web.Response(status=504, text="<html>venue timeout</html>")
        except aiohttp.ClientError:
            return web.Response(status=502, text="<html>venue unreachable</html>")

    def permit(self, body: bytes) -> str:
        order_id = self.approvals.get(digest(body))
        if order_id is None:
            return "no_matching_approval"
        if order_id in self.permits:
            return "permit_already_issued"
        if self.refusal:
            return self.refusal
        self.permits.append(order_id)
        return ""

    async def relay(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.relays += 1
        async with self.http.ws_connect(f"wss://{self.venue}/", ssl=self.trust) as upstream:
            for channel in ("user", "heartbeats"):
                token = jwt_generator.build_ws_jwt(self.key["name"], self.key["privateKey"])
                await upstream.send_str(orjson.dumps({"type": "subscribe", "channel": channel, "jwt": token}).decode())
            async for message in upstream:
                if message.type is not aiohttp.WSMsgType.TEXT or socket.closed:
                    break
                await socket.send_str(message.data)
        await socket.close(code=1012)
        return socket


@dataclass(slots=True, kw_only=True)
class Gate:
    """Signs and stores intents with the fence, and says the trading state each 0.2 s."""

    bus: Bus
    signer: Signer
    egress: Egress
    epoch: int = 1
    sequence: int = 0
    head: str = GENESIS_HASH
    status: TradingStatus | None = TradingStatus.ACTIVE
    count: int = 0

    async def claim(self) -> None:
        claim = EpochClaim(
            epoch=self.epoch,
            holder="stand-in",
            stream_sequence=self.sequence + 1,
            previous_hash=self.head,
            claimed_at=now(),
        )
        await self.store(subjects.INTENTS_EPOCH, claim, f"epoch:{self.epoch}")

    async def store(self, subject: str, intent: Command, message_id: str) -> None:
        payload = intent.encode().decode()
        signed = SignedIntent(payload=payload, key_id=self.signer.key_id, signature=self.signer.sign(payload.encode()))
        self.sequence = await self.bus.store(subject, signed, message_id=message_id, expect_last_sequence=self.sequence)
        self.head = digest(payload.encode())

    def order(
        self,
        product: str,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        *,
        tif: TimeInForce = TimeInForce.IOC,
        life: float = 5.0,
        purpose: Purpose = Purpose.ENTRY,
    ) -> ApprovedIntent:
        self.count += 1
        approval = intent_id(f"decision-{self.count}", self.epoch)
        order_id = client_order_id(approval)
        terms: dict[str, Any] = {"base_size": str(quantity), "limit_price": str(price)}
        kind, form = "sor_limit_ioc", OrderForm.LIMIT_IOC
        if tif is TimeInForce.GTC:
            kind, form, terms = "limit_limit_gtc", OrderForm.LIMIT_GTC, {**terms, "post_only": False}
        body = json.dumps(
            {
                "client_order_id": order_id,
                "product_id": product,
                "side": side.value.upper(),
                "order_configuration": {kind: terms},
            }
        )
        return ApprovedIntent(
            intent_id=approval,
            client_order_id=order_id,
            decision_id=DecisionId(f"decision-{self.count}"),
            signal_id=SignalId(f"signal-{self.count}"),
            strategy="trend",
            epoch=self.epoch,
            stream_sequence=self.sequence + 1,
            previous_hash=self.head,
            product=product,
            side=side,
            purpose=purpose,
            quantity=quantity,
            limit_price=price,
            form=form,
            post_only=False,
            end_time=None,
            reserved_notional=quantity * price,
            mark=price,
            arrival_mark=price,
            policy_version="1",
            approved_at=now(),
            expires_at=now() + timedelta(seconds=life),
            body=body,
            body_sha256=digest(body.encode()),
        )

    async def approve(self, intent: ApprovedIntent) -> ClientOrderId:
        self.egress.approvals[intent.body_sha256] = intent.client_order_id
        await self.store(subjects.intents_approved(intent.product), intent, intent.intent_id)
        return intent.client_order_id

    async def cancel(self, order_id: ClientOrderId, product: str) -> None:
        cancel = CancelIntent(
            intent_id=intent_id(f"cancel-{order_id}", self.epoch),
            epoch=self.epoch,
            stream_sequence=self.sequence + 1,
            previous_hash=self.head,
            product=product,
            client_order_id=order_id,
            venue_order_id=None,
            reason="test",
            approved_at=now(),
        )
        await self.store(subjects.intents_cancel(product), cancel, cancel.intent_id)

    async def say(self, status: TradingStatus) -> None:
        state = TradingState(
            status=status,
            causes=(),
            epoch=self.epoch,
            sequence=1,
            creates_in_flight=0,
            decisions=0,
            records=0,
            head_hash=GENESIS_HASH,
            published_at=now(),
        )
        await self.bus.publish(subjects.STATE_TRADING, state)

    async def serve_state(self) -> None:
        while True:
            if self.status is not None:
                with suppress(BusUnavailable):
                    await self.say(self.status)
            await asyncio.sleep(0.2)


@dataclass(slots=True, kw_only=True)
class Executor:
    """A real executor process that can be killed and started again on the same journal."""

    arguments: list[str]
    folder: Path
    starts: int = 0
    process: asyncio.subprocess.Process | None = None

    async def start(self, *more: str, journal: str = "journal", wait: bool = True) -> None:
        self.starts += 1
        with (self.folder / f"executor-{self.starts}.log").open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gpt_trader.executor", *self.arguments,
                "--journal-dir", str(self.folder / journal), *more, stderr=log,
            )  # fmt: skip
        if wait:
            await self.ready()

    async def ready(self) -> None:
        await self.said('"is_ready": true')

    async def recovered(self) -> None:
        await self.said('"event": "reconciled"')

    async def said(self, words: str) -> None:
        async def is_said() -> bool:
            assert self.process is not None
            assert self.process.returncode is None, self.log()
            return words in self.log()

        await until(is_said)

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def end(self) -> None:
        """Leave nothing running, whatever the test did."""
        if self.process is not None and self.process.returncode is None:
            await self.kill()

    async def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 60)

    def log(self) -> str:
        return (self.folder / f"executor-{self.starts}.log").read_text()


@dataclass(slots=True, kw_only=True)
class World:
    exchange: Exchange
    egress: Egress
    gate: Gate
    executor: Executor
    operator: Bus

    async def events(self) -> list[OrderEvent]:
        return [OrderEvent.decode(one.payload) async for one in self.operator.history("ORDERS")]

    async def fills(self) -> list[Fill]:
        return [Fill.decode(one.payload) async for one in self.operator.history("FILLS")]

    async def alerts(self) -> list[Alert]:
        return [Alert.decode(one.payload) async for one in self.operator.history("ALERTS")]

    async def life(self, order_id: ClientOrderId) -> list[OrderEvent]:
        return [event for event in await self.events() if event.client_order_id == order_id]

    async def ended(self, order_id: ClientOrderId, seconds: float = PATIENCE_SECONDS) -> OrderEvent:
        async def is_over() -> bool:
            return any(event.status.is_terminal for event in await self.life(order_id))

        await until(is_over, seconds)
        return (await self.life(order_id))[-1]

    async def reached(self, order_id: ClientOrderId, status: OrderStatus) -> None:
        async def has_reached() -> bool:
            return any(event.status is status for event in await self.life(order_id))

        await until(has_reached)

    async def posted(self, count: int) -> None:
        async def are_posted() -> bool:
            return len(self.egress.posted) >= count

        await until(are_posted)

    async def alerted(self, code: str) -> None:
        async def is_alerted() -> bool:
            return any(alert.code == code for alert in await self.alerts())

        await until(is_alerted)

    async def settled(self, orders: list[ClientOrderId]) -> None:
        """Every order is terminal or rests at the venue."""

        async def are_settled() -> bool:
            last = {event.client_order_id: event.status for event in await self.events()}
            return all(order in last and (last[order].is_terminal or last[order] == "open") for order in orders)

        await until(are_settled)

    async def buy(self, quantity: str = "0.01", **terms: Any) -> ApprovedIntent:
        """Approve what fills at once: above the market, inside any collar."""
        price = (await self.exchange.last_price("BTC-USD") * Decimal("1.01")).quantize(Decimal(1))
        return self.gate.order("BTC-USD", Side.BUY, Decimal(quantity), price, **terms)

    async def rest(self, quantity: str = "0.01", **terms: Any) -> ApprovedIntent:
        """Approve what rests far below the market."""
        price = (await self.exchange.last_price("BTC-USD") * Decimal("0.8")).quantize(Decimal(1))
        return self.gate.order("BTC-USD", Side.BUY, Decimal(quantity), price, tif=TimeInForce.GTC, **terms)

    async def check_books(self) -> None:
        """One venue order per approval at most, one terminal report per order, and books equal to the venue's."""
        books = await self.exchange.books()
        ours = [order for order in books["orders"] if order["client_order_id"] in set(self.egress.approvals.values())]
        by_client = {order["client_order_id"]: order for order in ours}
        assert len(by_client) == len(ours), "two venue orders for one approval"
        events, fills = await self.events(), await self.fills()
        assert len({(one.client_order_id, one.revision) for one in events}) == len(events)
        assert len({fill.fill_id for fill in fills}) == len(fills)
        last = {event.client_order_id: event for event in events}
        for order_id in self.egress.approvals.values():
            terminal = [one for one in events if one.client_order_id == order_id and one.status.is_terminal]
            venue_order = by_client.get(order_id)
            done = sum((fill.quantity for fill in fills if fill.client_order_id == order_id), Decimal(0))
            venue_done = Decimal(venue_order["filled_size"]) if venue_order else Decimal(0)
            assert done == venue_done, (order_id, done, venue_order)
            assert len(terminal) <= 1
            if terminal:
                assert terminal[0].filled_quantity == done
                assert last[order_id] == terminal[0]
                dead = terminal[0].status in {"failed", "rejected"}
                assert dead == (venue_order is None), (terminal[0], venue_order)
            else:
                assert venue_order is not None
                assert venue_order["status"] in {"OPEN", "PENDING"}
        entry_ids = {fill["entry_id"] for fill in books["fills"] if fill["order_id"] in {o["order_id"] for o in ours}}
        assert entry_ids == {fill.fill_id for fill in fills}
        fees = sum((Decimal(order["total_fees"]) for order in ours), Decimal(0))
        assert fees == sum((fill.fee for fill in fills), Decimal(0))


async def until(is_reached: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not await is_reached():  # noqa: ASYNC110 - the world is another process
            await asyncio.sleep(0.05)


async def _exchange(stack: AsyncExitStack, folder: Path, *options: str) -> dict[str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gpt_trader.exchange_sim", "--state-dir", str(folder),
        "--balances", "USD=1000000,BTC=10", "--private-limit", "1000", "--products", "BTC-USD,ETH-USD", *options,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip

    async def stop() -> None:
        if process.returncode is None:
            process.terminate()
        await process.wait()

    stack.push_async_callback(stop)
    assert process.stdout is not None
    places: dict[str, str] = orjson.loads(await asyncio.wait_for(process.stdout.readline(), 60))
    return places


@pytest.fixture
async def world(own_nats_stack: Any, own_bus_of: Any, tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        places = await _exchange(stack, tmp_path / "sim")
        seed = tmp_path / "gate.seed"
        write_secret(seed, generate_seed())
        signer = Signer.load(seed, key_id="gate")
        (tmp_path / "gate.pub").write_text(signer.public_key)
        egress = Egress(
            venue=places["rest"],
            key=json.loads(Path(places["key_file"]).read_text()),
            trust=ssl.create_default_context(cafile=places["ca"]),
            http=http,
        )
        (tmp_path / "egress").mkdir()
        tls, ca = server_context(tmp_path / "egress", "127.0.0.1", now())
        runner = web.AppRunner(egress.application(), shutdown_timeout=0.2)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        arguments = [
            "--egress", f"127.0.0.1:{runner.addresses[0][1]}", "--egress-ca-file", str(ca),
            "--gate-public-key-file", str(tmp_path / "gate.pub"), "--run-dir", str(tmp_path / "run"),
            "--nats-url", own_nats_stack.url, "--nats-seed-file", str(own_nats_stack.seeds[Zone.EXECUTOR]),
            "--token-life-seconds", "2", "--clock-bound-seconds", "0", "--visibility-seconds", "1",
            "--request-timeout-seconds", "4", "--resolve-seconds", "1",
        ]  # fmt: skip
        gate = Gate(bus=await own_bus_of(Zone.GATE), signer=signer, egress=egress)
        await gate.claim()
        state = asyncio.create_task(gate.serve_state())
        executor = Executor(arguments=arguments, folder=tmp_path)
        world = World(
            exchange=Exchange(places=places, http=http),
            egress=egress,
            gate=gate,
            executor=executor,
            operator=await own_bus_of(Zone.OPERATOR),
        )
        stack.push_async_callback(executor.end)
        try:
            yield world
        finally:
            state.cancel()
            with suppress(asyncio.CancelledError):
                await state
