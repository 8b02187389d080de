"""Reads a journal as it stood when it was opened, after its whole chain was checked."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from gpt_trader.lab.adapters.reasons import reason_of
from gpt_trader.lab.ports import Unreadable
from gpt_trader.runtime.journal import Broken, Entry, Verified, read, verify


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFile:
    """A journal whose chain is whole; what is appended later is not read."""

    path: Path
    checked: Verified

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in order."""
        return islice(read(self.path), self.checked.entries)

    def notes(self) -> Iterator[str]:
        """Say what a reader should know of it."""
        if self.checked.torn_bytes:
            yield f"{self.path.name}: the last line is torn ({self.checked.torn_bytes} bytes) and was left out"


def opened(folder: Path) -> JournalFile:
    """Find the one journal in a folder and check it; raises Unreadable."""
    found = sorted(folder.glob("*.jsonl"))
    if len(found) != 1:
        there = ", ".join(path.name for path in found) or "none"
        raise Unreadable(folder, 0, f"one journal (*.jsonl) is expected here, found: {there}")
    try:
        checked = verify(found[0])
    except OSError as error:
        raise Unreadable(found[0], 0, reason_of(error)) from None
    if isinstance(checked, Broken):
        raise Unreadable(found[0], checked.at, checked.reason)
    return JournalFile(path=found[0], checked=checked)
