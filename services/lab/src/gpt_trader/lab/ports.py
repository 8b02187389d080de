"""What may go wrong with the files of a recorded run."""

from pathlib import Path


class Unreadable(Exception):
    """A file that can't be replayed; the message names file, line and reason. Line 0 = the file as a whole."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        place = f" line {line}" if line else ""
        super().__init__(f"{path}{place}: {reason}")
