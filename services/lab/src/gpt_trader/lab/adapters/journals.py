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


def opened(path: Path) -> JournalFile:
    """Check a journal; raises Unreadable."""
    try:
        checked = verify(path)
    except OSError as error:
        raise Unreadable(path, 0, reason_of(error)) from None
    if isinstance(checked, Broken):
        raise Unreadable(path, checked.at, checked.reason)
    return JournalFile(path=path, checked=checked)
