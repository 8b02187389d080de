"""A second venue means adapters only: gate and executor, as they are, trade at the toy."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from gate_builders import CREATE_LIFE, ZERO_HASH, a_market, a_policy, a_request, a_signal, a_watch
from toy_adapters import ToyBodies, ToyExchange, ToyLink, ToyQuotes

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.forms import OrderAsked, OrderForm
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.orders import Fill, OrderEvent, OrderStatus
from gpt_trader.exchange_sim.adapters import tls as sim_tls
from gpt_trader.executor.adapters.metrics import PrometheusMeasurements
from gpt_trader.executor.domain.permission import Permission
from gpt_trader.executor.domain.submission import ErrorStatus
from gpt_trader.executor.domain.venue import Fence
from gpt_trader.executor.domain.verification import IsAuthentic
from gpt_trader.executor.service.books import Books
from gpt_trader.executor.service.following import Follower
from gpt_trader.executor.service.intake import Intake
from gpt_trader.executor.service.placing import Placer
from gpt_trader.executor.service.reconciling import Reconciler
from gpt_trader.executor.service.reporting import Reporter
from gpt_trader.executor.service.terms import Terms
from gpt_trader.risk_gate.adapters.budget import BudgetTerms, RateBudget
from gpt_trader.risk_gate.adapters.egress.server import EgressTerms, serving
from gpt_trader.risk_gate.adapters.relay import Relay
from gpt_trader.risk_gate.adapters.tls import client_context, server_context
from gpt_trader.risk_gate.domain.records import EpochClaimed, FillReported, Opened, OrderReported
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.outbox import Outbox
from gpt_trader.risk_gate.service.permit_desk import PermitDesk
from gpt_trader.risk_gate.service.verdicts import Verdicts
from gpt_trader.runtime.bus import Received
from gpt_trader.runtime.clock import SystemClock
from gpt_trader.runtime.journal import Journal
from gpt_trader.runtime.signing import Signer, Verifier, generate_seed

POLICY = a_policy(execution__forms=["limit_ioc", "limit_gtd"], protection__venue_stops=False)
SECOND = timedelta(seconds=1)
TERMS = Terms(
    fence=Fence(token_life=15 * SECOND, clock_bound=2 * SECOND, visibility=30 * SECOND),
    reconcile_every=60 * SECOND,
    resolve_every=0.05 * SECOND,
    state_max_age=30 * SECOND,
    cancels_entries_on_exit=True,
    drain_within=SECOND,
)


@dataclass(slots=True)
class OneBus:
    """What each service stores, in order, for the other one to read."""

    kept: list[Received] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def store(
        self, subject: str, message: Message | bytes, *, message_id: str, expect_last_sequence: int | None = None
    ) -> int:
        assert message_id
        sequence = 1 if expect_last_sequence is None else expect_last_sequence + 1
        payload = message if isinstance(message, bytes) else message.encode()
        self.kept.append(Received(subject, payload, sequence=sequence))
        self.changed.set()
        return sequence

    async def first(self, beginning: str, holding: bytes = b"") -> Received:
        while True:
            found = [one for one in self.kept if one.subject.startswith(beginning) and holding in one.payload]
            if found:
                return found[0]
            self.changed.clear()
            await self.changed.wait()


@pytest.fixture
def toy() -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, Path(__file__).parent / "toy_server.py"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[tuple[aiohttp.ClientSession, ssl.SSLContext]]:
    _, ca = sim_tls.server_context(tmp_path, "127.0.0.1", datetime.now(UTC))
    connector = aiohttp.TCPConnector(ssl=client_context(ca))
    async with aiohttp.ClientSession(connector=connector) as opened:
        yield opened, server_context(tmp_path / "server.pem", tmp_path / "server.pem")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Journal.open(tmp_path / "gate.jsonl") as journal:
        clock = SystemClock()
        gate = Ledger(journal=journal, policy=POLICY, clock=clock, create_life=CREATE_LIFE)
        gate.replay()
        now = clock.now()
        gate.commit(
            EpochClaimed(epoch=1, intents_sequence=1, intents_head=ZERO_HASH, at=now),
            Opened(cash={"USD": Decimal(100000)}, positions=(), at=now),
        )
        yield gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Gate and executor of the product, on the toy's adapters."""

    ledger: Ledger
    market: MarketWatch
    verdicts: Verdicts
    bus: OneBus
    venue: ToyExchange
    intake: Intake

    async def wish(self, **changes: Any) -> ApprovedIntent:
        """Have a signal decided on the toy's prices, and hand the approval to the executor."""
        now = self.ledger.clock.now()  # after the executor's journal began: what is older it would only look for
        tick = self.market.view("BTC-USD", None).tick
        signal = a_signal(created_at=now, **changes)
        request = a_request(signal=signal, now=now, market=a_market(at=now, tick=tick))
        record = await self.verdicts.give(lambda: request)
        assert record is not None
        assert record.intent is not None, record.decision.failures
        await self.intake.on_intent(await self.bus.first("intents.approved."))
        return record.intent

    async def reported(self, status: OrderStatus) -> OrderEvent:
        """Wait until the executor says so, and let the gate hear it."""
        event = OrderEvent.decode((await self.bus.first("orders.", f'"{status}"'.encode())).payload)
        fills = [Fill.decode(one.payload) for one in self.bus.kept if one.subject.startswith("fills.")]
        now = self.ledger.clock.now()
        for number, fill in enumerate(fills, start=1):
            self.ledger.commit(FillReported(fill=fill, sequence=number, is_slippage=False, raised=(), at=now))
        self.ledger.commit(OrderReported(event=event, sequence=1, raised=(), at=now))
        return event


