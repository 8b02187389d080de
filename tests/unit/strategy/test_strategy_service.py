"""What the shell keeps of its inputs, how it repeats itself, and how it fails."""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from subprocess import run as run_process

import pytest
from prometheus_client import generate_latest

from gpt_trader.contracts.account import AccountSnapshot, TradingState, TradingStatus
from gpt_trader.contracts.market import Candle, CandleOrigin, Tick
from gpt_trader.contracts.message import GENESIS_HASH, Message
from gpt_trader.contracts.signals import NoTrade, Signal
from gpt_trader.runtime.bus import BusUnavailable, Received
from gpt_trader.runtime.recording import Recorder, recorded, recorder
from gpt_trader.strategy.adapters.metrics import PrometheusMeasurements
from gpt_trader.strategy.adapters.past import wall_span
from gpt_trader.strategy.adapters.registry import registered
from gpt_trader.strategy.domain.evolve import begin
from gpt_trader.strategy.domain.limit import NoTradeLimit
from gpt_trader.strategy.domain.replay import NotARecording, replay
from gpt_trader.strategy.domain.setup import Assignment, Setup, UnknownStrategy
from gpt_trader.strategy.domain.state import Output
from gpt_trader.strategy.service import StrategyService

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRODUCT = "BTC-USD"
QUARTER = timedelta(seconds=15)
STRATEGIES = registered(["trend", "mean-reversion"])


@dataclass
class FakeClock:
    time: datetime = START

    def now(self) -> datetime:
        return self.time

    def wall(self) -> datetime:
        return self.time

    def stretch(self, wall: timedelta) -> timedelta:
        return wall * 10


@dataclass
class FakeBus:
    clock: FakeClock
    failures: int = 0
    reconnects: int = 0
    stored: list[tuple[str, Message, str]] = field(default_factory=list)
    published: list[Message] = field(default_factory=list)

    async def publish(self, subject: str, message: Message) -> None:
        del subject
        self.published.append(message)

    async def store(self, subject: str, message: Message, *, message_id: str) -> int:
        if self.failures:
            self.failures -= 1
            self.clock.time += timedelta(seconds=1)
            raise BusUnavailable("down")
        self.stored.append((subject, message, message_id))
        return len(self.stored)


@dataclass
class FakePast:
    settled: list[Received] = field(default_factory=list)
    closed: list[Received] = field(default_factory=list)
    stood: list[Received] = field(default_factory=list)
    failures: int = 0

    async def setup(self, strategies: Iterable[str]) -> list[Received]:
        del strategies
        if self.failures:
            self.failures -= 1
            raise BusUnavailable("no answer")
        return self.settled

    async def candles(self, interval: str, product: str, count: int) -> list[Received]:
        del interval, product, count
        return self.closed

    async def standing(self) -> list[Received]:
        return self.stood


@dataclass
class SpyMeasurements:
    outputs: list[Output] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    overtaken: int = 0
    expired: int = 0

    def folded(self, kind: str, took: timedelta) -> None:
        pass

    def said(self, output: Output) -> None:
        self.outputs.append(output)

    def malformed(self, subject: str) -> None:
        self.dropped.append(subject)

    def coalesced(self) -> None:
        self.overtaken += 1

    def lost(self) -> None:
        self.expired += 1


@dataclass
class Stand:
    """A service among fakes."""

    record: Recorder = field(default_factory=lambda: Recorder(None))
    clock: FakeClock = field(default_factory=FakeClock)
    past: FakePast = field(default_factory=FakePast)
    spy: SpyMeasurements = field(default_factory=SpyMeasurements)

    def __post_init__(self) -> None:
        self.bus = FakeBus(self.clock)
        assignments = tuple(Assignment(strategy=name, products=(PRODUCT,), interval="15s") for name in STRATEGIES)
        self.service = StrategyService(
            bus=self.bus,
            clock=self.clock,
            record=self.record,
            measurements=self.spy,
            past=self.past,
            limit=NoTradeLimit(every=timedelta(seconds=60)),
            state=begin(Setup(assignments=assignments), STRATEGIES),
        )


def a_candle(place: int, close: Decimal) -> Received:
    start = START + place * QUARTER
    candle = Candle(
        product=PRODUCT, interval="15s", start=start, open=close, high=close + 5, low=close - 5, close=close,
        volume=Decimal(1), origin=CandleOrigin.STREAM, published_at=start + QUARTER,
    )  # fmt: skip
    return Received(f"candles.15s.{PRODUCT}", candle.encode())


