"""The feedback store in a local folder: segments written here, Parquet by a short-lived child process.

DuckDB takes some 60 MB once loaded and gives nothing back; a child that merges a batch and ends keeps them out of the
service.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from gpt_trader.learning.adapters.segments import WriteAhead, read_written, sealed_segments
from gpt_trader.learning.domain.records import Kind, Row
from gpt_trader.learning.ports import CORRUPT_EXIT, StoreCorrupt, StoreUnavailable

_CHILD_SECONDS = 120.0


@dataclass(slots=True)
class LocalStore:
    """Serializes writers; the disk is waited for in a thread, so that ticks go on."""

    store_dir: Path
    _ahead: WriteAhead
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def waiting(self) -> int:
        """Rows recorded since the last compaction."""
        return self._ahead.rows

    async def append(self, rows: Sequence[Row]) -> None:
        """Record rows; they are on disk when this returns. Raises StoreUnavailable."""
        async with self._lock:
            await asyncio.to_thread(self._ahead.append, rows)

    async def compact(self, *, with_trades: bool) -> None:
        """Seal the open segment and merge; raises StoreError, and then the segments stay for the next time."""
        async with self._lock:
            await asyncio.to_thread(self._ahead.seal)
        if with_trades or sealed_segments(self.store_dir):
            await self._child("compact", *(("--with-trades",) if with_trades else ()))

    async def unresolved(self) -> tuple[Row, ...]:
        """Ask a child process for the denied entries whose counterfactual has not ended."""
        lines = (await self._child("unresolved")).splitlines()
        return tuple(read_written(Kind.DECISION, line) for line in lines)

    async def _child(self, command: str, *options: str) -> bytes:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gpt_trader.learning.commands", command, "--store-dir", str(self.store_dir)),
            *options,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_CHILD_SECONDS):
                output, errors = await child.communicate()
        except TimeoutError as error:
            raise StoreUnavailable(f"learning {command} took longer than {_CHILD_SECONDS:g} s") from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode == 0:
            return output
        failure = StoreCorrupt if child.returncode == CORRUPT_EXIT else StoreUnavailable
        raise failure(errors.decode(errors="replace").strip() or f"learning {command} ended with {child.returncode}")


@asynccontextmanager
async def opened_store(store_dir: Path) -> AsyncIterator[LocalStore]:
    """Take the folder for this process; raises StoreUnavailable or StoreCorrupt."""
    with closing(WriteAhead.open(store_dir)) as ahead:
        yield LocalStore(store_dir, ahead)
