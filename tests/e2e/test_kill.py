"""I3: a kill holds, whoever sends it, whatever restarts, until an operator resets it."""

import time
from collections.abc import Iterator

import pytest
from harness import RunningSystem, system
from system import promptly

from gpt_trader.contracts.account import TradingState, TradingStatus
from gpt_trader.contracts.subjects import CONTROL_KILL, STATE_TRADING, Zone
from gpt_trader.runtime.bus import Bus

QUIET_SECONDS = 6
"""A minute of the demo's market, four of its candles: time enough for an entry, were one let through."""


@pytest.fixture(scope="module")
def trading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """Start a demo and wait until it has traded."""
    with system(tmp_path_factory.mktemp("busy")) as running:
        running.until("an order reached the venue", lambda: bool(running.books()["orders"]), seconds=180)
        yield running


@pytest.fixture
def busy(trading: RunningSystem) -> RunningSystem:
    """Hand over a demo that trades: a kill of the test before is over."""
    if is_halted(trading):
        assert trading.trader("reset").returncode == 0
    trading.until("trading is active", lambda: is_active(trading))
    return trading


def kill_with(running: RunningSystem, payload: bytes) -> None:
    async def work(bus: Bus) -> None:
        await bus.publish(CONTROL_KILL, payload)

    running.as_zone(Zone.OPERATOR, work)


def last_word(running: RunningSystem) -> TradingState | None:
    async def work(bus: Bus) -> TradingState | None:
        received = await bus.last("STATE", STATE_TRADING)
        return None if received is None else TradingState.decode(received.payload)

    return running.as_zone(Zone.OPERATOR, work)


def is_halted(running: RunningSystem) -> bool:
    state = last_word(running)
    return state is not None and state.status is TradingStatus.HALTED


def is_active(running: RunningSystem) -> bool:
    state = last_word(running)
    return state is not None and state.status is TradingStatus.ACTIVE


def is_halted_by_another(running: RunningSystem, epoch: int) -> bool:
    """Whether a gate that started after this epoch says that trading is halted."""
    state = last_word(running)
    return state is not None and state.epoch > epoch and state.status is TradingStatus.HALTED


def epoch_of(running: RunningSystem) -> int:
    state = last_word(running)
    assert state is not None
    return state.epoch


def entries(running: RunningSystem) -> int:
    return sum(order["side"] == "BUY" for order in running.books()["orders"])


@pytest.mark.parametrize("payload", [b"", b"now", b"\x00\xff", b'{"half": '], ids=["empty", "text", "binary", "torn"])
def test_any_payload_kills_and_no_order_follows(busy: RunningSystem, payload: bytes) -> None:
    kill_with(busy, payload)
    promptly(lambda: is_halted(busy), "the gate's acknowledgement", 5)
    before = entries(busy)

    time.sleep(QUIET_SECONDS)

    assert entries(busy) == before
    assert not [order for order in busy.books()["orders"] if order["status"] in {"OPEN", "PENDING", "QUEUED"}]


def test_a_kill_survives_the_gate_and_everything_else(busy: RunningSystem) -> None:
    kill_with(busy, b"now")
    promptly(lambda: is_halted(busy), "the gate's acknowledgement", 5)
    before, epoch = entries(busy), epoch_of(busy)

    killed = {service: busy.kill_9(service) for service in ("risk-gate", "executor", "strategy", "market-data")}
    busy.until("the gate is back", lambda: is_halted_by_another(busy, epoch))
    busy.until("all run again", lambda: all(busy.find(name) not in {None, pid} for name, pid in killed.items()))
    time.sleep(QUIET_SECONDS)

    assert is_halted(busy)
    assert entries(busy) == before


def test_a_kill_published_while_the_gate_is_dead_is_honoured(busy: RunningSystem) -> None:
    epoch = epoch_of(busy)
    busy.kill_9("risk-gate")
    kill_with(busy, b"now")
    busy.until("the gate is back and halted", lambda: is_halted_by_another(busy, epoch))
    before = entries(busy)

    time.sleep(QUIET_SECONDS)

    assert entries(busy) == before


def test_reset_lets_trading_go_on(busy: RunningSystem) -> None:
    assert busy.trader("kill").returncode == 0
    assert is_halted(busy)

    assert busy.trader("reset").returncode == 0

    busy.until("trading is active", lambda: is_active(busy))


def test_flatten_closes_every_position_while_halted(busy: RunningSystem) -> None:
    busy.until("a position is held", lambda: bool(busy.trader_json("positions")), seconds=180)
    assert busy.trader("kill").returncode == 0

    assert busy.trader("flatten").returncode == 0

    busy.until("everything is closed", lambda: not busy.trader_json("positions"), seconds=60)
    assert is_halted(busy)
