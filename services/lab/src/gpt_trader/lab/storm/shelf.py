"""The state store outside of the processes (Redis): it may be away, flushed, or come back from an old copy."""

import asyncio
from dataclasses import dataclass

from gpt_trader.lab.storm.fate import Fate
from gpt_trader.risk_gate.ports import StoreConflict, StoredState, StoreUnavailable

_ODDS = {"away": 0.01, "flushed": 0.006, "old copy": 0.006}
_CALL = (0.0002, 0.002)
_BOUND = 0.2


@dataclass(slots=True)
class Shelf:
    """What the server holds, and what it held before."""

    fate: Fate
    held: StoredState | None = None
    before: StoredState | None = None
    is_killed: bool = False

    def strike(self) -> bool:
        """Have something happen to the server; returns whether it answers."""
        match self.fate.strike("redis", _ODDS):
            case "away":
                return False
            case "flushed":
                self.held = None
            case "old copy":
                self.held = self.before
            case _:
                return True
        return True


@dataclass(slots=True)
class StormStore:
    """A process's client; implements the gate's StateStore."""

    shelf: Shelf

    async def load(self) -> StoredState | None:
        """Return what is stored."""
        await self._call()
        return self.shelf.held

    async def save(self, state: StoredState, expected_version: int | None) -> None:
        """Replace exactly the expected version, and never the state of a later epoch."""
        await self._call()
        held = self.shelf.held
        found = None if held is None else held.version
        if found != expected_version or (held is not None and held.epoch > state.epoch):
            raise StoreConflict(f"version {found} is stored where {expected_version} was expected")
        self.shelf.before, self.shelf.held = held, state

    async def kill_requested(self) -> bool:
        """Whether the kill key exists."""
        await self._call()
        return self.shelf.is_killed

    async def _call(self) -> None:
        if not self.shelf.strike():
            await asyncio.sleep(_BOUND)
            raise StoreUnavailable("no answer in time")
        await asyncio.sleep(self.shelf.fate.seconds("redis.hop", *_CALL))
