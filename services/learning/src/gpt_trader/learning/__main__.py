"""Wires the service; `learning report --store-dir DIR` and its like run without a bus."""

import asyncio
import sys
from datetime import timedelta

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import AccountSnapshot
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.market import Candle, Tick
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.contracts.subjects import DURABLES, Durable, Zone
from gpt_trader.learning.adapters.bus_history import BusHistory
from gpt_trader.learning.adapters.local_store import opened_store
from gpt_trader.learning.ports import StoreError
from gpt_trader.learning.service import Batches, Learning, Terms
from gpt_trader.learning.settings import Settings
from gpt_trader.runtime import lifecycle, logs, tracing
from gpt_trader.runtime.bus import Bus, decoded
from gpt_trader.runtime.clock import clock_of
from gpt_trader.runtime.health import Health, serve_health
from gpt_trader.runtime.settings import load

SERVICE = "learning"
log = logs.get(SERVICE)

_COMMANDS = frozenset({"report", "compact", "unresolved"})


def main() -> None:
    """Run the service, or one command beside it."""
    argv = sys.argv[1:]
    if argv and argv[0] in _COMMANDS:
        from gpt_trader.learning import commands  # noqa: PLC0415 - DuckDB's memory is not for the service

        raise SystemExit(commands.run(argv))
    settings = load(Settings, service=SERVICE, argv=argv)
    logs.configure(settings.log_level, settings.log_format)
    raise SystemExit(lifecycle.run(lambda: serve(settings)))


async def serve(settings: Settings) -> None:
    """Open the store and the bus, catch up, then record until told to stop."""
    try:
        async with opened_store(settings.store_dir) as store, Bus.connect(settings, zone=Zone.LEARNING) as bus:
            clock = clock_of(settings)
            learning = Learning(
                store=store,
                history=BusHistory(bus),
                clock=clock,
                terms=Terms(horizon=settings.counterfactual_horizon, taker_fee_bps=settings.taker_fee_bps),
                started_at=clock.now(),
                disturbed_at=clock.wall(),
            )
            with tracing.exporting(settings.otlp_endpoint, SERVICE):
                await _serve(settings, learning, bus)
    except StoreError as error:
        log.error("stopped", reason=str(error))  # noqa: TRY400 - the message names the file; a stack adds nothing
        raise SystemExit(lifecycle.Exit.BUG) from error


async def _serve(settings: Settings, learning: Learning, bus: Bus) -> None:
    health = Health(SERVICE)
    batches = Batches(
        seconds=timedelta(seconds=settings.batch_seconds),
        rows=settings.batch_rows,
        redelivery=2 * _durable("FILLS").ack_wait,
    )
    async with serve_health(settings, health), asyncio.TaskGroup() as group:
        group.create_task(bus.watch())
        group.create_task(lifecycle.beat(bus, health, learning.clock, settings))
        await learning.resume()
        await bus.subscribe("ticks.>", decoded(Tick, learning.on_tick))
        await bus.subscribe(subjects.ACCOUNT, decoded(AccountSnapshot, learning.on_account))
        await bus.subscribe("candles.>", decoded(Candle, learning.on_candle))
        for stream, on_message in (
            ("DECISIONS", decoded(Decision, learning.on_decision)),
            ("ORDERS", decoded(OrderEvent, learning.on_order)),
            ("FILLS", decoded(Fill, learning.on_fill)),
        ):
            group.create_task(bus.consume(_durable(stream), on_message))
        group.create_task(learning.keep(batches, health))


def _durable(stream: str) -> Durable:
    return next(durable for durable in DURABLES if durable.zone is Zone.LEARNING and durable.stream == stream)


if __name__ == "__main__":
    main()
