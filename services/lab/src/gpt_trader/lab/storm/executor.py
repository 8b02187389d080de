"""The real executor, whole: wired by its own `__main__`, on the storm's ports."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gpt_trader.contracts.subjects import Zone
from gpt_trader.executor.__main__ import serve_orders, wired
from gpt_trader.lab.storm.bus import StormBus
from gpt_trader.lab.storm.disk import StormJournal
from gpt_trader.lab.storm.exchange import StormExchange
from gpt_trader.lab.storm.terms import executor_haste, executor_settings, verifier
from gpt_trader.lab.storm.timeline import ProcessLoop
from gpt_trader.lab.storm.weakness import Flaw
from gpt_trader.lab.storm.world import World
from gpt_trader.runtime.health import Health
from gpt_trader.runtime.journal import Journal

if TYPE_CHECKING:
    from gpt_trader.runtime.bus import Bus


async def serve_executor(world: World, loop: ProcessLoop, folder: Path) -> None:
    """Live one life of the executor."""
    weakness = world.weakness
    opened = Journal.open(folder / "executor.journal")
    loop.on_death.append(opened.close)  # the lock of a dead process ends with it
    is_late = weakness.flaw is Flaw.WRITES_LATE
    journal = StormJournal(opened, loop, world.fate, world.witness.executor_wrote, is_late=is_late)
    bus = StormBus(Zone.EXECUTOR, loop, world.loop, world.server, world.fate, weakness.flaw)
    world.buses.append(bus)
    real_bus = cast("Bus", bus)  # a storm stands in for it: it has every method that the executor calls
    exchange = StormExchange(loop, world.loop, world.egress, world.venue, world.fate)
    world.exchange = exchange
    async with asyncio.TaskGroup() as group:
        health = Health("executor")
        settings, venue = weakness.settings(executor_haste()), weakness.exchange(exchange)
        service = wired(settings, verifier(), journal, (real_bus, venue, group, health, world.clock))
        world.executor = service
        await serve_orders(service, executor_settings(), (real_bus, exchange, group))