def a_tick(sequence: int, bid: str, at: datetime) -> Received:
    price = Decimal(bid)
    tick = Tick(
        product=PRODUCT, bid=price, ask=price + 1, bid_quantity=Decimal(1), ask_quantity=Decimal(1),
        last_price=price, sequence=sequence, occurred_at=at, received_at=at,
    )  # fmt: skip
    return Received(f"ticks.{PRODUCT}", tick.encode())


def trading_state() -> Received:
    state = TradingState(
        status=TradingStatus.ACTIVE, causes=(), epoch=1, sequence=1, creates_in_flight=0, decisions=0,
        records=0, head_hash=GENESIS_HASH, published_at=START,
    )  # fmt: skip
    return Received("state.trading", state.encode())


def an_account() -> Received:
    nothing = Decimal(0)
    account = AccountSnapshot(
        equity=nothing, cash=(), positions=(), open_orders=(), exposure=nothing, worst_case_exposure=nothing,
        net_exposure=nothing, cluster_exposures={}, correlated_exposure=nothing,
        realized_pnl=nothing, unrealized_pnl=nothing, fees=nothing, day_start_equity=nothing, day_pnl=nothing,
        peak_equity=nothing, drawdown=nothing, fills=0, is_reconciled=True, published_at=START,
    )  # fmt: skip
    return Received("account", account.encode())


def a_rising_market() -> list[Decimal]:
    """Forty candles down, then up: exactly what trend waits for."""
    return [Decimal(1000 - 3 * place) for place in range(40)] + [Decimal(880 + 6 * place) for place in range(30)]


async def trade(stand: Stand) -> None:
    await stand.service.catch_up()
    for place, close in enumerate(a_rising_market()):
        stand.clock.time = START + (place + 1) * QUARTER
        await stand.service.on_input(a_candle(place, close))
        stand.service.fold(f"ticks.{PRODUCT}", a_tick(place, str(close), stand.clock.time).payload)


async def test_a_signal_is_stored_under_its_own_id_on_its_strategys_subject() -> None:
    stand = Stand(past=FakePast(stood=[trading_state(), an_account()]))

    await trade(stand)

    assert stand.bus.stored
    subject, signal, message_id = stand.bus.stored[-1]
    assert isinstance(signal, Signal)
    assert (subject, message_id) == (f"signals.{signal.strategy}.{PRODUCT}", signal.signal_id)


async def test_a_recording_replayed_gives_the_same_outputs_bit_for_bit(tmp_path: Path) -> None:
    with recorder(tmp_path, "strategy") as record:
        stand = Stand(record=record, past=FakePast(stood=[trading_state(), an_account()]))
        stand.service.begin()
        await stand.service.on_control(Received("control.kill", b"\xff\xfe now"))
        await stand.service.on_control(Received("control.reset", b""))
        await trade(stand)

    again = list(replay(recorded(tmp_path / "strategy.jsonl"), STRATEGIES))

    assert any(isinstance(output, Signal) for output in again)
    assert [encoded(one) for one in again] == [encoded(one) for one in stand.spy.outputs]


def encoded(output: Output) -> bytes:
    return output.encode() if isinstance(output, Signal | NoTrade) else repr(output).encode()


def test_a_recording_without_a_beginning_is_refused(tmp_path: Path) -> None:
    with recorder(tmp_path, "strategy") as record:
        record.record(START, "state.trading", trading_state().payload)

    with pytest.raises(NotARecording, match="expected 'setup' first"):
        list(replay(recorded(tmp_path / "strategy.jsonl"), STRATEGIES))


async def test_candles_of_the_past_warm_the_strategies_and_ask_for_nothing() -> None:
    closes = a_rising_market()
    stand = Stand(past=FakePast(closed=[a_candle(place, close) for place, close in enumerate(closes)]))
    stand.clock.time = START + len(closes) * QUARTER

    await stand.service.catch_up()

    assert stand.bus.stored == []
    assert all(lane.strategy.is_warm(lane.indicators) for lane in stand.service.state.lanes.values())


async def test_live_inputs_wait_until_the_past_is_folded_but_a_kill_does_not() -> None:
    stand = Stand()

    async with asyncio.TaskGroup() as group:
        group.create_task(stand.service.on_input(trading_state()))
        await asyncio.sleep(0)
        await stand.service.on_control(Received("control.kill", b""))
        assert stand.service.state.trading is None
        assert stand.service.state.latch == "killed"
        await stand.service.catch_up()

    assert stand.service.state.trading is not None


