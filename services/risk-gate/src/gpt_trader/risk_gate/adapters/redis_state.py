"""The fast copy of the trading state in Redis, written only over what this gate, or one before it, wrote last."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from gpt_trader.risk_gate.ports import StoreConflict, StoredState, StoreUnavailable
from gpt_trader.runtime import store as documents
from gpt_trader.runtime.store import Document, Store

STATE_KEY = "risk:state"
KILL_KEY = "risk:kill"
"""Anybody's hand brake: present in any form = halted."""
_STORED = TypeAdapter(StoredState)


@dataclass(frozen=True, slots=True)
class RedisState:
    """Implements StateStore; no call takes longer than `answer_within`, whatever the server does."""

    _store: Store
    answer_within: timedelta

    async def load(self) -> StoredState | None:
        """Return what is stored; a document that can't be read is as good as a store that doesn't answer."""
        async with self._bounded("load"):
            held = await self._store.get(STATE_KEY)
        return None if held is None else _stored(held)

    async def save(self, state: StoredState, expected_version: int | None) -> None:
        """Replace exactly the expected version, and never the state of a later epoch."""
        before = expected_version or 0
        if state.version != before + 1:
            raise ValueError(f"version {state.version} can't follow {expected_version}")
        async with self._bounded("save"):
            held = await self._store.get(STATE_KEY)
            # The version holds the document still between this look and the write.
            if held is not None and _stored(held).epoch > state.epoch:
                raise StoreConflict(f"{STATE_KEY} is of epoch {_stored(held).epoch}, ours is {state.epoch}")
            await self._store.compare_and_set(STATE_KEY, _content(state), expected_version=before)

    async def kill_requested(self) -> bool:
        """Whether the kill key exists, in any form."""
        async with self._bounded("kill_requested"):
            return await self._store.is_present(KILL_KEY)

    @asynccontextmanager
    async def _bounded(self, call: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.answer_within.total_seconds()):
                yield
        except TimeoutError as error:
            raise StoreUnavailable(f"{call}: no answer within {self.answer_within.total_seconds():g} s") from error
        except documents.StoreConflict as error:
            raise StoreConflict(str(error)) from error
        except documents.StoreUnavailable as error:
            raise StoreUnavailable(str(error)) from error


def _stored(held: Document) -> StoredState:
    try:
        state = _STORED.validate_python({**held.content, "version": held.version})
    except (ValidationError, TypeError) as error:
        raise StoreUnavailable(f"{STATE_KEY} is no trading state: {error}") from error
    return state


def _content(state: StoredState) -> object:
    return _STORED.dump_python(state, mode="json")
