"""Wires the strategy service: `python -m gpt_trader.strategy --profile app.yaml`."""

import asyncio
import sys
from functools import partial

from gpt_trader.contracts.sharding import WHOLE
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus import Bus
from gpt_trader.runtime.clock import clock_of
from gpt_trader.runtime.health import Health, serve_health
from gpt_trader.runtime.lifecycle import Exit, beat, run
from gpt_trader.runtime.recording import recorder
from gpt_trader.runtime.settings import load
from gpt_trader.strategy.adapters.metrics import PrometheusMeasurements
from gpt_trader.strategy.adapters.past import StreamedPast
from gpt_trader.strategy.adapters.registry import registered
from gpt_trader.strategy.domain.evolve import begin
from gpt_trader.strategy.domain.limit import NoTradeLimit
from gpt_trader.strategy.domain.state import State
from gpt_trader.strategy.service import StrategyService
from gpt_trader.strategy.settings import StrategySettings

SERVICE = "strategy"


def main() -> None:
    """Read the settings, refuse what can't run, and serve until told to stop."""
    settings = load(StrategySettings, service=SERVICE, argv=sys.argv[1:])
    logs.configure(settings.log_level, settings.log_format)
    setup = settings.setup()
    try:
        state = begin(setup, registered([given.strategy for given in setup.assignments]))
    except ValueError as error:
        sys.stderr.write(f"{SERVICE}: settings refused: {error}\n")
        sys.exit(Exit.SETTINGS)
    sys.exit(run(partial(serve, settings, state)))


async def serve(settings: StrategySettings, state: State) -> None:
    """Listen first, then read back what was said before, then decide."""
    clock, health = clock_of(settings), Health(SERVICE)
    shard = settings.shard()
    recording = SERVICE if shard == WHOLE else f"{SERVICE}-{shard.index}"
    with recorder(settings.record_dir, recording) as record, tracing.exporting(settings.otlp_endpoint, SERVICE):
        async with serve_health(settings, health), Bus.connect(settings, zone=Zone.STRATEGY) as bus:
            service = StrategyService(
                bus=bus,
                clock=clock,
                record=record,
                measurements=PrometheusMeasurements(),
                past=StreamedPast(bus=bus, clock=clock),
                limit=NoTradeLimit(every=settings.no_trade_every),
                state=state,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(bus.watch())
                group.create_task(beat(bus, health, clock, settings, shard))
                service.begin()
                await listen(bus, service)
                await service.catch_up()
                health.ready(True, "caught up")
                group.create_task(service.serve_ticks())
                group.create_task(service.serve_pulse())
                group.create_task(service.serve_reconnects())


async def listen(bus: Bus, service: StrategyService) -> None:
    """Subscribe to all that the strategies depend on; each subject is delivered in order."""
    await bus.subscribe("control.>", service.on_control)
    intervals = {given.interval for given in service.state.setup.assignments}
    for pattern in ("account", "state.trading", "parameters.>", *(f"candles.{interval}.>" for interval in intervals)):
        await bus.subscribe(pattern, service.on_input)
    await bus.subscribe("universe", service.on_universe)
    await bus.subscribe("ticks.>", service.on_tick)


if __name__ == "__main__":
    main()
