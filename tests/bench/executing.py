"""(i) The executor's own work per order, with 5,000 orders open, and its agreement with a venue of 10,000 orders.

In one process: the executor's parts as it wires them, its journal and signature check, the venue's JSON as parsed, and
its own client over TLS to a venue in another process. The bus is in memory and answers at once. An order counts from
the moment at which its intent is due, so that whatever holds the executor up counts, to the moment at which the last
byte of its request is with the kernel. Beside it stands a floor, measured in the same run at the same pace: one fsync
of as many bytes, then the same request by the same client, and nothing else.
"""

import asyncio
import json
import sys
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import uvloop
import wire
from report import Spread, spread

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.ids import ClientOrderId, DecisionId, SignalId, VenueOrderId, client_order_id, intent_id
from gpt_trader.contracts.intents import ApprovedIntent, Purpose, SignedIntent
from gpt_trader.contracts.message import GENESIS_HASH, Message, digest
from gpt_trader.contracts.signals import Side
from gpt_trader.executor.__main__ import SWITCH_SECONDS, wired
from gpt_trader.executor.adapters import parse
from gpt_trader.executor.adapters.coinbase_exchange import CoinbaseExchange, exchange
from gpt_trader.executor.adapters.metrics import PrometheusMeasurements
from gpt_trader.executor.domain.permission import Permission
from gpt_trader.executor.domain.records import Accepted, IntentSeen, Submitting
from gpt_trader.executor.domain.submission import Created, CreateReply
from gpt_trader.executor.domain.venue import VenueFill, VenueOrder
from gpt_trader.executor.service.executor import ExecutorService
from gpt_trader.executor.settings import ExecutorSettings
from gpt_trader.runtime import lifecycle, logs
from gpt_trader.runtime.bus import Received
from gpt_trader.runtime.clock import SystemClock
from gpt_trader.runtime.health import Health
from gpt_trader.runtime.journal import Journal
from gpt_trader.runtime.secret_files import write_secret
from gpt_trader.runtime.signing import Signer, Verifier, generate_seed

T = TypeVar("T")

RATE = 50
"""Orders per second of the goal."""
_PAGE = 250


@dataclass(frozen=True, slots=True)
class Executing:
    """Milliseconds from an intent's due time to its request, with this many orders open; seconds to agree.

    `own` is `to_request` without the wait for the disk before it; `floor` is what the disk and the client alone take,
    `floor_own` the same without the disk. `order_cpu` are milliseconds of processor per order, for all that is done
    with it; `reconcile_cpu` seconds.
    """

    open_orders: int
    to_request: Spread
    own: Spread
    floor: Spread
    floor_own: Spread
    listed: int
    fold_seconds: float
    reconcile_seconds: float
    reconcile_cpu: float
    order_cpu: float
    ended: int


@dataclass(slots=True)
class MemoryBus:
    """Takes every report at once."""

    stored: int = 0

    async def store(self, _subject: str, _message: Message, *, message_id: str) -> int:
        del message_id
        self.stored += 1
        return self.stored


@dataclass(slots=True)
class MemoryVenue:
    """Accepts everything, over TLS once it is wired; lists pages of JSON, which are parsed as the real ones."""

    wired: CoinbaseExchange | None = None
    orders: list[bytes] = field(default_factory=list)
    fills: list[bytes] = field(default_factory=list)

    def binds(self, intent: ApprovedIntent) -> bool:
        return parse.binds(intent)

    async def create(self, intent: ApprovedIntent) -> CreateReply:
        if self.wired is not None:
            return await self.wired.create(intent)
        return Created(venue_order_id=VenueOrderId(intent.client_order_id), client_order_id=intent.client_order_id)

    async def cancel(self, orders: Sequence[VenueOrderId]) -> None:
        raise AssertionError(orders)

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder | None:
        del venue_order_id
        return None

    async def orders_since(self, _start: datetime) -> Sequence[VenueOrder]:
        found: list[VenueOrder] = []
        for page in self.orders:
            found += parse.orders_page(json.loads(page))[0]
            await asyncio.sleep(0)
        return found

    async def open_orders(self) -> Sequence[VenueOrder]:
        return []

    async def fills_of(self, _venue_order_id: VenueOrderId) -> Sequence[VenueFill]:
        return []

    async def fills_since(self, _start: datetime) -> Sequence[VenueFill]:
        found: list[VenueFill] = []
        for page in self.fills:
            found += parse.fills_page(json.loads(page))[0]
            await asyncio.sleep(0)
        return found


