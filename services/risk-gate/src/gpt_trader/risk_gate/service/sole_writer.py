"""One process per journal: two writers would break the chain."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpt_trader.runtime.journal import Journal

JOURNAL = "gate.jsonl"


class JournalInUse(Exception):
    """Another process writes this journal."""


@contextmanager
def sole_journal(folder: Path) -> Iterator[Journal]:
    """Open the journal of a folder for this process alone; the lock ends with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JournalInUse(f"{folder}: another gate writes this journal") from error
        with Journal.open(folder / JOURNAL) as journal:
            yield journal
