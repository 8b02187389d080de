"""The strategy process on a real bus: warm-up from history, a signal for the gate, an exit, a kill, and a replay."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import AccountSnapshot, Position, TradingState, TradingStatus
from gpt_trader.contracts.market import Candle, CandleOrigin, Tick
from gpt_trader.contracts.message import GENESIS_HASH
from gpt_trader.contracts.proposals import Parameters
from gpt_trader.contracts.signals import Action, NoTrade, Signal
from gpt_trader.contracts.subjects import DURABLES, Zone
from gpt_trader.contracts.telemetry import Heartbeat
from gpt_trader.runtime.bus import Bus, Received
from gpt_trader.runtime.recording import recorded
from gpt_trader.strategy.adapters.registry import registered
from gpt_trader.strategy.domain.evolve import begin, evolve
from gpt_trader.strategy.domain.replay import replay
from gpt_trader.strategy.domain.setup import Assignment, Setup

PRODUCT = "BTC-USD"
QUARTER = timedelta(seconds=15)
STRATEGIES = registered(["trend"])
CLOSES = [Decimal(10000 - 20 * place) for place in range(60)] + [Decimal(8820 + 60 * place) for place in range(30)]
SIGNALS_OF_GATE = next(durable for durable in DURABLES if durable.stream == "SIGNALS")
PROFILE = """
runtime:
  nats_url: {url}
  nats_seed_file: {seed}
strategy:
  record_dir: {folder}/record
  no_trade_every: 1
  strategies:
    - {{strategy: trend, products: [BTC-USD, ETH-USD], interval: 15s, parameters: {{fast: 8, trail: 0.05}}}}