@dataclass(slots=True)
class Rig:
    """The executor's parts, with a gate's key to sign for them."""

    service: ExecutorService
    venue: MemoryVenue
    signer: Signer
    journal: Journal
    head: str = GENESIS_HASH

    def signed(self, intent: ApprovedIntent) -> Received:
        """Sign an intent as the next one of the chain."""
        payload = intent.model_copy(update={"previous_hash": self.head}).encode().decode()
        self.head = digest(payload.encode())
        signed = SignedIntent(payload=payload, key_id="gate", signature=self.signer.sign(payload.encode()))
        return Received(f"intents.approved.{intent.product}", signed.encode(), sequence=intent.stream_sequence)

    def hear(self) -> None:
        placer = self.service.placer
        placer.permission = Permission(status=TradingStatus.ACTIVE, heard_at=datetime.now(UTC))


def approval(number: int) -> ApprovedIntent:
    """Approve an order that rests."""
    cause, now = intent_id(f"decision-{number}", 1), datetime.now(UTC)
    order_id = client_order_id(cause)
    terms = {"base_size": "1", "limit_price": "100", "post_only": False}
    body = json.dumps(
        {
            "client_order_id": order_id,
            "product_id": "BTC-USD",
            "side": "BUY",
            "order_configuration": {"limit_limit_gtc": terms},
        }
    )
    return ApprovedIntent(
        intent_id=cause,
        client_order_id=order_id,
        decision_id=DecisionId(f"decision-{number}"),
        signal_id=SignalId(f"signal-{number}"),
        strategy="trend",
        epoch=1,
        stream_sequence=number,
        previous_hash=GENESIS_HASH,
        product="BTC-USD",
        side=Side.BUY,
        purpose=Purpose.ENTRY,
        quantity=Decimal(1),
        limit_price=Decimal(100),
        form=OrderForm.LIMIT_GTC,
        post_only=False,
        end_time=None,
        reserved_notional=Decimal(100),
        mark=Decimal(100),
        arrival_mark=Decimal(100),
        policy_version="1",
        approved_at=now,
        expires_at=now + timedelta(seconds=5),
        body=body,
        body_sha256=digest(body.encode()),
    )


@contextmanager
def _keyed(folder: Path) -> Iterator[tuple[ExecutorSettings, Signer, Journal]]:
    seed = folder / "gate.seed"
    if not seed.exists():
        write_secret(seed, generate_seed())
    signer = Signer.load(seed, key_id="gate")
    settings = ExecutorSettings(
        egress="127.0.0.1:1",
        egress_ca_file=folder / "none",
        gate_public_key_file=folder / "none",
        journal_dir=folder,
        nats_url="nats://127.0.0.1:1",
    )
    with Journal.open(folder / "executor.journal") as journal:
        yield settings, signer, journal


@asynccontextmanager
async def _running(folder: Path) -> Any:
    with _keyed(folder) as (settings, signer, journal):
        venue, verifier = MemoryVenue(), Verifier.pinned({"gate": signer.public_key})
        async with asyncio.TaskGroup() as group:
            world = (MemoryBus(), venue, group, Health("executor"), SystemClock())
            service = wired(settings, verifier, journal, world)  # type: ignore[arg-type] - a bus that only stores
            reporting = group.create_task(service.reporter.serve())
            lifecycle.spare_what_is_there()
            yield Rig(service, venue, signer, journal)
            reporting.cancel()


def measured(folder: Path, open_orders: int, seconds: float, listed: int) -> Executing:
    """Open orders, send some more at the goal's rate, then agree with a venue at which everything was filled."""
    for name in ("open", "listed", "floor", "wire"):
        (folder / name).mkdir()
    logs.configure("warning", "json")
    sys.setswitchinterval(SWITCH_SECONDS)
    count = int(seconds * RATE)
    with (
        wire.served(folder / "wire") as client,
        exchange(client, Random(1), PrometheusMeasurements()) as wired,
    ):
        floor, floor_own = _run(_floor(folder / "floor", count, wired, client))
        to_request, own, order_cpu = _run(_sent(folder / "open", open_orders, count, wired, client))
    fold, reconcile, cpu, ended = _run(_agreed(folder / "listed", listed))
    spreads = (spread(to_request), spread(own), spread(floor), spread(floor_own))
    return Executing(open_orders, *spreads, listed, fold, reconcile, cpu, order_cpu, ended)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run as a service does."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _reached(due: float) -> None:
    await asyncio.sleep(max(due - time.perf_counter(), 0))


