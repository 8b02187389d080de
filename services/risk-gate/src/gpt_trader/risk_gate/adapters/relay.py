"""Copies of the user channel's frames for the executor; a watcher that can't keep up is cut off, never waited for."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum

MOST_QUEUED = 1024
"""Frames kept for one watcher."""


class Ending(IntEnum):
    """WebSocket close codes that a watcher may see."""

    GOING_AWAY = 1001
    UPSTREAM_RESTARTED = 1012
    TOO_SLOW = 1013


@dataclass(slots=True, eq=False)
class Watcher:
    """One reader's queue; its end is told at once, before what is still queued."""

    _frames: deque[str] = field(default_factory=deque)
    _ending: Ending | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def push(self, frame: str) -> None:
        """Queue a frame, or end the watcher if too many wait."""
        if len(self._frames) >= MOST_QUEUED:
            self.end(Ending.TOO_SLOW)
            return
        self._frames.append(frame)
        self._changed.set()

    def end(self, ending: Ending) -> None:
        """End the watcher; the first reason stays."""
        self._ending = self._ending or ending
        self._changed.set()

    async def next(self) -> str | Ending:
        """Wait for the next frame or the end."""
        while True:
            if self._ending is not None:
                return self._ending
            if self._frames:
                return self._frames.popleft()
            self._changed.clear()
            await self._changed.wait()


@dataclass(slots=True)
class Relay:
    """Who watches, and whether there is anything to watch."""

    is_open: bool = False
    _watchers: set[Watcher] = field(default_factory=set)

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return len(self._watchers)

    def publish(self, frame: str) -> None:
        """Hand a raw frame to everybody."""
        for watcher in self._watchers:
            watcher.push(frame)

    def close(self, ending: Ending) -> None:
        """End everybody: frames were or may have been missed, so they must reconcile."""
        self.is_open = False
        for watcher in self._watchers:
            watcher.end(ending)

    @contextmanager
    def watching(self) -> Iterator[Watcher]:
        """Take part until the block ends."""
        watcher = Watcher()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
