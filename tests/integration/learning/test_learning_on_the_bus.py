"""The learning service as a process on a real server: what was acknowledged is in the store, once, whatever dies."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.market import Candle, Tick
from gpt_trader.contracts.message import GENESIS_HASH
from gpt_trader.contracts.orders import Fill
from gpt_trader.contracts.subjects import Zone, candles, decisions, fills, ticks
from gpt_trader.learning.adapters.tables import opened
from gpt_trader.learning.domain.counterfactuals import Counterfactual
from gpt_trader.learning.domain.records import Kind
from gpt_trader.learning.queries import closed_trades, guard_report
from gpt_trader.runtime.bus import Bus, connect

PRODUCT = "BTC-USD"
PATIENCE = 60.0
"""Seconds; what a killed process had not acknowledged is delivered again only after 30."""


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Site:
    """A server with everybody's credentials, and a store."""

    url: str
    seeds: Mapping[Zone, Path]
    folder: Path

    @property
    def store_dir(self) -> Path:
        return self.folder / "store"

    def bus_of(self, zone: Zone) -> AbstractAsyncContextManager[Bus]:
        return connect(self.url, self.seeds[zone], zone)

    @asynccontextmanager
    async def learning(self, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
        address = self.folder / "learning.health"
        address.unlink(missing_ok=True)
        with (self.folder / "learning.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gpt_trader.learning", "--nats-url", self.url),
                *("--nats-seed-file", str(self.seeds[Zone.LEARNING]), "--store-dir", str(self.store_dir)),
                *("--run-dir", str(self.folder), *options),
                stderr=log,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                async with asyncio.timeout(PATIENCE):
                    code = await process.wait()
                assert code == 0, "a stop on request is clean"

    async def is_up(self) -> bool:
        return (self.folder / "learning.health").exists()


class Stack(Protocol):
    """What these tests need of the shared fixture."""

    url: str
    seeds: Mapping[Zone, Path]


@pytest.fixture
def site(own_nats_stack: Stack, tmp_path: Path) -> Site:
    return Site(own_nats_stack.url, own_nats_stack.seeds, tmp_path)


async def until(is_true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await is_true():  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.1)


def ids(store_dir: Path, kind: Kind) -> list[str]:
    with opened(store_dir) as tables:
        return [row_id for (row_id,) in tables.execute(f"FROM {kind} SELECT row_id ORDER BY sequence").fetchall()]


def a_decision(number: int, at: datetime, **fields: Any) -> Decision:
    return Decision.model_validate(
        {
            "decision_id": f"decision-{number}",
            "sequence": number,
            "epoch": 1,
            "product": PRODUCT,
            "signal": {
                "signal_id": f"signal-{number}",
                "strategy": "trend",
                "product": PRODUCT,
                "action": "enter",
                "side": "buy",
                "confidence": "0.7",
                "reference_price": "100",
                "stop_price": "95",
                "target_price": "110",
                "reason": "crossed",
                "evidence": {},
                "parameters_version": "1",
                "caused_by": "candle",
                "created_at": at,
                "expires_at": at + timedelta(minutes=1),
            },
            "verdict": "approved",
            "checks": [],
            "sizing": [],
            "quantity": "0",
            "notional": "0",
            "limit_price": None,
            "market": {"spec": None, "tick": None, "book": None, "feed": None},
            "account": {},
            "policy_version": "1",
            "trading_state": "active",
            "intent_id": f"intent-{number}",
            "decided_at": at,
            "previous_hash": GENESIS_HASH,
            "hash": GENESIS_HASH,
            **fields,
        }
    )


def a_denial(number: int, at: datetime) -> Decision:
    check = {"check": "spread", "rule": "G1", "outcome": "failed", "value": "9", "limit": "5", "unit": "bps"}
    return a_decision(number, at, verdict="denied", checks=[check], notional="1000", intent_id=None)


def a_fill(number: int, at: datetime) -> Fill:
    return Fill.model_validate(
        {
            "fill_id": f"fill-{number}",
            "trade_id": f"trade-{number}",
            "client_order_id": f"order-{number}",
            "venue_order_id": f"venue-{number}",
            "intent_id": f"intent-{number}",
            "strategy": "trend",
            "product": PRODUCT,
            "side": "sell" if number % 2 else "buy",
            "kind": "fill",
            "quantity": "0.1",
            "price": "101.50" if number % 2 else "100",
            "fee": "0.05",
            "fee_currency": "USD",
            "liquidity": "taker",
            "occurred_at": at,
            "reported_at": at,
        }
    )


def a_tick(price: str) -> Tick:
    return Tick.model_validate(
        {
            "product": PRODUCT,
            "bid": price,
            "ask": price,
            "bid_quantity": "1",
            "ask_quantity": "1",
            "last_price": price,
            "sequence": 1,
            "occurred_at": now(),
            "received_at": now(),
        }
    )


def a_candle(start: datetime, price: str) -> Candle:
    return Candle.model_validate(
        {
            "product": PRODUCT,
            "interval": "1s",
            "start": start,
            **dict.fromkeys(("open", "high", "low", "close"), price),
            "volume": "1",
            "origin": "stream",
            "published_at": now(),
        }
    )


async def publish_slowly(site: Site, count: int) -> None:
    """Store decisions and fills, every fill twice, as an executor does that lost the first acknowledgement."""
    async with site.bus_of(Zone.GATE) as gate, site.bus_of(Zone.EXECUTOR) as executor:
        for number in range(count):
            await gate.store(decisions(PRODUCT), a_decision(number, now()), message_id=f"decision-{number}")
            fill = a_fill(number, now())
            for attempt in range(2):
                await executor.store(fills(PRODUCT), fill, message_id=f"fill-{number}-{attempt}")
            await asyncio.sleep(0.01)


async def kill_often(site: Site, publishing: asyncio.Task[None]) -> int:
    kills = 0
    while not publishing.done():
        async with site.learning("--batch-seconds", "0.3") as process:
            await until(site.is_up)
            await asyncio.sleep(0.2 + 0.37 * (kills % 4))
            process.kill()
            await process.wait()
            kills += 1
    return kills


async def test_every_decision_and_fill_is_in_the_store_exactly_once_after_kills(site: Site) -> None:
    count = 300

    async with asyncio.TaskGroup() as group:
        publishing = group.create_task(publish_slowly(site, count))
        kills = await kill_often(site, publishing)

    async with site.learning("--batch-seconds", "0.3"):
        await until(lambda: has_all(site, count))

    assert kills >= 2
    assert ids(site.store_dir, Kind.DECISION) == [f"decision-{number}" for number in range(count)]
    assert ids(site.store_dir, Kind.FILL) == [f"fill-{number}" for number in range(count)]
    trades = closed_trades(site.store_dir)
    assert len(trades) == count // 2
    assert {trade.net for trade in trades} == {Decimal("0.05")}


async def has_all(site: Site, count: int) -> bool:
    await asyncio.sleep(0.5)
    kept = [len(ids(site.store_dir, kind)) for kind in (Kind.DECISION, Kind.FILL)]
    return kept == [count, count] and not list((site.store_dir / "wal").glob("*.jsonl"))


async def test_a_denied_entry_is_followed_on_the_ticks(site: Site) -> None:
    async with site.learning(), site.bus_of(Zone.GATE) as gate, site.bus_of(Zone.MARKET_DATA) as market:
        await until(lambda: is_ready(site))
        await gate.store(decisions(PRODUCT), a_denial(1, now()), message_id="1")
        await until(lambda: is_kept(site, "decision-1"))
        await market.publish(ticks(PRODUCT), a_tick("104"))
        await market.publish(ticks(PRODUCT), a_tick("110"))
        await until(lambda: has_ended(site, "decision-1"))

    (spread,) = guard_report(site.store_dir)
    assert (spread.check, spread.denials) == ("spread", 1)
    assert (spread.saved, spread.cost) == (Decimal(0), Decimal("87.4"))


async def test_what_was_followed_when_killed_is_followed_on_from_the_candles(site: Site) -> None:
    denied_at = now()
    async with site.bus_of(Zone.GATE) as gate, site.bus_of(Zone.MARKET_DATA) as market:
        async with site.learning() as process:
            await until(lambda: is_ready(site))
            await gate.store(decisions(PRODUCT), a_denial(1, denied_at), message_id="1")
            await until(lambda: is_kept(site, "decision-1"))
            process.kill()
            await process.wait()
        for seconds, price in enumerate(("101", "94", "120"), start=1):
            candle = a_candle(denied_at + timedelta(seconds=seconds), price)
            await market.store(candles("1s", PRODUCT), candle, message_id=str(seconds))
        async with site.learning():
            await until(lambda: has_ended(site, "decision-1"))

    with opened(site.store_dir) as tables:
        ((payload,),) = tables.execute("SELECT payload FROM counterfactuals WHERE row_id = 'decision-1'").fetchall()
    found = Counterfactual.decode(payload)
    assert (found.ending, found.exit_price) == ("stop", Decimal(94))


async def test_a_malformed_message_is_dropped_and_counted_and_the_next_is_kept(site: Site) -> None:
    async with site.learning(), site.bus_of(Zone.GATE) as gate:
        await until(lambda: is_ready(site))
        await gate.store(decisions(PRODUCT), b'{"decision_id": 7}', message_id="1")
        await gate.store(decisions(PRODUCT), a_decision(2, now()), message_id="2")
        await until(lambda: is_kept(site, "decision-2"))
        metrics = await fetched(site, "metrics")

    assert 'bus_malformed_total{subject="DECISIONS"} 1.0' in metrics
    assert "decision_id: Input should be a valid string" in (site.folder / "learning.log").read_text()


async def test_an_unwritable_store_acknowledges_nothing_and_says_so(site: Site) -> None:
    folder = site.store_dir / "wal"
    async with site.learning("--batch-seconds", "0.5"), site.bus_of(Zone.GATE) as gate:
        await until(lambda: is_ready(site))
        folder.rename(site.folder / "away")
        folder.write_text("in the way")
        await gate.store(decisions(PRODUCT), a_decision(1, now()), message_id="1")
        await until(lambda: is_refused(site))
        await until(lambda: says_why_not(site))
        folder.unlink()
        (site.folder / "away").rename(folder)
        await until(lambda: is_kept(site, "decision-1"))
        await until(lambda: is_ready(site))


async def test_a_second_service_on_the_same_store_refuses_to_start(site: Site) -> None:
    async with site.learning():
        await until(lambda: is_ready(site))
        async with site.learning() as second:
            async with asyncio.timeout(PATIENCE):
                code = await second.wait()

    assert code == 1
    assert "held by another process" in (site.folder / "learning.log").read_text()


async def is_kept(site: Site, decision_id: str) -> bool:
    return decision_id in ids(site.store_dir, Kind.DECISION)


async def has_ended(site: Site, decision_id: str) -> bool:
    return decision_id in ids(site.store_dir, Kind.COUNTERFACTUAL)


async def is_ready(site: Site) -> bool:
    return await site.is_up() and '"is_ready":true' in await fetched(site, "health")


async def is_refused(site: Site) -> bool:
    return "message_given_back" in (site.folder / "learning.log").read_text()


async def says_why_not(site: Site) -> bool:
    health = await fetched(site, "health")
    return '"is_ready":false' in health and str(site.store_dir) in health


async def fetched(site: Site, path: str) -> str:
    address = (site.folder / "learning.health").read_text()
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/{path}") as answer:
        return await answer.text()
