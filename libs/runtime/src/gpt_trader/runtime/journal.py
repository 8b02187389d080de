"""An append-only, hash-chained, fsynced file: what it returned from `append` has happened, whatever crashes next."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson

from gpt_trader.contracts.message import GENESIS_HASH, canonical, digest
from gpt_trader.runtime import logs

log = logs.get("journal")


class JournalCorrupt(Exception):
    """The file was changed after it was written; the message names file, line and reason."""


class JournalInUse(Exception):
    """Another process has the journal open: two writers would break the chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record: `hash` covers sequence, kind, payload and the previous hash."""

    sequence: int
    kind: str
    payload: Any
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """The chain is whole; `torn_bytes` is what a crash left of an append that never returned."""

    entries: int
    head: str
    torn_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The chain breaks at line `at` (from 1)."""

    at: int
    reason: str


@dataclass(slots=True)
class Journal:
    """An open journal; one process writes it."""

    path: Path
    _file: BinaryIO
    _sequence: int
    _head: str
    _is_failed: bool = field(default=False)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Check the whole chain, cut a torn last line, open for appending; raises JournalCorrupt, JournalInUse."""
        file = _locked(path)
        verdict = verify(path)
        if isinstance(verdict, Broken):
            file.close()
            raise JournalCorrupt(f"{path} line {verdict.at}: {verdict.reason}")
        if verdict.torn_bytes:
            log.warning("journal_tail_cut", path=str(path), bytes=verdict.torn_bytes, entries=verdict.entries)
            file.truncate(path.stat().st_size - verdict.torn_bytes)
            os.fsync(file.fileno())
        file.seek(0, os.SEEK_END)
        return cls(path, file, verdict.entries, verdict.head)

    @property
    def head(self) -> str:
        """The hash of the last entry: it stands for the whole history."""
        return self._head

    @property
    def sequence(self) -> int:
        """The number of entries, which is the sequence of the last one."""
        return self._sequence

    def append(self, kind: str, payload: object) -> None:
        """Write one entry; it is on disk when this returns. The payload is anything that has a canonical form."""
        self.append_all([(kind, payload)])

    def append_all(self, records: Sequence[tuple[str, object]]) -> None:
        """Write several entries with one wait for the disk. A failed write makes the journal unusable."""
        if self._is_failed:
            raise OSError(f"{self.path}: an earlier write failed, so what the disk holds is unknown: restart")
        lines = []
        sequence, head = self._sequence, self._head
        for kind, payload in records:
            sequence += 1
            line, head = _chained(sequence, kind, payload, head)
            lines.append(line)
        self._is_failed = True
        self._write(b"".join(lines))
        os.fsync(self._file.fileno())
        self._is_failed = False
        self._sequence, self._head = sequence, head

    def entries(self) -> Iterator[Entry]:
        """Read back everything written, in order."""
        yield from _entries(self.path)

    def close(self) -> None:
        """Close the file; everything is on disk already."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[self._file.write(view) :]


def verify(path: Path) -> Verified | Broken:
    """Check every line of the chain without changing the file."""
    head, count, line = GENESIS_HASH, 0, b""
    with path.open("rb") as lines:
        for count, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                return Verified(entries=count - 1, head=head, torn_bytes=len(line))
            checked = _checked(line, count, head)
            if isinstance(checked, Broken):
                return checked
            head = checked.hash
    return Verified(entries=count, head=head, torn_bytes=0)


def read(path: Path) -> Iterator[Entry]:
    """Read a journal that this process does not own, in order, without its torn tail."""
    yield from _entries(path)


def _entries(path: Path) -> Iterator[Entry]:
    head = GENESIS_HASH
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                return
            checked = _checked(line, number, head)
            if isinstance(checked, Broken):
                raise JournalCorrupt(f"{path} line {checked.at}: {checked.reason}")
            head = checked.hash
            yield checked


def _chained(sequence: int, kind: str, payload: object, previous: str) -> tuple[bytes, str]:
    """Return the line and its hash."""
    body = canonical({"seq": sequence, "kind": kind, "payload": payload, "prev": previous})
    own_hash = digest(body)
    return body[:-1] + b',"~hash":"' + own_hash.encode() + b'"}\n', own_hash


_SUFFIX_LENGTH = len(',"~hash":"') + 64 + len('"}\n')


def _checked(line: bytes, number: int, previous: str) -> Entry | Broken:
    """Recompute the hash over the exact bytes written, then look at what they say."""
    body = line[:-_SUFFIX_LENGTH] + b"}"
    own_hash = digest(body)
    if line[-_SUFFIX_LENGTH:] != b',"~hash":"' + own_hash.encode() + b'"}\n':
        return Broken(at=number, reason="the hash does not match the content")
    record = orjson.loads(body)
    if record["seq"] != number:
        return Broken(at=number, reason=f"sequence {record['seq']} where {number} belongs")
    if record["prev"] != previous:
        return Broken(at=number, reason="the previous hash is not that of the line before")
    return Entry(sequence=number, kind=record["kind"], payload=record["payload"], previous=previous, hash=own_hash)


def _locked(path: Path) -> BinaryIO:
    """Open for writing as the only one; the lock ends with the process, however it ends."""
    is_made_now = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    if is_made_now:
        sync_folder(path.parent)
    file = path.open("r+b", buffering=0)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise JournalInUse(f"{path} is open in another process") from error
    return file


def sync_folder(folder: Path) -> None:
    """Make a file's making, renaming or removal in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
