"""Listens on the bus to the prices of the venue that is followed; nothing is ever said there."""

from gpt_trader.contracts.market import BookSummary, Tick, Universe
from gpt_trader.contracts.subjects import UNIVERSE
from gpt_trader.exchange_sim.domain.followed import Following
from gpt_trader.exchange_sim.ports import Floor
from gpt_trader.runtime.bus import Bus, Received, decoded


async def follow(bus: Bus, following: Following, floor: Floor) -> None:
    """Take over the rules that are known, and move the floor's markets with each tick and book from now on."""

    async def on_universe(universe: Universe, _received: Received) -> None:
        following.on_universe(universe, floor.venue)

    async def on_tick(tick: Tick, _received: Received) -> None:
        following.on_tick(tick, floor.venue, floor.now())

    async def on_book(book: BookSummary, _received: Received) -> None:
        following.on_book(book)

    await bus.subscribe(UNIVERSE, decoded(Universe, on_universe))
    last = await bus.last("BOOKS", UNIVERSE)
    if last is not None:
        following.on_universe(Universe.decode(last.payload), floor.venue)
    await bus.subscribe("books.>", decoded(BookSummary, on_book))
    await bus.subscribe("ticks.>", decoded(Tick, on_tick))
