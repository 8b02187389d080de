"""I3: a kill holds, whoever sends it, whatever restarts, until an operator resets it."""

import time
from collections.abc import Iterator

import pytest
from harness import RunningSystem, system

from gpt_trader.contracts.account import TradingState, TradingStatus
from gpt_trader.contracts.subjects import CONTROL_KILL, STATE_TRADING, Zone
from gpt_trader.runtime.bus import Bus


@pytest.fixture
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """Start a demo and wait until it has traded."""
    with system(tmp_path_factory.mktemp("busy")) as running:
        running.until("trading is active", lambda: running.trader_json("status")["trading"]["status"] == "active")
        running.until("an order reached the venue", lambda: bool(running.books()["orders"]), seconds=90)
        yield running


def kill_with(running: RunningSystem, payload: bytes) -> None:
    async def work(bus: Bus) -> None:
        await bus.publish(CONTROL_KILL, payload)

    running.as_zone(Zone.OPERATOR, work)


def is_halted(running: RunningSystem) -> bool:
    async def work(bus: Bus) -> bool:
        received = await bus.last("STATE", STATE_TRADING)
        return received is not None and TradingState.decode(received.payload).status is TradingStatus.HALTED

    return running.as_zone(Zone.OPERATOR, work)


def entries(running: RunningSystem) -> int:
    return sum(order["side"] == "BUY" for order in running.books()["orders"])


@pytest.mark.parametrize("payload", [b"", b"now", b"\x00\xff", b'{"half": '], ids=["empty", "text", "binary", "torn"])
def test_any_payload_kills_and_no_order_follows(busy: RunningSystem, payload: bytes) -> None:
    kill_with(busy, payload)
    busy.until("the gate acknowledges", lambda: is_halted(busy), seconds=5)
    before = entries(busy)

    time.sleep(15)

    assert entries(busy) == before
    assert not [order for order in busy.books()["orders"] if order["status"] in {"OPEN", "PENDING", "QUEUED"}]


def test_a_kill_survives_the_gate_and_everything_else(busy: RunningSystem) -> None:
    kill_with(busy, b"now")
    busy.until("the gate acknowledges", lambda: is_halted(busy), seconds=5)
    before = entries(busy)

    for service in ("risk-gate", "executor", "strategy", "market-data"):
        busy.kill_9(service)
    time.sleep(20)

    assert is_halted(busy)
    assert entries(busy) == before


def test_a_kill_published_while_the_gate_is_dead_is_honoured(busy: RunningSystem) -> None:
    busy.kill_9("risk-gate")
    kill_with(busy, b"now")
    busy.until("the gate is back and halted", lambda: is_halted(busy), seconds=30)
    before = entries(busy)

    time.sleep(10)

    assert entries(busy) == before


def test_reset_lets_trading_go_on(busy: RunningSystem) -> None:
    assert busy.trader("kill").returncode == 0
    assert is_halted(busy)

    assert busy.trader("reset").returncode == 0

    busy.until("trading is active", lambda: busy.trader_json("status")["trading"]["status"] == "active", seconds=30)


def test_flatten_closes_every_position_while_halted(busy: RunningSystem) -> None:
    busy.until("a position is held", lambda: bool(busy.trader_json("positions")), seconds=120)
    assert busy.trader("kill").returncode == 0

    assert busy.trader("flatten").returncode == 0

    busy.until("everything is closed", lambda: not busy.trader_json("positions"), seconds=60)
    assert is_halted(busy)
