"""Everything that leaves: ticks at once, kept messages through a queue that survives the bus being away."""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gpt_trader.contracts import subjects
from gpt_trader.contracts.market import BookSummary, Candle, CandleOrigin, FeedStatus, Tick, Universe
from gpt_trader.contracts.message import Message, digest
from gpt_trader.market_data.adapters.metrics import Metrics
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus import Bus, BusUnavailable, PublishUnknown
from gpt_trader.runtime.clock import Clock

log = logs.get("market-data")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    subject: str
    message: Message
    message_id: str
    origin_ns: int


class BusOutbox:
    """The outlet on the bus. A message id names the content, so that a retry stores it once."""

    def __init__(self, bus: Bus, clock: Clock, metrics: Metrics, retry: timedelta) -> None:
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._retry = retry.total_seconds()
        self._queue: deque[_Kept] = deque()
        self._latest: dict[str, _Kept] = {}
        self._work = asyncio.Event()

    async def tick(self, tick: Tick, received_wall: datetime) -> None:
        """Publish at most once: an old tick is worth nothing, so it is not kept for a bus that is away."""
        tracing.origin(nanoseconds(received_wall), "tick")
        try:
            await self._bus.publish(subjects.ticks(tick.product), tick)
        except BusUnavailable:
            self._metrics.dropped("tick")
            return
        self._metrics.ticked(tick.product, self._clock.wall() - received_wall)

    def candle(self, candle: Candle) -> None:
        """Queue a candle; its id is its place in time, a correction's also its content."""
        subject = subjects.candles(candle.interval, candle.product)
        message_id = f"{subject}.{int(candle.start.timestamp())}"
        if candle.origin is CandleOrigin.CORRECTION:
            message_id += f".{digest(candle.encode())[:16]}"
        self._metrics.candle(candle)
        self._enqueue(subject, candle, message_id)

    def universe(self, universe: Universe) -> None:
        """Queue the universe."""
        at = int(universe.published_at.timestamp() * 1000)
        message_id = f"{subjects.UNIVERSE}.{universe.version}.{at}"
        self._enqueue(subjects.UNIVERSE, universe, message_id)

    def book(self, summary: BookSummary) -> None:
        """Put a summary in its product's slot."""
        subject = subjects.books(summary.product)
        self._replace(subject, summary, f"{summary.sequence}.{nanoseconds(summary.received_at)}")

    def feed(self, status: FeedStatus) -> None:
        """Put a status in its product's slot."""
        self._replace(subjects.feed(status.product), status, str(nanoseconds(status.published_at)))

    async def drain(self) -> None:
        """Store what is queued, for ever; feed statuses and books do not wait behind a long history."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._queue or self._latest:
                for subject in tuple(self._latest):
                    await self._store_latest(subject)
                if self._queue:
                    await self._store_first()

    def _enqueue(self, subject: str, message: Message, message_id: str) -> None:
        self._queue.append(self._kept(subject, message, message_id))
        self._work.set()

    def _replace(self, subject: str, message: Message, version: str) -> None:
        if subject in self._latest:
            self._metrics.dropped("superseded")
        self._latest[subject] = self._kept(subject, message, f"{subject}.{version}")
        self._work.set()

    def _kept(self, subject: str, message: Message, message_id: str) -> _Kept:
        began = nanoseconds(self._clock.wall())
        return _Kept(subject=subject, message=message, message_id=message_id, origin_ns=began)

    async def _store_latest(self, subject: str) -> None:
        kept = self._latest.pop(subject)
        if not await self._is_stored(kept):
            self._latest.setdefault(subject, kept)

    async def _store_first(self) -> None:
        if await self._is_stored(self._queue[0]):
            self._queue.popleft()

    async def _is_stored(self, kept: _Kept) -> bool:
        tracing.origin(kept.origin_ns, kept.subject.partition(".")[0])
        try:
            await self._bus.store(kept.subject, kept.message, message_id=kept.message_id)
        except (BusUnavailable, PublishUnknown) as error:
            log.warning("store_failed", subject=kept.subject, reason=str(error), queued=len(self._queue))
            self._metrics.dropped("store_retry")
            await asyncio.sleep(self._retry)
            return False
        return True


def nanoseconds(at: datetime) -> int:
    """UNIX time in nanoseconds, exact."""
    return (at - _EPOCH) // _MICROSECOND * 1000