"""


def a_candle(place: int, base: datetime, product: str = PRODUCT) -> Candle:
    start, close = base + place * QUARTER, CLOSES[place]
    return Candle(
        product=product, interval="15s", start=start, open=close, high=close + 5, low=close - 5, close=close,
        volume=Decimal(1), origin=CandleOrigin.STREAM, published_at=start + QUARTER,
    )  # fmt: skip


def trading(status: TradingStatus) -> TradingState:
    return TradingState(
        status=status, causes=(), epoch=1, sequence=1, creates_in_flight=0, decisions=0, records=0,
        head_hash=GENESIS_HASH,
        published_at=datetime.now(UTC),
    )  # fmt: skip


def an_account(*positions: Position) -> AccountSnapshot:
    nothing = Decimal(0)
    return AccountSnapshot(
        equity=nothing, cash=(), positions=positions, open_orders=(), exposure=nothing, worst_case_exposure=nothing,
        net_exposure=nothing, cluster_exposures={}, correlated_exposure=nothing,
        realized_pnl=nothing, unrealized_pnl=nothing, fees=nothing, day_start_equity=nothing, day_pnl=nothing,
        peak_equity=nothing, drawdown=nothing, fills=0, is_reconciled=True, published_at=datetime.now(UTC),
    )  # fmt: skip


def a_position(entry: Decimal) -> Position:
    nothing = Decimal(0)
    return Position(
        product=PRODUCT, quantity=Decimal(1), average_entry_price=entry, mark=None, unrealized_pnl=nothing,
        realized_pnl=nothing, fees=nothing, strategy="trend", stop_price=entry - 100, target_price=entry + 900,
        opened_at=datetime.now(UTC),
    )  # fmt: skip


def a_tick(bid: Decimal, sequence: int) -> Tick:
    now = datetime.now(UTC)
    return Tick(
        product=PRODUCT, bid=bid, ask=bid + 1, bid_quantity=Decimal(1), ask_quantity=Decimal(1), last_price=bid,
        sequence=sequence, occurred_at=now, received_at=now,
    )  # fmt: skip


def place_of_entry() -> int:
    """Find the candle on which trend enters, by asking the domain itself."""
    base = datetime(2026, 3, 1, tzinfo=UTC)
    setup = Setup(assignments=(Assignment(strategy="trend", products=(PRODUCT,), interval="15s"),))
    state, _ = evolve(begin(setup, STRATEGIES), trading(TradingStatus.ACTIVE), base)
    state, _ = evolve(state, an_account(), base)
    for place in range(len(CLOSES)):
        state, outputs = evolve(state, a_candle(place, base), base + (place + 1) * QUARTER)
        if any(isinstance(output, Signal) for output in outputs):
            return place
    raise AssertionError("this market has no entry")


@asynccontextmanager
async def strategy_process(
    folder: Path, url: str, seed: Path, *words: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    profile = folder / "app.yaml"
    profile.write_text(PROFILE.format(url=url, seed=seed, folder=folder))
    with (folder / "strategy.log").open("wb") as log:
        command = [sys.executable, "-m", "gpt_trader.strategy", "--profile", str(profile), *words]
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            assert await asyncio.wait_for(process.wait(), 60) == 0, (folder / "strategy.log").read_text()


async def logged(folder: Path, event: str) -> str:
    """Wait until the process has logged an event."""
    async with asyncio.timeout(60):
        while True:
            lines = [line for line in (folder / "strategy.log").read_text().splitlines() if event in line]
            if lines:
                return lines[-1]
            await asyncio.sleep(0.05)


class Ears:
    """What reached the gate and the operator."""

    def __init__(self) -> None:
        self.signals: asyncio.Queue[Signal] = asyncio.Queue()
        self.silences: asyncio.Queue[NoTrade] = asyncio.Queue()

    async def on_signal(self, received: Received) -> None:
        self.signals.put_nowait(Signal.decode(received.payload))

    async def on_no_trade(self, received: Received) -> None:
        self.silences.put_nowait(NoTrade.decode(received.payload))

    async def reason(self, code: str) -> NoTrade:
        async with asyncio.timeout(60):
            while True:
                silence = await self.silences.get()
                if silence.evidence["code"] == code:
                    return silence


def replayed(recording: Path) -> list[Signal]:
    """Fold a recording again, and return the signals that come of it."""
    return [output for output in replay(recorded(recording), STRATEGIES) if isinstance(output, Signal)]


class Stack(Protocol):
    """The bus that the fixture starts."""

    url: str
    seeds: Mapping[Zone, Path]


BusOf = Callable[[Zone], Awaitable[Bus]]


async def test_a_strategy_warms_up_signals_exits_obeys_a_kill_and_can_be_replayed(
    own_nats_stack: Stack, own_bus_of: BusOf, tmp_path: Path
) -> None:
    market, gate, operator = [await own_bus_of(zone) for zone in (Zone.MARKET_DATA, Zone.GATE, Zone.OPERATOR)]
    entry, ears = place_of_entry(), Ears()
    base = datetime.now(UTC) - timedelta(seconds=17) - entry * QUARTER

    async def store(candle: Candle) -> None:
        subject = subjects.candles(candle.interval, candle.product)
        await market.store(subject, candle, message_id=f"{subject}.{candle.start.isoformat()}")

    async def signal() -> Signal:
        return await asyncio.wait_for(ears.signals.get(), 60)

    for place in range(entry):
        await store(a_candle(place, base))
    await operator.subscribe("no_trade.>", ears.on_no_trade)
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(gate.consume(SIGNALS_OF_GATE, ears.on_signal))
        async with strategy_process(tmp_path, own_nats_stack.url, own_nats_stack.seeds[Zone.STRATEGY]) as process:
            assert f'"candles": {entry}' in await logged(tmp_path, "caught_up")
            assert "trading state" in (await ears.reason("no_trading_state")).reason

            await market.publish(subjects.ticks(PRODUCT), b'{"product": "BTC-USD", "bid": "NaN"}')
            await gate.store("parameters.trend", b"not json", message_id="bad")
            await gate.store("state.trading", trading(TradingStatus.ACTIVE), message_id="s1")
            await gate.store("account", an_account(), message_id="a1")
            await asyncio.sleep(2)
            await store(a_candle(entry, base))
            entered = await signal()
            assert (entered.action, entered.strategy, entered.product) == (Action.ENTER, "trend", PRODUCT)
            for reason in ("bid: ", "payload: Invalid JSON"):
                assert "message_malformed" in await logged(tmp_path, f'"reason": "{reason}')

            adopted = Parameters(
                strategy="trend", version="p", values={"stop_atr": Decimal(3)}, adopted_at=datetime.now(UTC)
            )
            await gate.store("parameters.trend", adopted, message_id="p1")
            await logged(tmp_path, "parameters_adopted")
            await gate.store("account", an_account(a_position(CLOSES[entry])), message_id="a2")
            await asyncio.sleep(2)
            for sequence in range(300):
                await market.publish(subjects.ticks(PRODUCT), a_tick(CLOSES[entry] - 200, sequence))
            left = await signal()
            assert left.action is Action.EXIT
            assert left.reason.startswith("stop")
            assert left.parameters_version != entered.parameters_version

            await operator.store("control.kill", b"now", message_id="k1")
            await ears.reason("killed")
            assert ears.signals.empty()
            assert psutil.Process(process.pid).memory_info().rss < 80 * 1024 * 1024
        listening.cancel()

    again = replayed(tmp_path / "record" / "strategy.jsonl")
    assert [one.encode() for one in again] == [entered.encode(), left.encode()]


async def test_two_shards_decide_on_each_product_once_and_say_who_they_are(
    own_nats_stack: Stack, own_bus_of: BusOf, tmp_path: Path
) -> None:
    market, gate = [await own_bus_of(zone) for zone in (Zone.MARKET_DATA, Zone.GATE)]
    entry, ears = place_of_entry(), Ears()
    base = datetime.now(UTC) - timedelta(seconds=17) - entry * QUARTER
    beats: list[tuple[int, int]] = []

    async def store(place: int) -> None:
        for product in ("BTC-USD", "ETH-USD"):
            subject = subjects.candles("15s", product)
            await market.store(subject, a_candle(place, base, product), message_id=f"{subject}.{place}")

    async def on_beat(received: Received) -> None:
        beat = Heartbeat.decode(received.payload)
        beats.append((beat.shard, beat.shards))

    for place in range(entry):
        await store(place)
    await gate.store("state.trading", trading(TradingStatus.ACTIVE), message_id="s1")
    await gate.store("account", an_account(), message_id="a1")
    await gate.subscribe(subjects.heartbeats(Zone.STRATEGY), on_beat)
    url, seed, folders = own_nats_stack.url, own_nats_stack.seeds[Zone.STRATEGY], [tmp_path / "0", tmp_path / "1"]
    async with asyncio.TaskGroup() as group, AsyncExitStack() as processes:
        listening = group.create_task(gate.consume(SIGNALS_OF_GATE, ears.on_signal))
        for index, folder in enumerate(folders):
            folder.mkdir()
            words = ("--shard-count", "2", "--shard-index", str(index))
            await processes.enter_async_context(strategy_process(folder, url, seed, *words))
        for folder in folders:
            assert f'"candles": {entry}' in await logged(folder, "caught_up")
        await store(entry)
        said = [await asyncio.wait_for(ears.signals.get(), 60) for _ in range(2)]
        await asyncio.sleep(1)
        assert ears.signals.empty()
        listening.cancel()

    assert sorted(one.product for one in said) == ["BTC-USD", "ETH-USD"]
    assert set(beats) == {(0, 2), (1, 2)}
    own = [{one.product for one in replayed(folder / "record" / f"strategy-{folder.name}.jsonl")} for folder in folders]
    assert own == [{"ETH-USD"}, {"BTC-USD"}]


async def test_a_strategy_without_the_right_credential_ends_with_a_clear_error(
    own_nats_stack: Stack, tmp_path: Path
) -> None:
    seed = own_nats_stack.seeds[Zone.LEARNING]
    with pytest.raises(AssertionError, match="strategy"):
        async with strategy_process(tmp_path, own_nats_stack.url, seed) as process:
            await asyncio.wait_for(process.wait(), 60)

    assert process.returncode == 4
