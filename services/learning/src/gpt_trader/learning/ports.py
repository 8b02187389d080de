"""What learning needs of its store and of the market's history, and how the store can fail.

StoreError
├── StoreUnavailable   nothing was recorded; trying again is safe
└── StoreCorrupt       a file does not say what was written to it; only an operator can decide
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from gpt_trader.contracts.market import Candle
from gpt_trader.learning.domain.records import Row
from gpt_trader.runtime.bus.errors import Unavailable

CORRUPT_EXIT = 5
"""Exit code of a command that met a file an operator must look at."""


class StoreError(Exception):
    """The feedback store did not do what was asked."""


class StoreUnavailable(StoreError, Unavailable):
    """The folder cannot be written (full, read-only, gone); nothing was recorded and trying again is safe."""


class StoreCorrupt(StoreError):
    """A file was changed after it was written; the message names it."""


class FeedbackStore(Protocol):
    """Where rows are kept for good."""

    @property
    def waiting(self) -> int:
        """Rows recorded since the last compaction."""
        ...

    async def append(self, rows: Sequence[Row]) -> None:
        """Record rows; they are on disk when this returns. Raises StoreUnavailable."""
        ...

    async def compact(self, *, with_trades: bool) -> None:
        """Move what was recorded so far into Parquet; raises StoreError, and then loses nothing.

        With trades: also record the trades that the fills close, which says that no earlier fill can still come.
        """
        ...

    async def unresolved(self) -> tuple[Row, ...]:
        """Find the denied entries whose counterfactual has not ended; raises StoreError."""
        ...


class MarketHistory(Protocol):
    """What the market did while nobody listened."""

    def candles(self, product: str, since: datetime) -> AsyncIterator[Candle]:
        """Yield the closed candles of all intervals that were published since, in that order."""
        ...
