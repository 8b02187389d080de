"""One connection to the feed: connect, read, repair, watch, and connect again."""

import asyncio

from gpt_trader.contracts.market import FeedState
from gpt_trader.market_data.domain.feed import Connected, Filled, Lost, Resubscribed
from gpt_trader.market_data.ports import Channel, FeedLost, Line, VenueUnavailable
from gpt_trader.market_data.service.desk import Desk
from gpt_trader.market_data.service.intake import Intake
from gpt_trader.market_data.service.surroundings import Surroundings
from gpt_trader.runtime import logs
from gpt_trader.runtime.lifecycle import leaves

log = logs.get("market-data")

_A_MOMENT = 0.01


class Session:
    """Keeps one desk connected, for ever."""

    def __init__(self, desk: Desk, around: Surroundings, catalogue_due: asyncio.Event) -> None:
        self.desk = desk
        self.intake = Intake(desk, around, catalogue_due)
        self._around = around
        self._attempt = 0
        self._connections = 0
        self._is_up = False

    async def run(self) -> None:
        """Keep connected, and keep saying how the feed is, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stay_connected())
            tasks.create_task(self._check())

    async def _stay_connected(self) -> None:
        while True:
            reason = ""
            try:
                async with self._around.feed.connect() as line:
                    await self._serve(line)
            except* FeedLost as lost:
                reason = str(leaves(lost)[0])
            self._turned(is_up=False)
            self.desk.turn_all(Lost(reason=reason))
            wait = self._around.pace.backoff.wait(self._attempt, self._around.chances.random())
            self._attempt += 1
            log.warning("feed_lost", reason=reason, attempt=self._attempt, wait_seconds=wait.total_seconds())
            await asyncio.sleep(wait.total_seconds())

    async def _serve(self, line: Line) -> None:
        """Use one connection until it is lost; always ends in FeedLost."""
        self.intake.restart()
        self.desk.restart_ages()
        is_again = self._connections > 0
        self._connections += 1
        self._turned(is_up=True)
        if is_again:
            self._around.gauges.reconnected()
        self.desk.turn_all(Connected(wall=self.desk.pulsed_at, is_again=is_again))
        self.desk.repair.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(line))
            for channel in Channel:
                await line.subscribe(channel, self.desk.names)
            tasks.create_task(self._repair_when_needed(line))
            tasks.create_task(self._expect_pulse())
            tasks.create_task(self._close_candles())

    def _turned(self, *, is_up: bool) -> None:
        if is_up is not self._is_up:
            self._around.gauges.connected(is_up=is_up)
        self._is_up = is_up

    async def _read(self, line: Line) -> None:
        async for raw in line.frames():
            await self.intake.take(raw, self._around.clock.wall())

    async def _repair_when_needed(self, line: Line) -> None:
        """Make dirty products clean again: a fresh snapshot, then what was missed."""
        while True:
            await self.desk.repair.wait()
            self.desk.repair.clear()
            await self._resubscribe(line)
            await self._fill()
            await asyncio.sleep(self._around.pace.repair_pause.total_seconds())

    async def _resubscribe(self, line: Line) -> None:
        dirty = [market for market in self.desk.markets if market.health.state is FeedState.GAP]
        if not dirty:
            return
        names = [market.product for market in dirty]
        for market in dirty:
            self.desk.turn(market, Resubscribed(wall=self._around.clock.wall()))
        await line.unsubscribe(Channel.LEVEL2, names)
        await line.subscribe(Channel.LEVEL2, names)

    async def _fill(self) -> None:
        for market in self.desk.markets:
            is_dirty = market.health.state is FeedState.RESYNCING and not market.health.is_filled
            if not is_dirty and not self._around.history.is_wanted(market):
                continue
            gaps = market.health.gaps
            try:
                await self._around.history.fill(market)
            except VenueUnavailable as error:
                log.warning("history_failed", product=market.product, reason=str(error))
                self._around.gauges.history_failed(market.product)
                self.desk.repair.set()
                continue
            if market.health.gaps == gaps:
                self.desk.turn(market, Filled())

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(self._around.pace.check_every.total_seconds())
            self.desk.check()
            if self.desk.is_clean:
                self._attempt = 0

    async def _expect_pulse(self) -> None:
        """Give up a connection whose heartbeat stopped: it can be open and dead at once."""
        limit = self._around.pace.limits.heartbeat_age
        while True:
            age = self._around.clock.wall() - self.desk.pulsed_at
            if age > limit:
                raise FeedLost(f"no heartbeat for {age.total_seconds():.1f} s")
            await asyncio.sleep((limit - age).total_seconds() + _A_MOMENT)

    async def _close_candles(self) -> None:
        """Close candles by the clock, when no later trade does."""
        around = self._around
        while True:
            await asyncio.sleep(around.pace.close_every.total_seconds())
            for market in self.desk.markets:
                for candle in market.close(around.history.watermark, around.clock.now()):
                    around.outlet.candle(candle)
                if around.history.is_wanted(market):
                    self.desk.repair.set()
