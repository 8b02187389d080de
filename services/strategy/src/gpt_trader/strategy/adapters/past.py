"""Reads from the streams what was said before we listened."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gpt_trader.contracts import subjects
from gpt_trader.contracts.market import interval_length
from gpt_trader.runtime.bus import Bus, Received
from gpt_trader.runtime.clock import Clock

_SLACK = 3
"""Empty buckets have no candle, so the time to look back is longer than the candles that are wanted."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedPast:
    """The kept streams, as far as this zone may read them back."""

    bus: Bus
    clock: Clock

    async def setup(self, strategies: Iterable[str]) -> list[Received]:
        """Return the universe and the parameters in force."""
        adopted = [("PROPOSALS", subjects.parameters(name)) for name in strategies]
        return await self._last([("BOOKS", subjects.UNIVERSE), *adopted])

    async def candles(self, interval: str, product: str, count: int) -> list[Received]:
        """Return about this many of the newest candles, oldest first."""
        span = wall_span(self.clock, interval_length(interval) * count * _SLACK)
        stored = self.bus.history(
            "MARKET", subject_filter=subjects.candles(interval, product), start_time=self.clock.wall() - span
        )
        return [received async for received in stored]

    async def standing(self) -> list[Received]:
        """Return the last kill, reset and trading state in the order in which they were stored, then the account."""
        words = await self._last([
            ("CONTROL", subjects.CONTROL_KILL),
            ("CONTROL", subjects.CONTROL_RESET),
            ("STATE", subjects.STATE_TRADING),
        ])  # fmt: skip
        account = await self._last([("STATE", subjects.ACCOUNT)])
        return [*sorted(words, key=lambda one: one.stored_at or _EARLIEST), *account]

    async def _last(self, wanted: Iterable[tuple[str, str]]) -> list[Received]:
        found = [await self.bus.last(stream, subject) for stream, subject in wanted]
        return [received for received in found if received is not None]


def wall_span(clock: Clock, trading: timedelta) -> timedelta:
    """Return how much real time passes during a stretch of trading time."""
    microsecond, second = timedelta(microseconds=1), timedelta(seconds=1)
    return trading * (second // microsecond) // (clock.stretch(second) // microsecond)
