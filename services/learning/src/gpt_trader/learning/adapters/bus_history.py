"""The market's history as the bus keeps it."""

from collections.abc import AsyncIterator
from datetime import datetime

from pydantic import ValidationError

from gpt_trader.contracts.market import Candle
from gpt_trader.contracts.subjects import candles
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import Bus

log = logs.get("learning")

_STREAM = "MARKET"


class BusHistory:
    """Reads candles back from the stream; one that cannot be read is logged and left out."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def candles(self, product: str, since: datetime) -> AsyncIterator[Candle]:
        """Yield the closed candles of all intervals that were published since, in that order."""
        subjects = candles("*", product)
        async for received in self._bus.history(_STREAM, subject_filter=subjects, start_time=since):
            try:
                candle = Candle.decode(received.payload)
            except ValidationError as error:
                log.warning("candle_malformed", subject=received.subject, reason=str(error))
                continue
            yield candle
