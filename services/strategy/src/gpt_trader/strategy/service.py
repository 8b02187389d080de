"""The shell: gather inputs, fold them, publish what the domain says."""

import asyncio
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import assert_never

from pydantic import ValidationError

from gpt_trader.contracts import subjects
from gpt_trader.contracts.signals import NoTrade, Signal
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus import BusUnavailable, PublishUnknown, Received, problems
from gpt_trader.runtime.clock import Clock
from gpt_trader.strategy.domain import inputs
from gpt_trader.strategy.domain.evolve import evolve
from gpt_trader.strategy.domain.limit import NoTradeLimit
from gpt_trader.strategy.domain.replay import SETUP
from gpt_trader.strategy.domain.state import Output, ParametersAdopted, ParametersRefused, State
from gpt_trader.strategy.ports import InputRecord, Measurements, Past, SignalBus

log = logs.get("strategy")

_PULSE_SECONDS = 5.0
_RETRY_SECONDS = 0.1
_RECONNECT_CHECK_SECONDS = 0.25


@dataclass(slots=True, kw_only=True)
class StrategyService:
    """Folds inputs one at a time; an input takes effect before the next one is looked at."""

    bus: SignalBus
    clock: Clock
    record: InputRecord
    measurements: Measurements
    past: Past
    limit: NoTradeLimit
    state: State
    _is_caught_up: asyncio.Event = field(default_factory=asyncio.Event)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    _ticks: dict[str, Received] = field(default_factory=dict)
    _ticked: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        """Mark the beginning of a run in the recording, before the first input."""
        self.record.record(self.clock.now(), SETUP, self.state.setup.encode())

    async def catch_up(self) -> None:
        """Fold what was said before: what trades with which parameters, then candles, then the gate's word."""
        async with self._live_inputs_waiting():
            for received in await self.past.setup(self.state.parameters):
                await self.on_control(received)
            folded = await self._warm(self.state.series())
            for received in await self.past.standing():
                await self.on_control(received)
        log.info("caught_up", candles=folded, lanes=len(self.state.lanes))

    async def on_control(self, received: Received) -> None:
        """Fold one message at once, whatever else is being read."""
        with tracing.span("decide"):
            await self.say(self.fold(received.subject, received.payload))

    async def on_input(self, received: Received) -> None:
        """Fold one message once the past is known."""
        await self._is_caught_up.wait()
        await self.on_control(received)

    async def on_universe(self, received: Received) -> None:
        """Fold the universe, then the past of each product that it brought, before any live candle of it."""
        await self._is_caught_up.wait()
        async with self._live_inputs_waiting():
            known = self.state.series()
            await self.on_control(received)
            await self._warm(self.state.series() - known)

    async def on_tick(self, received: Received) -> None:
        """Keep the newest tick of each product until its turn comes: a burst can't build up a queue."""
        if received.subject in self._ticks:
            self.measurements.coalesced()
        self._ticks[received.subject] = received
        self._ticked.set()

    async def serve_ticks(self) -> None:
        """Evaluate waiting ticks in the order in which their products began to wait, for ever."""
        while True:
            await self._is_caught_up.wait()
            await self._ticked.wait()
            while self._ticks:
                received = self._ticks.pop(next(iter(self._ticks)))
                tracing.adopt(received.headers)
                if self.state.on_product(received.subject.partition(".")[2]):
                    await self.on_input(received)
                await asyncio.sleep(0)
            self._ticked.clear()

    async def serve_reconnects(self) -> None:
        """Fold what was said while the bus was away, whenever it is back: a lost candle would bend every indicator."""
        folded = 0
        while True:
            reconnects = self.bus.reconnects
            if reconnects != folded:
                try:
                    await self.catch_up()
                    folded = reconnects
                except BusUnavailable as error:
                    log.warning("past_unavailable", reason=str(error))
            await asyncio.sleep(_RECONNECT_CHECK_SECONDS)

    async def serve_pulse(self) -> None:
        """Let the domain notice that time passes, for ever."""
        while True:
            await asyncio.sleep(_PULSE_SECONDS)
            await self.say(self.fold(inputs.PULSE, b""))

    def fold(self, subject: str, payload: bytes) -> tuple[Output, ...]:
        """Take one input in, and record it exactly as it was folded; what can't be read is dropped."""
        try:
            event = inputs.parse(subject, payload)
        except ValidationError as error:
            self._drop(subject, error)
            return ()
        if event is None:
            return ()
        now = self.clock.now()
        is_blank = isinstance(event, inputs.Kill | inputs.KillReset)
        self.record.record(now, subject, b"" if is_blank else payload)
        began = self.clock.wall()
        self.state, outputs = evolve(self.state, event, now)
        self.measurements.folded(subject.partition(".")[0], self.clock.wall() - began)
        return outputs

    async def say(self, outputs: tuple[Output, ...]) -> None:
        """Store signals; publish silences that are news; log what became of parameters."""
        for output in outputs:
            self.measurements.said(output)
            match output:
                case Signal():
                    await self._store(output)
                case NoTrade():
                    await self._explain(output)
                case ParametersAdopted():
                    log.info("parameters_adopted", strategy=output.strategy, version=output.version)
                case ParametersRefused():
                    log.error(
                        "parameters_refused", strategy=output.strategy, version=output.version, reason=output.reason
                    )
                case _:
                    assert_never(output)

    @asynccontextmanager
    async def _live_inputs_waiting(self) -> AsyncIterator[None]:
        async with self._reading:
            self._is_caught_up.clear()
            try:
                yield
            finally:
                self._is_caught_up.set()

    async def _warm(self, series: AbstractSet[tuple[str, str]]) -> int:
        """Fold the past of these candles; each series is read whole before any of it is folded."""
        folded = 0
        for interval, product in sorted(series):
            for received in await self.past.candles(interval, product, self.state.setup.retained_candles):
                await self.on_control(received)
                folded += 1
        return folded

    async def _store(self, signal: Signal) -> None:
        """Keep trying until it expires: its id makes every attempt the same signal."""
        said = {"signal_id": signal.signal_id, "strategy": signal.strategy, "product": signal.product}
        while (trouble := await self._trouble_storing(signal)) is not None:
            if self.clock.now() >= signal.expires_at:
                self.measurements.lost()
                log.error("signal_lost", **said, reason=trouble)
                return
            await asyncio.sleep(_RETRY_SECONDS)
        log.info("signal", **said, action=signal.action, reason=signal.reason)

    async def _trouble_storing(self, signal: Signal) -> str | None:
        try:
            await self.bus.store(subjects.signals(signal.strategy, signal.product), signal, message_id=signal.signal_id)
        except (BusUnavailable, PublishUnknown) as error:
            return str(error)
        return None

    async def _explain(self, silence: NoTrade) -> None:
        if not self.limit.is_news(silence):
            return
        try:
            await self.bus.publish(subjects.no_trade(silence.strategy, silence.product), silence)
        except BusUnavailable as error:
            log.warning("no_trade_unsaid", strategy=silence.strategy, product=silence.product, reason=str(error))

    def _drop(self, subject: str, error: ValidationError) -> None:
        self.measurements.malformed(subject)
        log.warning("message_malformed", subject=subject, reason=problems(error))
