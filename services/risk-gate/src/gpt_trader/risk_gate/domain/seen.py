"""A persistent set of ids that only grows: adding is cheap however large it is, and old versions stay valid."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainSerializer


@dataclass(frozen=True, slots=True)
class SeenIds:
    """Ids in layers of falling size; a layer that is outgrown is merged, so that an id is copied O(log n) times."""

    layers: tuple[frozenset[str], ...] = ()

    def __contains__(self, key: object) -> bool:
        return any(key in layer for layer in self.layers)

    def __len__(self) -> int:
        return sum(len(layer) for layer in self.layers)

    def with_id(self, key: str) -> "SeenIds":
        """Return the set that also holds `key`."""
        if key in self:
            return self
        layers = list(self.layers)
        newest = frozenset((key,))
        while layers and len(layers[-1]) <= len(newest):
            newest = newest | layers.pop()
        return SeenIds((*layers, newest))

    def ids(self) -> tuple[str, ...]:
        """Return every id, sorted: the same whatever the order of adding."""
        return tuple(sorted(key for layer in self.layers for key in layer))


Ids = Annotated[SeenIds, PlainSerializer(SeenIds.ids)]
"""Serialized as the sorted ids, so that the layers leave no trace in a hash."""