async def _floor(
    folder: Path, count: int, wired: CoinbaseExchange, client: wire.TimedClient
) -> tuple[list[float], list[float]]:
    """Write what the executor writes before a request, and make the request."""
    took, own = [], []
    with Journal.open(folder / "floor.journal") as journal:
        began = time.perf_counter()
        for number in range(count):
            intent, due = approval(10**9 + number), began + number / RATE
            await _reached(due)
            journal.append("intent_seen", intent)
            await wired.create(intent)
            took.append((client.sent[intent.client_order_id] - due) * 1000)
            own.append(took[-1] - journal.synced_in * 1000)
    return took, own


async def _sent(
    folder: Path, open_orders: int, count: int, wired: CoinbaseExchange, client: wire.TimedClient
) -> tuple[list[float], list[float], float]:
    async with _running(folder) as rig:
        for number in range(1, open_orders + 1):
            rig.hear()
            await rig.service.intake.on_intent(rig.signed(approval(number)))
            await asyncio.sleep(0)
        while rig.service.books.ledger.unsaid:  # noqa: ASYNC110 - the reports go out in a task of their own
            await asyncio.sleep(0.05)
        rig.venue.wired, spent, began = wired, time.process_time(), time.perf_counter()
        sent: list[tuple[ClientOrderId, float, float]] = []
        for number in range(count):
            intent, due = approval(open_orders + 1 + number), began + number / RATE
            delivery = rig.signed(intent)
            rig.hear()
            await _reached(due)
            await rig.service.intake.on_intent(delivery)
            sent.append((intent.client_order_id, due, rig.journal.synced_in))
        while not rig.service.placer.is_idle or rig.service.books.ledger.unsaid:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
        assert len(rig.service.books.ledger.live) == open_orders + count
        spent = time.process_time() - spent
    took = [(client.sent[order] - due) * 1000 for order, due, _ in sent]
    own = [(client.sent[order] - due - synced) * 1000 for order, due, synced in sent]
    return took, own, spent * 1000 / count


async def _agreed(folder: Path, count: int) -> tuple[float, float, float, int]:
    async with _running(folder) as rig:
        at = datetime.now(UTC)
        orders = [approval(number) for number in range(1, count + 1)]
        for intent in orders:
            own, venue_id = intent.client_order_id, VenueOrderId(intent.client_order_id)
            with rig.service.books.at_once():
                rig.service.books.record(
                    IntentSeen(intent=intent, at=at),
                    Submitting(client_order_id=own, permit_before=intent.expires_at, at=at),
                    Accepted(client_order_id=own, venue_order_id=venue_id, at=at),
                )
    began = time.perf_counter()
    async with _running(folder) as rig:
        folded = time.perf_counter() - began
        rig.venue.orders = _pages("orders", [_order_row(one) for one in orders])
        rig.venue.fills = _pages("fills", [_fill_row(one) for one in orders])
        began, spent = time.perf_counter(), time.process_time()
        await rig.service.reconciler.reconcile()
        took, spent = time.perf_counter() - began, time.process_time() - spent
        return folded, took, spent, count - len(rig.service.books.ledger.live)


def _pages(name: str, rows: Sequence[dict[str, Any]]) -> list[bytes]:
    cut = [rows[start : start + _PAGE] for start in range(0, len(rows), _PAGE)]
    return [json.dumps({name: page, "has_next": False, "cursor": ""}).encode() for page in cut]


def _order_row(intent: ApprovedIntent) -> dict[str, Any]:
    at = intent.approved_at.isoformat()
    return {
        "order_id": intent.client_order_id, "client_order_id": intent.client_order_id, "product_id": "BTC-USD",
        "status": "FILLED", "filled_size": "1", "created_time": at, "last_fill_time": at,
    }  # fmt: skip


def _fill_row(intent: ApprovedIntent) -> dict[str, Any]:
    own = intent.client_order_id
    return {
        "entry_id": f"entry-{own}", "trade_id": f"trade-{own}", "order_id": own, "product_id": "BTC-USD",
        "trade_time": intent.approved_at.isoformat(), "trade_type": "FILL", "price": "100", "size": "1",
        "commission": "0.1", "liquidity_indicator": "MAKER", "size_in_quote": False, "side": "BUY",
    }  # fmt: skip
