"""The real egress between a real client and the real simulator; only the gate's verdicts are a fake."""

import asyncio
import hashlib
import json
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest

from gpt_trader.contracts.ids import ClientOrderId, IntentId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.exchange_sim.adapters import tls as sim_tls
from gpt_trader.risk_gate.adapters.budget import BudgetTerms, RateBudget
from gpt_trader.risk_gate.adapters.egress.server import EgressTerms, serving
from gpt_trader.risk_gate.adapters.jwt import Tokens
from gpt_trader.risk_gate.adapters.keyfile import load_exchange_key
from gpt_trader.risk_gate.adapters.relay import Relay
from gpt_trader.risk_gate.adapters.tls import client_context, server_context
from gpt_trader.risk_gate.adapters.user_channel import FeedTerms, UserChannel
from gpt_trader.risk_gate.adapters.venue import RestVenue
from gpt_trader.risk_gate.adapters.venue_link import LinkTerms, VenueLink, open_link
from gpt_trader.risk_gate.domain.permits import PermitIssued, PermitOutcome, PermitRefused, Refusal
from gpt_trader.runtime.clock import SystemClock

ORDERS = "/api/v3/brokerage/orders"
JSON_TYPE = {"Content-Type": "application/json"}


@dataclass
class FakePermits:
    """Says yes once per approved body; remembers what it was told."""

    approved: dict[str, Purpose] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    issued: list[str] = field(default_factory=list)
    outcomes: list[PermitOutcome] = field(default_factory=list)
    origins: list[int | None] = field(default_factory=list)
    is_fenced: bool = False
    forgone: list[str] = field(default_factory=list)
    not_stored: set[str] = field(default_factory=set)
    held_up: timedelta = timedelta(0)

    def approve(self, body: bytes, purpose: Purpose = Purpose.ENTRY) -> bytes:
        self.approved[hashlib.sha256(body).hexdigest()] = purpose
        return body

    @property
    def in_flight(self) -> int:
        return len(self.issued) - len(self.outcomes)

    def purpose_of(self, body_sha256: str) -> Purpose | None:
        return None if body_sha256 in self.issued else self.approved.get(body_sha256)

    def is_on_its_way(self, body_sha256: str) -> bool:
        return body_sha256 in self.not_stored

    def ask(self, body_sha256: str, origin_ns: int | None) -> PermitIssued | PermitRefused:
        if body_sha256 not in self.approved or body_sha256 in self.not_stored:
            return PermitRefused(reason=Refusal.NO_MATCHING_APPROVAL)
        if body_sha256 in self.issued:
            return PermitRefused(reason=Refusal.PERMIT_ALREADY_ISSUED)
        if body_sha256 in self.expired:
            return PermitRefused(reason=Refusal.EXPIRED)
        time.sleep(self.held_up.total_seconds())  # as a slow disk holds up the whole process
        self.issued.append(body_sha256)
        self.origins.append(origin_ns)
        return PermitIssued(
            intent_id=IntentId(body_sha256[:8]),
            client_order_id=ClientOrderId(body_sha256[:8]),
            product="BTC-USD",
            purpose=self.approved[body_sha256],
            body_sha256=body_sha256,
            issued_at=datetime.now(UTC),
        )

    def forgo(self, body_sha256: str) -> None:
        self.forgone.append(body_sha256)

    def answered(self, permit: PermitIssued, outcome: PermitOutcome) -> None:
        assert permit.body_sha256 in self.issued
        self.outcomes.append(outcome)

    def objection_to_cancel(self) -> Refusal | None:
        return Refusal.EPOCH if self.is_fenced else None

    def allows_read(self) -> bool:
        return not self.is_fenced


@dataclass(frozen=True, slots=True)
class Sim:
    """A running exchange-sim."""

    rest: str
    ws: str
    ca: Path
    key_file: Path
    admin: str

    async def admin_call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        async with aiohttp.ClientSession() as session:
            if body is None:
                async with session.get(self.admin + path) as response:
                    return await response.json()
            async with session.post(self.admin + path, json=body) as response:
                assert response.status == 200, await response.text()
                return await response.json()

    async def arm(self, kind: str, match: str = "", times: int = 1, value: int = 0) -> None:
        await self.admin_call("/faults", {"kind": kind, "match": match, "times": times, "value": value})

    async def orders(self) -> list[dict[str, Any]]:
        orders: list[dict[str, Any]] = (await self.admin_call("/books"))["orders"]
        return orders


