"""The real service against the real venue simulator and the real bus."""

import asyncio
import contextlib
import itertools
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import aiohttp
import orjson
import pytest

from gpt_trader.contracts.market import BookSummary, Candle, CandleOrigin, FeedState, FeedStatus, Tick, Universe
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.bus import Bus, Received
from tests.conftest import BusOf, NatsStack

PRODUCTS = ("BTC-USD", "ETH-USD")
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sim:
    rest: str
    ws: str
    ca: Path
    admin: str

    async def arm(self, kind: str, match: str = "", times: int = 1, value: int = 0) -> None:
        await self._post("faults", {"kind": kind, "match": match, "times": times, "value": value})

    async def market(self, **change: Any) -> None:
        await self._post("market", change)

    async def get(self, path: str, **query: str) -> Any:
        tls = ssl.create_default_context(cafile=self.ca)
        url = f"https://{self.rest}/api/v3/brokerage/market/{path}"
        async with aiohttp.ClientSession() as session, session.get(url, params=query, ssl=tls) as reply:
            return await reply.json()

    async def _post(self, path: str, body: dict[str, Any]) -> None:
        async with aiohttp.ClientSession() as session, session.post(f"{self.admin}/{path}", json=body) as reply:
            assert reply.status == 200, await reply.text()


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Sim]:
    command = [sys.executable, "-m", "gpt_trader.exchange_sim", "--products", ",".join(PRODUCTS), "--seed", "3"]
    options = ["--ticks-per-second", "120", "--public-limit", "1000", "--state-dir", str(tmp_path / "sim")]
    with running([*command, *options], tmp_path / "sim.log") as process:
        assert process.stdout is not None
        said = orjson.loads(process.stdout.readline())
        yield Sim(rest=said["rest"], ws=said["ws"], ca=Path(said["ca"]), admin=said["admin"])


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def command_of(sim: Sim, stack: NatsStack, folder: Path, *more: str, universe: str = "") -> list[str]:
    tiers = folder / "universe.yaml"
    tiers.write_text(universe or "products:\n" + "".join(f"  {product}: T1\n" for product in PRODUCTS))
    options = {
        "nats-url": stack.url,
        "nats-seed-file": stack.seeds[Zone.MARKET_DATA],
        "run-dir": folder,
        "venue-rest": f"https://{sim.rest}",
        "venue-ws": sim.ws,
        "venue-ca-file": sim.ca,
        "universe-file": tiers,
        "intervals": "2s,1m",
        "candle-grace": "0.6",
        "check-every": "0.2",
        "stale-message": "4",
        "stale-heartbeat": "8",
        "reconnect-first": "0.2",
        "retry-cap": "0.2",
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return [sys.executable, "-m", "gpt_trader.market_data", *flags, *more]


class Listener:
    """Everything heard on a subject, decoded, with its headers."""

    def __init__(self) -> None:
        self.heard: list[tuple[Received, Message]] = []

    async def listen(self, bus: Bus, pattern: str, model: type[Message]) -> None:
        async def on_message(received: Received) -> None:
            self.heard.append((received, model.decode(received.payload)))

        await bus.subscribe(pattern, on_message)

    def all(self, kind: type[M]) -> list[M]:
        return [message for _, message in self.heard if isinstance(message, kind)]

    async def until(self, is_true: Callable[[], bool], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not is_true():  # noqa: ASYNC110 - what is awaited is a state, not an event
                await asyncio.sleep(0.02)

    def states(self, product: str, since: int = 0) -> list[FeedState]:
        statuses = [m for _, m in self.heard[since:] if isinstance(m, FeedStatus) and m.product == product]
        states = [status.state for status in statuses]
        return [state for n, state in enumerate(states) if n == 0 or state is not states[n - 1]]

    async def until_clean(self, since: int = 0) -> None:
        await self.until(lambda: all(self.states(product, since)[-1:] == [FeedState.CLEAN] for product in PRODUCTS))


@pytest.fixture
async def listener(own_bus_of: BusOf) -> Listener:
    bus = await own_bus_of(Zone.STRATEGY)
    found = Listener()
    await found.listen(bus, "ticks.>", Tick)
    await found.listen(bus, "candles.>", Candle)
    await found.listen(bus, "books.>", BookSummary)
    await found.listen(bus, "feed.>", FeedStatus)
    await found.listen(bus, "universe", Universe)
    return found


async def test_prices_candles_books_and_the_universe_reach_a_reader(
    sim: Sim, own_nats_stack: NatsStack, listener: Listener, tmp_path: Path
) -> None:
    with running(command_of(sim, own_nats_stack, tmp_path), tmp_path / "md.log"):
        await listener.until_clean()
        await listener.until(lambda: len([c for c in listener.all(Candle) if c.origin is CandleOrigin.STREAM]) >= 6)

    ticks = listener.all(Tick)
    assert {tick.product for tick in ticks} == set(PRODUCTS)
    assert all(tick.bid < tick.ask for tick in ticks)
    keys = [(t.product, t.bid, t.ask, t.bid_quantity, t.ask_quantity, t.last_price) for t in ticks]
    for product in PRODUCTS:
        own = [key for key in keys if key[0] == product]
        assert all(one != next_one for one, next_one in itertools.pairwise(own))
    assert all(int(received.headers["Origin-Ns"]) > 0 for received, m in listener.heard if isinstance(m, Tick))
    assert all(book.bid < book.ask and len(book.depth) == 3 for book in listener.all(BookSummary))
    universe = listener.all(Universe)[0]
    assert [(spec.product, spec.tier) for spec in universe.products] == [(p, "T1") for p in PRODUCTS]
    assert universe.products[0].base_increment == Decimal("0.00000001")


async def test_a_candle_has_exactly_the_trades_of_its_bucket(
    sim: Sim, own_nats_stack: NatsStack, listener: Listener, tmp_path: Path
) -> None:
    with running(command_of(sim, own_nats_stack, tmp_path), tmp_path / "md.log"):
        await listener.until_clean()
        await listener.until(lambda: any(c.origin is CandleOrigin.STREAM for c in listener.all(Candle)))
        candle = next(c for c in listener.all(Candle) if c.origin is CandleOrigin.STREAM)
        found = await sim.get(
            f"products/{candle.product}/ticker",
            limit="1000",
            start=str(int(candle.start.timestamp())),
            end=str(int(candle.start.timestamp()) + 2),
        )
    trades = {t["trade_id"]: t for t in found["trades"]}
    inside = [
        Decimal(t["size"])
        for t in trades.values()
        if t["time"] < (candle.start + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%S")
    ]
    if len(found["trades"]) < 100:
        assert candle.volume == sum(inside)


async def test_each_candle_is_published_once_also_over_a_restart(
    sim: Sim, own_nats_stack: NatsStack, own_bus_of: BusOf, listener: Listener, tmp_path: Path
) -> None:
    command = command_of(sim, own_nats_stack, tmp_path)
    with running(command, tmp_path / "md.log"):
        await listener.until_clean()
        await listener.until(lambda: any(c.origin is CandleOrigin.STREAM for c in listener.all(Candle)))
    heard = len(listener.heard)
    await asyncio.sleep(2.5)
    with running(command, tmp_path / "md.log"):
        await listener.until_clean(heard)
        before = len(listener.all(Candle))
        await listener.until(lambda: len(listener.all(Candle)) >= before + 4)
        await asyncio.sleep(0.5)

    bus = await own_bus_of(Zone.MARKET_DATA)
    stored = [Candle.decode(r.payload) async for r in bus.history("MARKET", subject_filter="candles.>")]
    places = [(c.interval, c.product, c.start) for c in stored if c.origin is not CandleOrigin.CORRECTION]
    assert len(places) == len(set(places))
    for interval, product in {(interval, product) for interval, product, _ in places}:
        starts = [start for i, p, start in places if (i, p) == (interval, product)]
        assert starts == sorted(starts)
        if interval == "2s":
            gaps = [b - a for a, b in itertools.pairwise(starts)]
            assert max(gaps) <= timedelta(seconds=4), "a restart leaves no hole"


def newest_book(listener: Listener, product: str) -> BookSummary:
    return [book for book in listener.all(BookSummary) if book.product == product][-1]


def is_touched(listener: Listener, product: str, touches: tuple[Decimal, ...]) -> bool:
    """Whether the newest book begins with these prices and quantities."""
    book = newest_book(listener, product)
    return (book.bid, book.bid_quantity, book.ask, book.ask_quantity) == touches


async def test_a_gap_goes_through_resyncing_to_clean_with_a_right_book(
    sim: Sim, own_nats_stack: NatsStack, listener: Listener, tmp_path: Path
) -> None:
    with running(command_of(sim, own_nats_stack, tmp_path), tmp_path / "md.log"):
        await listener.until_clean()
        heard = len(listener.heard)
        await sim.arm("ws_gap", "level2:BTC-USD")
        await listener.until(lambda: FeedState.GAP in listener.states("BTC-USD", heard))
        await listener.until_clean(heard)
        await sim.market(frozen=True)
        for product in PRODUCTS:
            told = await sim.get("product_book", product_id=product, limit="1000")
            bids = [(Decimal(level["price"]), Decimal(level["size"])) for level in told["pricebook"]["bids"]]
            asks = [(Decimal(level["price"]), Decimal(level["size"])) for level in told["pricebook"]["asks"]]
            touches = (*bids[0], *asks[0])
            await listener.until(partial(is_touched, listener, product, touches))
            book = newest_book(listener, product)
            mid = (bids[0][0] + asks[0][0]) / 2
            within = sum(price * quantity for price, quantity in bids if price >= mid * (1 - Decimal("0.005")))
            assert book.depth[1].bid_notional == within

    expected = [FeedState.GAP, FeedState.RESYNCING, FeedState.CLEAN]
    states = [state for state in listener.states("BTC-USD", heard) if state is not FeedState.STALE]
    assert states[-3:] == expected or states[:4] == [FeedState.CLEAN, *expected]
    assert [m.gaps for m in listener.all(FeedStatus) if m.product == "BTC-USD"][-1] == 1


async def test_a_dropped_connection_is_made_again_and_everything_resubscribed(
    sim: Sim, own_nats_stack: NatsStack, listener: Listener, tmp_path: Path
) -> None:
    with running(command_of(sim, own_nats_stack, tmp_path), tmp_path / "md.log"):
        await listener.until_clean()
        heard = len(listener.heard)
        await sim.arm("ws_drop")
        await listener.until(lambda: FeedState.DISCONNECTED in listener.states("ETH-USD", heard))
        await listener.until_clean(heard)
        count = len(listener.all(Tick))
        await listener.until(lambda: len(listener.all(Tick)) > count + 20)

    last = [status for status in listener.all(FeedStatus) if status.product == "ETH-USD"][-1]
    assert last.reconnects == 1


async def test_a_product_that_is_silent_is_stale_until_it_speaks_again(
    sim: Sim, own_nats_stack: NatsStack, listener: Listener, tmp_path: Path
) -> None:
    with running(command_of(sim, own_nats_stack, tmp_path), tmp_path / "md.log"):
        await listener.until_clean()
        heard = len(listener.heard)
        await sim.arm("stale_feed", "BTC-USD", times=-1)
        await listener.until(lambda: listener.states("BTC-USD", heard)[-1:] == [FeedState.STALE])
        assert FeedState.STALE not in listener.states("ETH-USD", heard)
        await sim.arm("stale_feed", times=0)
        await listener.until(lambda: listener.states("BTC-USD", heard)[-1] is FeedState.CLEAN)


async def test_a_connection_without_heartbeat_is_given_up(
    sim: Sim, own_nats_stack: NatsStack, listener: Listener, tmp_path: Path
) -> None:
    with running(command_of(sim, own_nats_stack, tmp_path), tmp_path / "md.log"):
        await listener.until_clean()
        heard = len(listener.heard)
        await sim.arm("stale_feed", times=-1)
        await listener.until(lambda: FeedState.DISCONNECTED in listener.states("BTC-USD", heard))
        await sim.arm("stale_feed", times=0)
        await listener.until_clean(heard)


async def test_a_repeated_message_changes_nothing(
    sim: Sim, own_nats_stack: NatsStack, listener: Listener, tmp_path: Path
) -> None:
    with running(command_of(sim, own_nats_stack, tmp_path), tmp_path / "md.log"):
        await listener.until_clean()
        await sim.arm("ws_duplicate", times=10)
        count = len(listener.all(Tick))
        await listener.until(lambda: len(listener.all(Tick)) > count + 50)
        metrics = await metrics_of(tmp_path)

    assert metrics["market_data_repeated_messages_total"] == 10
    assert metrics["market_data_missed_messages_total"] == 0


async def test_a_restarted_bus_gets_every_candle_that_closed_meanwhile(
    sim: Sim, own_nats_stack: NatsStack, own_bus_of: BusOf, listener: Listener, tmp_path: Path
) -> None:
    def short_candles() -> list[Candle]:
        return [c for c in listener.all(Candle) if (c.interval, c.product) == ("2s", "BTC-USD")]

    with running(command_of(sim, own_nats_stack, tmp_path), tmp_path / "md.log") as process:
        await listener.until_clean()
        await listener.until(lambda: len(short_candles()) >= 2)
        own_nats_stack.kill()
        await asyncio.sleep(4.5)
        own_nats_stack.start()
        count = len(short_candles())
        await listener.until(lambda: len(short_candles()) >= count + 3)
        assert process.poll() is None
        bus = await own_bus_of(Zone.MARKET_DATA)
        stored = [Candle.decode(r.payload) async for r in bus.history("MARKET", subject_filter="candles.2s.BTC-USD")]

    starts = [candle.start for candle in stored if candle.origin is not CandleOrigin.CORRECTION]
    assert starts == sorted(set(starts))
    assert max(b - a for a, b in itertools.pairwise(starts)) <= timedelta(seconds=4)


async def test_a_product_that_the_venue_does_not_list_refuses_the_start(
    sim: Sim, own_nats_stack: NatsStack, tmp_path: Path
) -> None:
    command = command_of(sim, own_nats_stack, tmp_path, universe="products: {BTC-USD: T1, NOPE-USD: T3}")

    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30, check=False)

    assert done.returncode == 2
    assert b"start refused: the venue does not list NOPE-USD" in done.stderr


@pytest.mark.parametrize(
    ("universe", "more", "expected"),
    [
        ("products: {BTC-USD: T9}", (), b"products.BTC-USD = 'T9'"),
        ("products: {BTC-USD: T1}", ("--products", "SOL-USD"), b"products lacks SOL-USD"),
        ("", ("--intervals", "90x"), b"--intervals"),
        ("", ("--shard-index", "2"), b"shard_index must be below shard_count"),
        ("", ("--venue-ca-file", "/nowhere.pem"), b"venue_ca_file /nowhere.pem: No such file or directory"),
    ],
)
async def test_a_setting_that_cannot_be_used_refuses_the_start_and_is_named(
    own_nats_stack: NatsStack, tmp_path: Path, universe: str, more: tuple[str, ...], expected: bytes
) -> None:
    nowhere = Sim(rest="127.0.0.1:9", ws="wss://127.0.0.1:9", ca=tmp_path / "ca.pem", admin="")
    command = command_of(nowhere, own_nats_stack, tmp_path, *more, universe=universe)
    if "--venue-ca-file" not in more:
        place = command.index("--venue-ca-file")
        del command[place : place + 2]

    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=30, check=False)

    assert done.returncode == 2
    assert expected in done.stderr


async def metrics_of(folder: Path) -> dict[str, float]:
    address = (folder / "market-data.health").read_text()
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as reply:
        lines = (await reply.text()).splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


async def test_on_a_clock_ten_times_as_fast_candles_close_in_trading_time(
    own_nats_stack: NatsStack, listener: Listener, tmp_path: Path
) -> None:
    origin, start = datetime.now(UTC), datetime(2026, 1, 5, 9, 0, 7, tzinfo=UTC)
    options = ["--clock-origin", origin.isoformat(), "--clock-start", start.isoformat(), "--clock-rate", "10"]
    simulator = [sys.executable, "-m", "gpt_trader.exchange_sim", "--products", "BTC-USD,ETH-USD", *options]
    with running([*simulator, "--public-limit", "1000"], tmp_path / "sim.log") as process:
        assert process.stdout is not None
        said = orjson.loads(process.stdout.readline())
        sim = Sim(rest=said["rest"], ws=said["ws"], ca=Path(said["ca"]), admin=said["admin"])
        command = command_of(sim, own_nats_stack, tmp_path, *options, "--intervals", "15s,1m")
        with running(command, tmp_path / "md.log"):
            await listener.until_clean()
            await listener.until(lambda: len([c for c in listener.all(Candle) if c.origin is CandleOrigin.STREAM]) >= 6)

    streamed = [c for c in listener.all(Candle) if c.origin is CandleOrigin.STREAM and c.interval == "15s"]
    assert all(start < candle.start < start + 10 * (datetime.now(UTC) - origin) for candle in streamed)
    waits = [candle.published_at - candle.start - timedelta(seconds=15) for candle in streamed]
    assert min(waits) >= timedelta(0)
    assert median(waits) < timedelta(seconds=15), "a second and a half: one or the other may be late on a busy machine"
    assert not [c for c in listener.all(Candle) if c.origin is CandleOrigin.CORRECTION]
    ages = [tick.received_at - tick.occurred_at for tick in listener.all(Tick)]
    assert median(ages) < timedelta(seconds=10)
