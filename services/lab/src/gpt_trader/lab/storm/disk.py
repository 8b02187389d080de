"""A journal on a disk that a crash may strike before, within and after each write."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from gpt_trader.lab.storm.fate import Fate
from gpt_trader.lab.storm.timeline import Crashed, ProcessLoop
from gpt_trader.runtime.journal import Entry, Journal, Place

Records = Sequence[tuple[str, object]]

_ODDS = {"crash before": 0.002, "crash within": 0.002, "crash after": 0.004}


class StormDisk:
    """Implements the gate's Disk: there is room, and a write takes no time."""

    written_until: datetime | None = None

    def free_bytes(self) -> int:
        """More than is ever asked for."""
        return 1 << 40

    def write(self) -> None:
        """Succeed."""


@dataclass(slots=True)
class StormJournal:
    """The real journal file; `heard` is told what came to be on disk, and nothing of a process that is dead gets there.

    `unsynced` writes are lost with a process that dies, and if `is_late` each write waits for the next one: no disk
    that keeps its word does that.
    """

    inner: Journal
    loop: ProcessLoop
    fate: Fate
    heard: Callable[[Records], None]
    unsynced: int = 0
    is_late: bool = False
    _ends: list[int] = field(default_factory=list)
    _held: Records = ()

    def append_all(self, records: Records) -> None:
        """Write as the real one does, unless the process dies here: then a torn line is what is left of it."""
        if self.loop.is_dead:
            raise Crashed
        if self.is_late:
            records, self._held = self._held, records
        fault = self.fate.strike(f"{self.loop.name}.disk", _ODDS)
        if fault == "crash before":
            self._die()
        before = self.inner.place.offset
        self._ends.append(before)
        self.inner.append_all(records)
        if fault == "crash within":
            self._tear(before)
            self._die()
        self.heard(records)
        if fault == "crash after":
            self._die()

    def lose(self) -> None:
        """Lose what was not synced when the process died."""
        if self.unsynced and self._ends:
            with self.path.open("r+b") as file:
                file.truncate(self._ends[-self.unsynced :][0])

    def append(self, kind: str, payload: object) -> None:
        """Write one."""
        self.append_all([(kind, payload)])

    def entries(self) -> Iterator[Entry]:
        """Read back."""
        return self.inner.entries()

    def newest_first(self) -> Iterator[Entry]:
        """Read back from the end."""
        return self.inner.newest_first()

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.inner.path

    @property
    def since(self) -> Place:
        """Where it was opened."""
        return self.inner.since

    @property
    def place(self) -> Place:
        """Where it ends."""
        return self.inner.place

    @property
    def head(self) -> str:
        """The hash of the last entry."""
        return self.inner.head

    @property
    def sequence(self) -> int:
        """The number of the last entry."""
        return self.inner.sequence

    @property
    def synced_in(self) -> float:
        """Simulated disks take no time: what depends on it would not repeat."""
        return 0.0

    def _tear(self, before: int) -> None:
        """Leave a part of the write without its end: none of it counts, unless a whole line is among it."""
        written = self.inner.place.offset - before
        first = self.path.read_bytes()[before:].find(b"\n")
        with self.path.open("r+b") as file:
            file.truncate(before + self.fate.number(f"{self.loop.name}.disk", min(first, written - 1)))

    def _die(self) -> None:
        self.loop.kill()
        raise Crashed
