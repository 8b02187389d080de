"""How long each process of the strategy has been silent: a dead shard's products have nobody, whoever else lives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gpt_trader.contracts.sharding import shard_of
from gpt_trader.contracts.telemetry import Heartbeat


@dataclass(frozen=True, slots=True)
class Hearing:
    """When each shard was heard last, in real time; one that is known of and was never heard counts from then."""

    heard_at: Mapping[int, datetime]

    def heard(self, heartbeat: Heartbeat, wall: datetime) -> "Hearing":
        """Take in a heartbeat: whoever spoke last says how many there are, and is at least there itself."""
        count = max(heartbeat.shards, heartbeat.shard + 1)
        known = {shard: self.heard_at.get(shard, wall) for shard in range(count)}
        return Hearing(known | {heartbeat.shard: wall})

    def excused(self, wall: datetime) -> "Hearing":
        """Count silence from now on: nobody could be heard before."""
        return Hearing(dict.fromkeys(self.heard_at, wall))

    def longest(self, wall: datetime) -> timedelta:
        """Return how long the quietest of them has been silent."""
        return wall - min(self.heard_at.values())

    def of(self, product: str, wall: datetime) -> timedelta:
        """Return how long the one that answers for a product has been silent."""
        return wall - self.heard_at[shard_of(product, len(self.heard_at))]

    def silent(self, limit: timedelta, wall: datetime) -> Iterator[int]:
        """Name the shards that have been silent for that long."""
        return (shard for shard, at in sorted(self.heard_at.items()) if wall - at >= limit)

    def name_of(self, shard: int) -> str:
        """Return how a person would call one of them."""
        count = len(self.heard_at)
        return "strategy" if count == 1 else f"strategy's shard {shard} of {count}"


def begun(wall: datetime) -> Hearing:
    """Begin with one that is expected from now on."""
    return Hearing({0: wall})
