"""What the processes of one storm share: time, fate, the bus's server, the venue, the state store, and the witness."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gpt_trader.executor.service.executor import ExecutorService
from gpt_trader.lab.storm.bus import StormBus
from gpt_trader.lab.storm.clock import StormClock
from gpt_trader.lab.storm.exchange import Egress, StormExchange
from gpt_trader.lab.storm.fate import Fate
from gpt_trader.lab.storm.server import Server
from gpt_trader.lab.storm.shelf import Shelf
from gpt_trader.lab.storm.terms import CASH, PRODUCTS
from gpt_trader.lab.storm.timeline import ProcessLoop, Timeline
from gpt_trader.lab.storm.venue import Booked, StormVenue
from gpt_trader.lab.storm.weakness import Flaw, Weakness
from gpt_trader.lab.storm.witness import Witness
from gpt_trader.risk_gate.service.service import Service


@dataclass(slots=True)
class World:
    """`gate` and `executor` are the services of the present lives, as far as they came up."""

    folder: Path
    fate: Fate
    weakness: Weakness
    timeline: Timeline
    loop: ProcessLoop
    clock: StormClock
    witness: Witness
    server: Server
    venue: StormVenue
    shelf: Shelf
    egress: Egress = field(default_factory=Egress)
    buses: list[StormBus] = field(default_factory=list)
    gate: Service | None = None
    executor: ExecutorService | None = None
    exchange: StormExchange | None = None
    drop_copy: Callable[[Booked], None] | None = None

    @classmethod
    def made(cls, folder: Path, fate: Fate, weakness: Weakness) -> "World":
        """Make a world in which nothing runs yet."""
        timeline = Timeline()
        loop = ProcessLoop.of(timeline, "world")
        clock = StormClock(timeline)
        witness = Witness(timeline, fate)
        server = Server(clock, weakness.flaw is not Flaw.KEEPS_NO_IDS, on_stored=witness.bus_stored)
        venue = StormVenue(clock, loop, fate, witness.venue_accepted, _ignore, dict(PRODUCTS), CASH)
        world = cls(folder, fate, weakness, timeline, loop, clock, witness, server, venue, Shelf(fate))
        venue.on_changed = world.order_changed
        return world

    def order_changed(self, order: Booked) -> None:
        """Let the witness and both user channels see a change at the venue."""
        self.witness.venue_changed(order, self.venue)
        if self.drop_copy is not None:
            self.drop_copy(order)
        if self.exchange is not None:
            self.exchange.show(order)


def _ignore(_order: Booked) -> None:
    """Stand in until the world is made."""
