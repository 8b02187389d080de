"""What runs: which strategy on which products with which parameters."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from gpt_trader.contracts.market import Interval
from gpt_trader.contracts.message import Amount, Command, Name, Product
from gpt_trader.contracts.sharding import Shard
from gpt_trader.strategy.domain.strategy import Strategy

AnyStrategy = Strategy[Any, Any]
"""Each strategy has its own types of parameters and indicators; a lane pairs them with themselves only."""
Strategies = Mapping[str, AnyStrategy]


class Assignment(Command):
    """One strategy at work on some products."""

    strategy: Annotated[Name, Field(description="name of a registered strategy")]
    products: Annotated[tuple[Product, ...] | None, Field(description="what it trades; none = the universe")] = None
    interval: Annotated[Interval, Field(description="length of the candles it decides on")] = "1m"
    parameters: Annotated[dict[str, Amount], Field(description="values that differ from the strategy's defaults")] = (
        Field(default_factory=dict)
    )
    adopts_positions: Annotated[bool, Field(description="whether it exits positions that no strategy opened")] = False


class Setup(Command):
    """All that a run starts from; the first line of a recording."""

    assignments: tuple[Assignment, ...]
    signal_ttl: timedelta = timedelta(seconds=30)
    """Life of a signal, and the least time between two requests for the same thing."""
    max_tick_age: timedelta = timedelta(seconds=30)
    """Older ticks move no exit."""
    retained_candles: Annotated[int, Field(ge=50, le=2000)] = 300
    """Kept per lane, so that changed periods are warm at once."""
    shard_index: int = 0
    shard_count: int = 1
    """Processes that share the products; each decides on its own ones alone."""

    def has(self, product: str) -> bool:
        """Whether this run decides on a product, or another process does."""
        return Shard(index=self.shard_index, count=self.shard_count).has(product)


class UnknownStrategy(ValueError):
    """No such strategy is registered; the text names the known ones."""


def require_runnable(setup: Setup, strategies: Strategies) -> None:
    """Refuse a setup that can't run; raises UnknownStrategy or ValueError naming what is wrong with it."""
    names = [given.strategy for given in setup.assignments]
    for name in names:
        if name not in strategies:
            raise UnknownStrategy(f"strategy={name!r} is not registered; known: {', '.join(sorted(strategies))}")
        if names.count(name) > 1:
            raise ValueError(f"strategy={name!r} is listed twice; give it all its products in one place")
