"""The write-ahead part of the store: hash-chained segments, fsynced before a message is acknowledged.

A Parquet file has its index at the end and cannot grow, so acknowledging only what is in Parquet would mean one file
per message or long delays. A row is therefore first a line of a journal; whole segments are later merged into the
Parquet file of their day and removed only after that file is on disk. Merging a segment twice changes nothing.
"""

import fcntl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson

from gpt_trader.learning.domain.records import Kind, Place, Row
from gpt_trader.learning.ports import StoreCorrupt, StoreUnavailable
from gpt_trader.runtime.journal import Journal, JournalCorrupt, read, sync_folder

_OPEN = ".open"
_SEALED = ".jsonl"
_SNAPSHOT_ATTEMPTS = 10


@dataclass(slots=True)
class WriteAhead:
    """The one writer of a store's segments; `rows` counts those of the open segment."""

    folder: Path
    _lock: BinaryIO
    rows: int = 0
    _journal: Journal | None = field(default=None)

    @classmethod
    def open(cls, store_dir: Path) -> Self:
        """Take the store for this process and seal what a crash left open; raises StoreUnavailable, StoreCorrupt."""
        folder = segments_folder(store_dir)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = locked(folder / "writer.lock")
            for path in sorted(folder.glob(f"*{_OPEN}")):
                Journal.open(path).close()
                _seal(path)
        except JournalCorrupt as error:
            raise StoreCorrupt(str(error)) from error
        except OSError as error:
            raise StoreUnavailable(f"store_dir {store_dir} cannot be written: {error}") from error
        return cls(folder, lock)

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows and wait for the disk; raises StoreUnavailable, after which the rows may be appended again."""
        try:
            if self._journal is None:
                self._journal = Journal.open(self._next_path())
            self._journal.append_all([(row.kind, written(row)) for row in rows])
        except JournalCorrupt as error:
            raise StoreCorrupt(str(error)) from error
        except OSError as error:
            self._give_up()
            raise StoreUnavailable(f"{self.folder} cannot be written: {error}") from error
        self.rows += len(rows)

    def seal(self) -> None:
        """End the open segment, so that it can be merged; raises StoreUnavailable."""
        try:
            if self._journal is not None:
                path = self._journal.path
                self._journal.close()
                self._journal = None
                _seal(path)
        except OSError as error:
            raise StoreUnavailable(f"{self.folder} cannot be written: {error}") from error
        self.rows = 0

    def close(self) -> None:
        """Leave the store to the next process."""
        if self._journal is not None:
            self._journal.close()
        self._lock.close()

    def _give_up(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _next_path(self) -> Path:
        """Return the segment that a failed write left open, or the next number."""
        for path in self.folder.glob(f"*{_OPEN}"):
            return path
        numbers = [int(path.stem) for path in self.folder.glob(f"*{_SEALED}")]
        return self.folder / f"{max(numbers, default=0) + 1:010d}{_OPEN}"


def segments_folder(store_dir: Path) -> Path:
    """Where a store keeps its segments."""
    return store_dir / "wal"


def locked(path: Path) -> BinaryIO:
    """Lock a file until it is closed or the process ends; raises OSError if another process holds it."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise OSError(error.errno, f"{path} is held by another process") from error
    return file


def sealed_segments(store_dir: Path) -> tuple[Path, ...]:
    """List the segments that wait to be merged, oldest first."""
    return tuple(sorted(segments_folder(store_dir).glob(f"*{_SEALED}")))


def segment_rows(path: Path) -> Iterator[Row]:
    """Read one segment without what a crash left of its last line; raises StoreCorrupt naming file and line."""
    try:
        for entry in read(path):
            yield _row(Kind(entry.kind), entry.payload)
    except JournalCorrupt as error:
        raise StoreCorrupt(str(error)) from error


def waiting_rows(store_dir: Path) -> list[Row]:
    """Read everything not merged yet while the service writes; look at Parquet only afterwards, to miss nothing."""
    for _attempt in range(_SNAPSHOT_ATTEMPTS):
        folder = segments_folder(store_dir)
        paths = sorted([*folder.glob(f"*{_SEALED}"), *folder.glob(f"*{_OPEN}")])
        try:
            return [row for path in paths for row in segment_rows(path)]
        except FileNotFoundError:
            continue  # sealed or merged since it was listed
    raise StoreUnavailable(f"{store_dir} changes faster than it can be read")


def written(row: Row) -> dict[str, str | int]:
    """Give the fields of a row as a segment keeps them; its kind stands beside them."""
    return {
        "id": row.row_id,
        "product": row.product,
        "strategy": row.strategy,
        "occurred_at": row.occurred_at.isoformat(),
        "stored_at": row.place.stored_at.isoformat(),
        "sequence": row.place.sequence,
        "payload": row.payload,
    }


def read_written(kind: Kind, line: bytes) -> Row:
    """Read the JSON of `written`."""
    return _row(kind, orjson.loads(line))


def _row(kind: Kind, fields: dict[str, Any]) -> Row:
    return Row(
        kind=kind,
        row_id=fields["id"],
        product=fields["product"],
        strategy=fields["strategy"],
        occurred_at=datetime.fromisoformat(fields["occurred_at"]),
        place=Place(stored_at=datetime.fromisoformat(fields["stored_at"]), sequence=fields["sequence"]),
        payload=fields["payload"],
    )


def _seal(path: Path) -> None:
    path.rename(path.with_suffix(_SEALED))
    sync_folder(path.parent)
