"""What the streams say was published before."""

from dataclasses import dataclass

from gpt_trader.contracts import subjects
from gpt_trader.contracts.market import Candle, CandleOrigin, Universe
from gpt_trader.runtime.bus import Bus

_STREAM = "MARKET"
_LOOK_BACK = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BusArchive:
    """Reads back what the stream kept."""

    bus: Bus

    async def universe(self) -> Universe | None:
        """Return the last published universe."""
        received = await self.bus.last("BOOKS", subjects.UNIVERSE)
        return None if received is None else Universe.decode(received.payload)

    async def last_candle(self, interval: str, product: str) -> Candle | None:
        """Return the newest candle in time; the last message may be the correction of an older one."""
        subject = subjects.candles(interval, product)
        received = await self.bus.last(_STREAM, subject)
        if received is None:
            return None
        newest = Candle.decode(received.payload)
        if newest.origin is not CandleOrigin.CORRECTION or received.sequence is None:
            return newest
        first = max(1, received.sequence - _LOOK_BACK)
        async for earlier in self.bus.history(_STREAM, subject_filter=subject, start_sequence=first):
            newest = max(newest, Candle.decode(earlier.payload), key=lambda candle: candle.start)
        return newest
