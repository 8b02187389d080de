"""Reads back the candles of the recent past, so that a gate that was just started knows its markets."""

from datetime import timedelta

from gpt_trader.contracts.market import Candle, interval_length
from gpt_trader.risk_gate.domain.series import KEPT
from gpt_trader.risk_gate.service.market_watch import MarketWatch, read_back
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import Bus, decoded
from gpt_trader.runtime.clock import Clock

log = logs.get("risk-gate")

_INTERVALS = ("1h", "15m", "5m", "1m", "15s")
"""What statistics are measured on; longer candles say nothing of today."""
_SECOND = timedelta(seconds=1)


async def warm_up(market: MarketWatch, bus: Bus, clock: Clock) -> None:
    """Read as many candles of each interval as are kept; what was backfilled late is among them."""
    rate = clock.stretch(_SECOND) / _SECOND
    count = 0
    for interval in _INTERVALS:
        start = clock.wall() - interval_length(interval) * KEPT / rate
        async for received in bus.history("MARKET", subject_filter=f"candles.{interval}.>", start_time=start):
            await read_back(received, decoded(Candle, market.on_candle))
            count += 1
    log.info("market_remembered", candles=count)