@dataclass(slots=True, kw_only=True)
class Hop:
    """A running egress and everything around it."""

    port: int
    ca: Path
    permits: FakePermits
    link: VenueLink
    relay: Relay
    venue: RestVenue
    client: aiohttp.ClientSession

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def post(self, body: bytes, path: str = ORDERS, **headers: str) -> tuple[int, Any]:
        async with self.client.post(
            f"https://{self.address}{path}", data=body, headers={**JSON_TYPE, **headers}
        ) as response:
            return response.status, await response.json(content_type=None)

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.client.get(f"https://{self.address}{path}") as response:
            return response.status, await response.json(content_type=None)


OpenHop = Callable[..., AbstractAsyncContextManager[Hop]]


@pytest.fixture(scope="session")
def sim_process() -> Iterator[Sim]:
    argv = [sys.executable, "-m", "gpt_trader.exchange_sim", "--private-limit", "100000", "--ticks-per-second", "5"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        places = json.loads(process.stdout.readline())
        yield Sim(places["rest"], places["ws"], Path(places["ca"]), Path(places["key_file"]), places["admin"])
        process.terminate()


@pytest.fixture
async def sim(sim_process: Sim) -> AsyncIterator[Sim]:
    yield sim_process
    for kind in ("http_500_after_accept", "lost_reply", "http_429", "slow_ms", "drop_connection_after_accept"):
        await sim_process.arm(kind, times=0)


@pytest.fixture(scope="session")
def egress_tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    folder = tmp_path_factory.mktemp("egress-tls")
    _, ca = sim_tls.server_context(folder, "127.0.0.1", datetime.now(UTC))
    return server_context(folder / "server.pem", folder / "server.pem"), ca


@pytest.fixture
def tokens(sim: Sim) -> Tokens:
    key = load_exchange_key(sim.key_file)
    return Tokens(key=key, host=sim.rest, life=timedelta(seconds=15), clock=SystemClock())


@pytest.fixture
def open_hop(sim: Sim, tokens: Tokens, egress_tls: tuple[ssl.SSLContext, Path]) -> OpenHop:
    context, ca = egress_tls

    @asynccontextmanager
    async def opened(
        budget: BudgetTerms | None = None,
        answer_within: timedelta = timedelta(seconds=3),
        host: str | None = None,
        tokens: Tokens = tokens,
    ) -> AsyncIterator[Hop]:
        clock = SystemClock()
        terms = LinkTerms(
            host=host or sim.rest,
            tls=client_context(sim.ca),
            answer_within=answer_within,
            connect_within=timedelta(seconds=1),
        )
        bucket = RateBudget(
            terms=budget or BudgetTerms(per_second=10000, burst=10000), elapsed=asyncio.get_running_loop().time
        )
        permits, relay = FakePermits(), Relay()
        listener = EgressTerms(host="127.0.0.1", port=0, tls=context, drain_within=timedelta(seconds=5))
        async with (
            open_link(terms, tokens, bucket) as link,
            serving(listener, permits, link, relay, clock) as port,
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=client_context(ca)), timeout=aiohttp.ClientTimeout(total=10)
            ) as client,
        ):
            yield Hop(
                port=port,
                ca=ca,
                permits=permits,
                link=link,
                relay=relay,
                venue=RestVenue(link=link, clock=clock, jitter=Random(1)),
                client=client,
            )

    return opened


@pytest.fixture
async def hop(open_hop: OpenHop) -> AsyncIterator[Hop]:
    async with open_hop() as opened:
        yield opened


@pytest.fixture
def user_channel(sim: Sim, tokens: Tokens) -> Callable[[Relay], UserChannel]:
    def channel(relay: Relay) -> UserChannel:
        terms = FeedTerms(
            url=sim.ws,
            tls=client_context(sim.ca),
            silent_at_most=timedelta(seconds=3),
            first_pause=timedelta(milliseconds=100),
        )
        return UserChannel(terms=terms, tokens=tokens, relay=relay, clock=SystemClock(), jitter=Random(1))

    return channel


_BODIES = iter(range(1, 1_000_000))


@pytest.fixture
def an_order_body() -> Callable[..., bytes]:
    """Make a body as the approval holds it: Python's own JSON spelling."""

    def body(price: str = "100.00", side: str = "BUY", quantity: str = "0.01") -> bytes:
        order = {
            "client_order_id": f"00000000-0000-4000-8000-{next(_BODIES):012d}",
            "product_id": "BTC-USD",
            "side": side,
            "order_configuration": {
                "limit_limit_gtc": {"base_size": quantity, "limit_price": price, "post_only": False}
            },
        }
        return json.dumps(order).encode()

    return body


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - any condition, also one in another process
                await asyncio.sleep(0.01)

    return wait
