"""Tells apart a kill and its second copy: each is heard as it is published, and read once more from the stream."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_LATE = timedelta(seconds=5)
"""How long after its stored copy a published one can still arrive."""
_EARLY = timedelta(minutes=1)


@dataclass(slots=True)
class Kills:
    """Pairs the copies in order. Without it the late copy of a kill would latch again after its reset."""

    _heard: deque[datetime] = field(default_factory=deque)
    _read: deque[datetime] = field(default_factory=deque)

    def hear(self, wall: datetime) -> bool:
        """Take a published kill; returns whether it is news."""
        self._forget(wall)
        if self._read:
            self._read.popleft()
            return False
        self._heard.append(wall)
        return True

    def read(self, wall: datetime) -> None:
        """Take a stored kill, which is obeyed in any case."""
        self._forget(wall)
        if self._heard:
            self._heard.popleft()
        else:
            self._read.append(wall)

    def _forget(self, wall: datetime) -> None:
        while self._heard and wall - self._heard[0] > _EARLY:
            self._heard.popleft()
        while self._read and wall - self._read[0] > _LATE:
            self._read.popleft()
