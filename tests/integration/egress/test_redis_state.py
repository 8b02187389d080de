"""The stored trading state on a real server: one writer, no way back, and never a long wait."""

import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.risk_gate.adapters.redis_state import RedisState
from gpt_trader.risk_gate.ports import StoreConflict, StoredState, StoreUnavailable
from gpt_trader.runtime.store import Store

FIRST = StoredState(
    version=1,
    epoch=7,
    status=TradingStatus.REDUCE_ONLY,
    head_hash="0" * 64,
    heartbeat_at=datetime(2026, 11, 21, tzinfo=UTC),
)


@pytest.fixture
async def states(own_valkey: Any) -> AsyncIterator[RedisState]:
    async with Store.connect(own_valkey.url, "risk-gate", own_valkey.password_files["risk-gate"]) as store:
        yield RedisState(store, answer_within=timedelta(seconds=20))


async def test_what_was_saved_is_loaded(states: RedisState) -> None:
    assert await states.load() is None

    await states.save(FIRST, None)

    assert await states.load() == FIRST


async def test_only_the_expected_version_is_replaced(states: RedisState) -> None:
    await states.save(FIRST, None)
    second = replace(FIRST, version=2, status=TradingStatus.HALTED)
    await states.save(second, 1)

    with pytest.raises(StoreConflict):
        await states.save(second, 1)
    with pytest.raises(StoreConflict):
        await states.save(FIRST, None)
    assert await states.load() == second


async def test_an_earlier_epoch_never_replaces_a_later_one(states: RedisState) -> None:
    await states.save(FIRST, None)

    with pytest.raises(StoreConflict, match="epoch 7"):
        await states.save(replace(FIRST, version=2, epoch=6), 1)


async def test_any_value_under_the_kill_key_is_a_kill(states: RedisState, own_valkey: Any) -> None:
    assert not await states.kill_requested()

    async with Store.connect(own_valkey.url, "operator", own_valkey.password_files["operator"]) as operator:
        await operator._redis.set("risk:kill", "now")

    assert await states.kill_requested()


async def test_a_stalled_server_costs_a_bounded_wait(states: RedisState, own_valkey: Any) -> None:
    await states.save(FIRST, None)
    hurried = replace(states, answer_within=timedelta(seconds=0.2))
    own_valkey.server.process.send_signal(signal.SIGSTOP)
    took = []
    try:
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await hurried.save(replace(FIRST, version=2), 1)
            took.append(time.monotonic() - started)
    finally:
        own_valkey.server.process.send_signal(signal.SIGCONT)

    assert min(took) < 0.5, "the wait itself: what is above it is a busy machine's"