@asynccontextmanager
async def trading(
    toy: str, session: tuple[aiohttp.ClientSession, ssl.SSLContext], ledger: Ledger, tmp_path: Path
) -> AsyncIterator[Desk]:
    client, tls = session
    bus, market, clock = OneBus(), a_watch(), SystemClock()
    market.keep(await ToyQuotes(client, toy).tick("BTC-USD", clock.now()))
    signer = Signer.of(generate_seed(), key_id="gate", origin="test")
    permits = PermitDesk(ledger=ledger, market=market, is_dry_run=False)
    verdicts = Verdicts(
        ledger=ledger, bus=bus, outbox=Outbox(bus=bus), signer=signer, venue=cast("Any", None), spelling=ToyBodies()
    )
    budget = RateBudget(terms=BudgetTerms(per_second=100, burst=100), elapsed=asyncio.get_running_loop().time)
    terms = EgressTerms(host="127.0.0.1", port=0, tls=tls, drain_within=timedelta(seconds=1))
    with Journal.open(tmp_path / "executor.journal") as journal:
        async with (
            serving(terms, permits, ToyLink(client, toy, budget), Relay(), clock) as port,
            asyncio.timeout(10),
            asyncio.TaskGroup() as group,
        ):
            venue = ToyExchange(client, f"https://127.0.0.1:{port}")
            is_authentic = Verifier.pinned({"gate": signer.public_key}).is_valid
            intake, serving_tasks = an_executor(journal, venue, bus, is_authentic, group)
            yield Desk(ledger=ledger, market=market, verdicts=verdicts, bus=bus, venue=venue, intake=intake)
            for task in serving_tasks:
                task.cancel()


def an_executor(
    journal: Journal, venue: ToyExchange, bus: OneBus, is_authentic: IsAuthentic, group: asyncio.TaskGroup
) -> tuple[Intake, list[asyncio.Task[None]]]:
    clock, measured = SystemClock(), PrometheusMeasurements()
    books = Books.open(journal, clock, measured)
    reporter = Reporter(books=books, bus=bus, clock=clock, measurements=measured)
    follower = Follower(books=books, exchange=venue, reporter=reporter, clock=clock, group=group)
    reconciler = Reconciler(books=books, exchange=venue, follower=follower, reporter=reporter, clock=clock, terms=TERMS)
    placer = Placer(
        books=books, submission=venue, follower=follower, measurements=measured, clock=clock,
        state_max_age=TERMS.state_max_age, doubt=reconciler.doubt, group=group,
        permission=Permission(status=TradingStatus.ACTIVE, heard_at=clock.wall()),
    )  # fmt: skip
    intake = Intake(
        books=books, placer=placer, follower=follower, reporter=reporter, submission=venue, measurements=measured,
        clock=clock, is_authentic=is_authentic, group=group,
    )  # fmt: skip
    return intake, [group.create_task(reporter.serve()), group.create_task(reconciler.serve_doubts())]


async def test_a_signal_becomes_an_order_at_a_second_venue_and_its_fill_comes_back(
    toy: str, session: tuple[aiohttp.ClientSession, ssl.SSLContext], ledger: Ledger, tmp_path: Path
) -> None:
    async with trading(toy, session, ledger, tmp_path) as desk:
        intent = await desk.wish()
        await desk.reported(OrderStatus.FILLED)
        again = await desk.venue.create(intent)
        (listed,) = await desk.venue.orders_since(intent.approved_at - SECOND)
        row = await desk.venue.row(listed.venue_order_id)

    (fill,) = (Fill.decode(one.payload) for one in desk.bus.kept if one.subject.startswith("fills."))
    assert again == ErrorStatus(status=403, error="PERMIT_REFUSED", details="permit_already_issued")
    assert (listed.client_order_id, listed.filled_quantity) == (intent.client_order_id, intent.quantity)
    assert row["sha256"] == intent.body_sha256
    assert (fill.price, fill.fee) == (intent.limit_price, Decimal("0.25"))
    assert ledger.state.portfolio.quantity("BTC-USD") == intent.quantity


async def test_an_order_that_rests_there_is_filled_in_part_and_taken_back(
    toy: str, session: tuple[aiohttp.ClientSession, ssl.SSLContext], ledger: Ledger, tmp_path: Path
) -> None:
    asked = OrderAsked(form=OrderForm.LIMIT_GTD, post_only=True, life_seconds=60)

    async with trading(toy, session, ledger, tmp_path) as desk:
        intent = await desk.wish(order=asked)
        await desk.reported(OrderStatus.PARTIALLY_FILLED)
        await desk.verdicts.withdraw(ledger.state.approvals[intent.client_order_id], "no longer wanted")
        await desk.intake.on_intent(await desk.bus.first("intents.cancel."))
        ended = await desk.reported(OrderStatus.CANCELED)

    assert intent.limit_price == 49995
    assert ended.filled_quantity == intent.quantity / 2
    assert ledger.state.portfolio.quantity("BTC-USD") == intent.quantity / 2
    assert not ledger.state.approvals.values()


async def test_an_order_whose_answer_was_lost_is_found_there_and_never_sent_again(
    toy: str, session: tuple[aiohttp.ClientSession, ssl.SSLContext], ledger: Ledger, tmp_path: Path
) -> None:
    async with trading(toy, session, ledger, tmp_path) as desk:
        async with session[0].post(f"{toy}/mute"):
            intent = await desk.wish()
        await desk.reported(OrderStatus.UNKNOWN)
        await desk.reported(OrderStatus.FILLED)
        made = [one.client_order_id for one in await desk.venue.orders_since(intent.approved_at - SECOND)]

    assert made == [intent.client_order_id]
    assert ledger.state.portfolio.quantity("BTC-USD") == intent.quantity
