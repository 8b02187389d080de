"""The real gate, whole: its parts put together by its own `assembled`, on the storm's ports."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

from gpt_trader.contracts.subjects import Zone
from gpt_trader.lab.storm.bus import StormBus
from gpt_trader.lab.storm.disk import StormDisk, StormJournal
from gpt_trader.lab.storm.line import GateVenue, StormLink
from gpt_trader.lab.storm.shelf import StormStore
from gpt_trader.lab.storm.terms import gate_haste, gate_settings, policy, signer
from gpt_trader.lab.storm.timeline import ProcessLoop
from gpt_trader.lab.storm.weakness import Flaw, ResendingLink
from gpt_trader.lab.storm.world import World
from gpt_trader.risk_gate.adapters.coinbase_bodies import CoinbaseBodies
from gpt_trader.risk_gate.adapters.egress.creates import Creates
from gpt_trader.risk_gate.service.service import Outside, Service, assembled
from gpt_trader.risk_gate.service.snapshots import opened_books
from gpt_trader.runtime import lifecycle
from gpt_trader.runtime.health import Health

if TYPE_CHECKING:
    from gpt_trader.runtime.bus import Bus
    from gpt_trader.runtime.clock import SteadyClock
    from gpt_trader.runtime.journal import Journal


async def serve_gate(world: World, loop: ProcessLoop, folder: Path) -> None:
    """Live one life of the gate: as `risk_gate.__main__` does, without the sockets."""
    opened = ExitStack()
    loop.on_death.append(opened.close)  # the lock of a dead process ends with it
    books = opened.enter_context(opened_books(folder))
    bus = StormBus(Zone.GATE, loop, world.loop, world.server, world.fate, world.weakness.flaw)
    venue = GateVenue(loop, world.venue, world.fate)
    world.buses.append(bus)
    world.drop_copy = venue.show
    late = 2 if world.weakness.flaw is Flaw.SYNCS_LATE else 0
    journal = StormJournal(books.journal, loop, world.fate, world.witness.gate_wrote, unsynced=late)
    loop.on_death.append(journal.lose)
    outside = Outside(
        # The casts name the classes that a storm stands in for: it has every method that the gate calls of them.
        bus=cast("Bus", bus),
        journal=cast("Journal", journal),
        state=books.state,
        signer=signer(),
        venue=venue,
        spelling=CoinbaseBodies(),
        history=venue,
        futures=venue,
        terms=venue,
        drop_copy=venue,
        store=StormStore(world.shelf),
        traffic=venue,
        disk=StormDisk(),
        clock=cast("SteadyClock", world.clock),
        health=Health("risk-gate"),
    )
    service = assembled(outside, policy(), gate_haste(), holder=f"storm-{world.timeline.steps}")
    link = StormLink(loop, world.loop, world.venue, world.fate)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(lifecycle.beat(outside.bus, outside.health, world.clock, gate_settings()))
        await service.start()
        await _serve(world, service, link, loop)


async def _serve(world: World, service: Service, link: StormLink, loop: ProcessLoop) -> None:
    """Open the egress once the past is known, and run."""
    async with asyncio.TaskGroup() as group:
        creates = Creates(
            permits=world.weakness.permits(service.desk),
            link=ResendingLink(link) if world.weakness.resends else link,
            clock=world.clock,
            group=group,
        )
        world.egress.open(creates, loop)
        world.gate = service
        await service.run()
