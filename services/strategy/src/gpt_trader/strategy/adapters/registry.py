"""Finds strategies: any installed package may register one under the entry points `gpt_trader.strategies`."""

from collections.abc import Collection
from importlib.metadata import entry_points

from gpt_trader.strategy.domain.setup import Strategies, UnknownStrategy
from gpt_trader.strategy.domain.strategy import Strategy

GROUP = "gpt_trader.strategies"


def registered(names: Collection[str]) -> Strategies:
    """Load these strategies and no other; raises UnknownStrategy with the known names, or for what is no strategy."""
    points = {point.name: point for point in entry_points(group=GROUP)}
    unknown = sorted(set(names) - points.keys())
    if unknown:
        raise UnknownStrategy(f"strategies={', '.join(unknown)}: not registered; known: {', '.join(sorted(points))}")
    found = {name: points[name].load() for name in names}
    for name, strategy in found.items():
        if not isinstance(strategy, Strategy) or strategy.name != name:
            raise UnknownStrategy(f"strategies={name}: {points[name].value} is not a Strategy of that name")
    return found
