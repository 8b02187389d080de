"""The disk under the journal: how much room it has, and how long it takes to write."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

_PROBE = "probe"
_BLOCK = bytes(4096)


@dataclass(frozen=True, slots=True)
class JournalDisk:
    """Writes a block of its own beside the journal, so that a sick disk is found before an order needs it."""

    folder: Path
    written_until: datetime | None

    @classmethod
    def of(cls, journal: Path) -> Self:
        """Look at the disk of a journal before that is opened, which touches it."""
        journal.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        last = datetime.fromtimestamp(journal.stat().st_mtime, UTC) if journal.exists() else None
        return cls(folder=journal.parent, written_until=last)

    def free_bytes(self) -> int:
        """Return what this user may still write there."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def write(self) -> None:
        """Write and sync a block; blocks for as long as the disk takes, raises OSError when it takes nothing."""
        descriptor = os.open(self.folder / _PROBE, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, _BLOCK)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
