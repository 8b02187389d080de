"""An append-only, hash-chained, fsynced file: what it returned from `append` has happened, whatever crashes next."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, BinaryIO, Self

import orjson

from gpt_trader.contracts.message import GENESIS_HASH, canonical, digest
from gpt_trader.runtime import logs

log = logs.get("journal")


class JournalCorrupt(Exception):
    """The file was changed after it was written; the message names file, line and reason."""


class JournalCut(JournalCorrupt):
    """The journal lacks an entry that it is known to have held: it was cut, replaced, or put back from a copy."""


class JournalInUse(Exception):
    """Another process has the journal open: two writers would break the chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a journal an entry ends: its sequence, its hash, and how many bytes there are up to its end."""

    sequence: int
    head: str
    offset: int


START = Place(sequence=0, head=GENESIS_HASH, offset=0)


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
    """An open journal; one process writes it. `synced_in` is how many seconds the last wait for the disk took."""

    path: Path
    since: Place
    _file: BinaryIO
    _place: Place
    synced_in: float = 0.0
    _is_failed: bool = field(default=False)

    @classmethod
    def open(cls, path: Path, since: Place = START) -> Self:
        """Check the chain from a place on, cut a torn last line, open for appending.

        Raises JournalInUse, JournalCut if that place is not in the file, JournalCorrupt for anything after it.
        """
        file = _locked(path)
        try:
            verdict = _whole(path, since)
        except JournalCorrupt:
            file.close()
            raise
        if verdict.torn_bytes:
            log.warning("journal_tail_cut", path=str(path), bytes=verdict.torn_bytes, entries=verdict.entries)
            file.truncate(path.stat().st_size - verdict.torn_bytes)
            os.fsync(file.fileno())
        place = Place(sequence=verdict.entries, head=verdict.head, offset=file.seek(0, os.SEEK_END))
        return cls(path, since, file, place)

    @property
    def place(self) -> Place:
        """Where the last entry ends."""
        return self._place

    @property
    def head(self) -> str:
        """The hash of the last entry: it stands for the whole history."""
        return self._place.head

    @property
    def sequence(self) -> int:
        """The number of entries, which is the sequence of the last one."""
        return self._place.sequence

    def append(self, kind: str, payload: object) -> None:
        """Write one entry; it is on disk when this returns. The payload is anything that has a canonical form."""
        self.append_all([(kind, payload)])

    def append_all(self, records: Sequence[tuple[str, object]]) -> None:
        """Write several entries with one wait for the disk. A failed write makes the journal unusable."""
        if self._is_failed:
            raise OSError(f"{self.path}: an earlier write failed, so what the disk holds is unknown: restart")
        lines = []
        sequence, head = self._place.sequence, self._place.head
        for kind, payload in records:
            sequence += 1
            line, head = _chained(sequence, kind, payload, head)
            lines.append(line)
        content = b"".join(lines)
        self._is_failed = True
        self._write(content)
        began = perf_counter()
        os.fsync(self._file.fileno())
        self.synced_in = perf_counter() - began
        self._is_failed = False
        self._place = Place(sequence=sequence, head=head, offset=self._place.offset + len(content))

    def entries(self) -> Iterator[Entry]:
        """Read back everything since the place from which it was opened, in order."""
        yield from _entries(self.path, self.since)

    def newest_first(self) -> Iterator[Entry]:
        """Read back from the last entry to the very first; each is proved by the hash that its follower names."""
        number, expected = self.sequence, self.head
        with self.path.open("rb") as file:
            for line in _lines_back(file, self._place.offset):
                entry = _parsed(line, number)
                if isinstance(entry, Broken) or entry.hash != expected:
                    raise JournalCorrupt(f"{self.path} line {number}: it is not what the entries after it speak of")
                yield entry
                number, expected = number - 1, entry.previous

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


def verify(path: Path, since: Place = START) -> Verified | Broken:
    """Check every line of the chain after a place without changing the file; raises JournalCut if it is not there."""
    head, count, line = since.head, since.sequence, b""
    with path.open("rb") as lines:
        _seek(lines, path, since)
        for count, line in enumerate(lines, start=since.sequence + 1):
            if not line.endswith(b"\n"):
                return Verified(entries=count - 1, head=head, torn_bytes=len(line))
            checked = _checked(line, count, head)
            if isinstance(checked, Broken):
                return checked
            head = checked.hash
    return Verified(entries=count, head=head, torn_bytes=0)


def _whole(path: Path, since: Place) -> Verified:
    verdict = verify(path, since)
    if isinstance(verdict, Broken):
        raise JournalCorrupt(f"{path} line {verdict.at}: {verdict.reason}")
    return verdict


def read(path: Path) -> Iterator[Entry]:
    """Read a journal that this process does not own, in order, without its torn tail."""
    yield from _entries(path, START)


def _entries(path: Path, since: Place) -> Iterator[Entry]:
    head = since.head
    with path.open("rb") as lines:
        _seek(lines, path, since)
        for number, line in enumerate(lines, start=since.sequence + 1):
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
    return body[:-1] + _suffix(own_hash), own_hash


def _suffix(own_hash: str) -> bytes:
    """Return the end of a line, in which its hash stands."""
    return b',"~hash":"' + own_hash.encode() + b'"}\n'


_SUFFIX_LENGTH = len(_suffix(GENESIS_HASH))


def _checked(line: bytes, number: int, previous: str) -> Entry | Broken:
    entry = _parsed(line, number)
    if isinstance(entry, Entry) and entry.previous != previous:
        return Broken(at=number, reason="the previous hash is not that of the line before")
    return entry


def _parsed(line: bytes, number: int) -> Entry | Broken:
    """Recompute the hash over the exact bytes written, then look at what they say."""
    body = line[:-_SUFFIX_LENGTH] + b"}"
    own_hash = digest(body)
    if line[-_SUFFIX_LENGTH:] != _suffix(own_hash):
        return Broken(at=number, reason="the hash does not match the content")
    record = orjson.loads(body)
    if record["seq"] != number:
        return Broken(at=number, reason=f"sequence {record['seq']} where {number} belongs")
    return Entry(
        sequence=number, kind=record["kind"], payload=record["payload"], previous=record["prev"], hash=own_hash
    )


def _seek(file: BinaryIO, path: Path, place: Place) -> None:
    """Go to the end of an entry; the hash that stands there must be its own."""
    if place == START:
        return
    file.seek(max(place.offset - _SUFFIX_LENGTH, 0))
    if file.read(_SUFFIX_LENGTH) != _suffix(place.head):
        raise JournalCut(f"{path} does not hold entry {place.sequence} with hash {place.head}: it was cut or replaced")


_BLOCK = 1 << 16


def _lines_back(file: BinaryIO, end: int) -> Iterator[bytes]:
    """Yield the whole lines before a position, last first."""
    rest = b""
    while end:
        start = max(end - _BLOCK, 0)
        file.seek(start)
        lines = (file.read(end - start) + rest).splitlines(keepends=True)
        rest = lines.pop(0) if start else b""
        yield from reversed(lines)
        end = start


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
