"""One executor per journal: the second process ends with a clear word."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunning(Exception):
    """Another process holds the journal; the message names the folder."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder until leaving; the system frees it when the process dies."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"journal folder {folder} is in use by another executor") from error
        yield
