"""Fills what the stream did not tell: missed trades, and candles that only the venue knows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.market import Candle
from gpt_trader.market_data.domain.candles import CandleBuilder, candles_of
from gpt_trader.market_data.domain.product import ProductMarket
from gpt_trader.market_data.ports import Outlet, Venue
from gpt_trader.runtime import logs
from gpt_trader.runtime.clock import Clock

log = logs.get("market-data")


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Asks the venue's REST; `grace` is how long (real time) a bucket is left alone after its end."""

    venue: Venue
    outlet: Outlet
    clock: Clock
    grace: timedelta

    @property
    def watermark(self) -> datetime:
        """Up to when buckets count as ended."""
        return self.clock.now() - self.clock.stretch(self.grace)

    def is_wanted(self, market: ProductMarket) -> bool:
        """Whether a candle waits for the venue's history."""
        return any(builder.wanted(self.watermark) for builder in market.builders)

    async def fill(self, market: ProductMarket) -> None:
        """Fill trades, then candles; raises VenueUnavailable, and then nothing counts as filled."""
        await self._fill_trades(market)
        for builder in market.builders:
            await self._fill_candles(builder, market.unit)

    async def _fill_trades(self, market: ProductMarket) -> None:
        since = market.missing_since
        if since is None:
            return
        now, gaps = self.clock.now(), market.health.gaps
        history = await self.venue.trades(market.product, (since, now))
        for correction in market.recount(history.trades, now):
            self.outlet.candle(correction)
        log.info("trades_filled", product=market.product, count=len(history.trades), is_complete=history.is_complete)
        if market.health.gaps != gaps:
            return  # more was lost meanwhile: the next fill starts from the same trade
        if history.is_complete:
            market.missing_since = None
        else:
            market.uncover(now)

    async def _fill_candles(self, builder: CandleBuilder, unit: Decimal) -> None:
        span = builder.wanted(self.watermark)
        if span is None:
            return
        counted = await self._candles(builder, span)
        candles = tuple(one.model_copy(update={"volume": one.volume * unit}) for one in counted)
        for candle in candles:
            self.outlet.candle(candle)
        builder.filled(span[1])
        log.info(
            "candles_filled",
            product=builder.product,
            interval=builder.interval,
            since=span[0].isoformat(),
            until=span[1].isoformat(),
            count=len(candles),
        )

    async def _candles(self, builder: CandleBuilder, span: tuple[datetime, datetime]) -> tuple[Candle, ...]:
        now = self.clock.now()
        if self.venue.has_candles(builder.interval):
            return await self.venue.candles(builder.product, builder.interval, span, now)
        history = await self.venue.trades(builder.product, span)
        covered = span[0]
        if not history.is_complete:
            covered = min((trade.occurred_at for trade in history.trades), default=span[1]) + builder.length
            log.warning(
                "candles_skipped", product=builder.product, interval=builder.interval, until=covered.isoformat()
            )
        found = candles_of(history.trades, builder.product, builder.interval, span, now)
        return tuple(candle for candle in found if candle.start >= covered)
