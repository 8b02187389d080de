"""Which of several equal processes answers for a product: a rule that needs no table, so both ends always agree."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of `count` processes that share the products; alone it has them all."""

    index: int = 0
    count: int = 1

    def has(self, product: str) -> bool:
        """Whether this one answers for a product."""
        return shard_of(product, self.count) == self.index


WHOLE = Shard()
"""A service that is one process."""


def shard_of(product: str, count: int) -> int:
    """Return who answers for a product; it moves only when their number changes, never with the list of products."""
    return int.from_bytes(sha256(product.encode()).digest()) % count
