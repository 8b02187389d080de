"""A mismatch of books blocks learning first: nothing is concluded from trades while the gate and the venue disagree."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from gpt_trader.contracts.account import AccountSnapshot
from gpt_trader.contracts.market import Candle
from gpt_trader.learning.domain.records import Row
from gpt_trader.learning.service import Batches, Learning, Terms
from gpt_trader.runtime.bus.received import Received
from gpt_trader.runtime.health import Health

EXAMPLE = Path(__file__).parents[3] / "libs" / "contracts" / "examples" / "AccountSnapshot.json"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BATCHES = Batches(seconds=timedelta(seconds=1), rows=10, redelivery=timedelta(seconds=1))


@dataclass(slots=True)
class StillClock:
    def now(self) -> datetime:
        return NOW

    def wall(self) -> datetime:
        return NOW

    def stretch(self, wall: timedelta) -> timedelta:
        return wall


@dataclass(slots=True)
class MemoryStore:
    """Remembers whether closed trades were concluded at each merge."""

    merges: list[bool] = field(default_factory=list)
    waiting: int = 0

    async def append(self, rows: Sequence[Row]) -> None:
        self.waiting += len(rows)

    async def unresolved(self) -> tuple[Row, ...]:
        return ()

    async def compact(self, *, with_trades: bool) -> None:
        self.merges.append(with_trades)


class NoHistory:
    async def candles(self, product: str, since: datetime) -> AsyncIterator[Candle]:
        del product, since
        for _ in ():
            yield _


def an_account(*, is_reconciled: bool) -> AccountSnapshot:
    content = orjson.loads(EXAMPLE.read_bytes())
    return AccountSnapshot.model_validate(content | {"is_reconciled": is_reconciled})


@pytest.mark.parametrize(("said", "is_concluded"), [((), False), ((True,), True), ((True, False), False)])
async def test_trades_are_concluded_only_while_the_books_agree(said: tuple[bool, ...], *, is_concluded: bool) -> None:
    store = MemoryStore()
    learning = Learning(
        store=store,
        history=NoHistory(),
        clock=StillClock(),
        terms=Terms(horizon=timedelta(hours=1), taker_fee_bps=Decimal(10)),
        started_at=NOW,
        disturbed_at=NOW - timedelta(hours=1),
    )
    received = Received(subject="account", payload=b"", headers={}, sequence=1, stored_at=NOW)
    for is_reconciled in said:
        await learning.on_account(an_account(is_reconciled=is_reconciled), received)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            await learning.keep(BATCHES, Health("learning"))

    assert store.merges == [is_concluded]
