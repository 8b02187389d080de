"""Publishes decisions in the order in which they were made, without anybody waiting for it."""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from gpt_trader.contracts import subjects
from gpt_trader.contracts.decisions import Decision
from gpt_trader.risk_gate.ports import Streams
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus import BusUnavailable, PublishUnknown

log = logs.get("risk-gate")

_DRAIN_SECONDS = 5.0
_MOST_WAITING = 1024
"""With more than this on their way, decisions are made no faster than the bus takes them."""
MOST_UNPUBLISHED = _MOST_WAITING + 1
"""So many decisions may be in the journal and not on the bus when the gate dies: one is waiting for room."""


class BusBehindJournal(Exception):
    """The journal holds what the bus does not: the process ends, for a start brings both together."""


@dataclass(slots=True, kw_only=True)
class Outbox:
    """What it holds is in the journal already, so that a crash loses nothing: the next start publishes it."""

    bus: Streams
    _waiting: deque[tuple[Decision, bytes, Mapping[str, str]]] = field(default_factory=deque)
    _added: asyncio.Event = field(default_factory=asyncio.Event)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_WAITING))

    async def put(self, decision: Decision, form: bytes) -> None:
        """Have a decision published after those before it; `form` is its canonical form."""
        await self._room.acquire()
        self._waiting.append((decision, form, tracing.carried()))
        self._added.set()

    async def run(self) -> None:
        """Publish until cancelled, and then what is left; raises BusBehindJournal if the bus fails."""
        try:
            while True:
                await self._added.wait()
                self._added.clear()
                await self._emptied()
        except asyncio.CancelledError:
            await self._drained()
            raise

    async def publish(self, decision: Decision, form: bytes) -> None:
        """Publish one decision; the same one twice is stored once."""
        try:
            await self.bus.store(subjects.decisions(decision.product), form, message_id=decision.hash)
        except (BusUnavailable, PublishUnknown) as error:
            raise BusBehindJournal(f"decision {decision.sequence}: {error}") from error

    async def _emptied(self) -> None:
        while self._waiting:
            decision, form, flow = self._waiting[0]
            tracing.adopt(flow)
            await self.publish(decision, form)
            self._waiting.popleft()
            self._room.release()

    async def _drained(self) -> None:
        with suppress(TimeoutError, BusBehindJournal):
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._emptied()
        log.info("decisions_drained", left=len(self._waiting))