@pytest.mark.parametrize("failures", [0, 1])
async def test_what_was_said_while_the_bus_was_away_is_folded_once_it_is_back(failures: int) -> None:
    stand = Stand()
    stand.clock.time = START + 3 * QUARTER
    await stand.service.catch_up()
    await stand.service.on_input(a_candle(0, Decimal(100)))
    stand.past = stand.service.past = FakePast(
        closed=[a_candle(place, Decimal(100)) for place in range(3)], stood=[trading_state()], failures=failures
    )
    stand.bus.reconnects = 1

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1 + 0.3 * failures):
            await stand.service.serve_reconnects()

    assert [len(lane.candles) for lane in stand.service.state.lanes.values()] == [3, 3]
    assert stand.service.state.trading is not None


@pytest.mark.parametrize(
    "subject",
    [f"ticks.{PRODUCT}", f"candles.15s.{PRODUCT}", "account", "state.trading", "parameters.trend", "universe"],
)
@pytest.mark.parametrize("payload", [b"", b"now", b"\xff", b"{}", b'{"product": 1, "bid": "NaN"}', b"[" * 5000])
async def test_what_cannot_be_read_is_counted_and_dropped(subject: str, payload: bytes) -> None:
    stand = Stand()

    assert stand.service.fold(subject, payload) == ()

    assert stand.spy.dropped == [subject]


async def test_a_signal_is_tried_again_until_stored_and_given_up_once_expired() -> None:
    signal = await a_signal()
    recovering, dead = Stand(), Stand()
    recovering.bus.failures, dead.bus.failures = 3, 10_000
    recovering.clock.time = dead.clock.time = signal.created_at
    dead.clock.time += timedelta(seconds=28)

    await recovering.service.say((signal,))
    await dead.service.say((signal,))

    assert [stored[2] for stored in recovering.bus.stored] == [signal.signal_id]
    assert (dead.bus.stored, dead.spy.expired) == ([], 1)


async def a_signal() -> Signal:
    stand = Stand(past=FakePast(stood=[trading_state(), an_account()]))
    await trade(stand)
    return next(output for output in stand.spy.outputs if isinstance(output, Signal))


async def test_equal_reasons_are_published_once_a_minute_but_all_are_counted() -> None:
    stand = Stand()

    for second in (0, 15, 30, 59, 60):
        stand.clock.time = START + timedelta(seconds=second)
        await stand.service.say(stand.service.fold("pulse", b""))

    assert len(stand.spy.outputs) == 10
    assert len(stand.bus.published) == 4


async def test_a_burst_of_ticks_is_evaluated_at_its_newest_and_queues_nothing() -> None:
    stand = Stand()
    await stand.service.catch_up()
    for sequence in range(1000):
        await stand.service.on_tick(a_tick(sequence, str(100 + sequence), START))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await stand.service.serve_ticks()

    (tick,) = {lane.tick for lane in stand.service.state.lanes.values()}
    assert tick is not None
    assert tick.sequence == 999
    assert stand.spy.overtaken == 999


async def test_metrics_name_signals_reasons_and_indicators() -> None:
    measurements = PrometheusMeasurements()
    stand = Stand(past=FakePast(stood=[trading_state(), an_account()]))
    await trade(stand)
    for output in stand.spy.outputs:
        measurements.said(output)

    text = generate_latest().decode()
    assert 'strategy_signals_total{action="enter",strategy="trend"}' in text
    assert 'strategy_no_trade_total{reason="warming_up",strategy="trend"}' in text
    assert 'strategy_indicator{indicator="adx",product="BTC-USD",strategy="trend"}' in text
    assert 'strategy_confidence{product="BTC-USD",strategy="trend"}' in text


def test_an_unknown_strategy_is_refused_with_the_registered_ones() -> None:
    with pytest.raises(UnknownStrategy, match="strategies=hodl: not registered; known: "):
        registered(["trend", "hodl"])


@pytest.mark.parametrize(
    ("strategies", "reason"),
    [
        ('[{"strategy": "hodl"}]', "strategies=hodl: not registered; known: "),
        (
            '[{"strategy": "trend", "parameters": {"fast": "900"}}]',
            "fast=900: Input should be less than or equal to 200",
        ),
        ('[{"strategy": "trend", "product": "BTC-USD"}]', "Extra inputs are not permitted"),
    ],
)
def test_the_process_refuses_to_start_on_settings_that_cannot_run(strategies: str, reason: str) -> None:
    command = [sys.executable, "-m", "gpt_trader.strategy", "--strategies", strategies]
    ended = run_process(command, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 2
    assert reason in ended.stderr


def test_trading_time_is_looked_back_on_in_real_time() -> None:
    assert wall_span(FakeClock(), timedelta(minutes=10)) == timedelta(minutes=1)
