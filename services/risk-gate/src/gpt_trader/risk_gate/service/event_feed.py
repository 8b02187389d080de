"""Publishes what the journal took as events, in its order, at least once, without anybody waiting for it."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from gpt_trader.contracts import subjects
from gpt_trader.contracts.events import GateEvent
from gpt_trader.contracts.message import digest
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.events import told
from gpt_trader.risk_gate.domain.records import Record
from gpt_trader.risk_gate.ports import Streams
from gpt_trader.risk_gate.service.outbox import BusBehindJournal
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import BusUnavailable, PublishUnknown
from gpt_trader.runtime.journal import Journal

log = logs.get("risk-gate")

_PAUSE_SECONDS = 0.25
_MOST_WAITING = 50_000
"""Hours of events without a bus; with more the process ends, for a start brings both together."""
_MOST_READ_BACK = 20_000
"""Records of the journal that a start looks through; what is older stays in the journal alone."""
_HAVE_MESSAGES = frozenset({"decision_made", "order_reported", "fill_reported"})
"""Kinds of which only the causes are told; most have none, and need not be read."""


@dataclass(slots=True, kw_only=True)
class EventFeed:
    """What it holds is in the journal already, so that a crash loses nothing: the next start publishes it."""

    bus: Streams
    _waiting: deque[GateEvent] = field(default_factory=deque)
    _added: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, first: int, entries: Sequence[Record]) -> None:
        """Have records published, `first` being the number of the first; raises BusBehindJournal if too many wait."""
        for number, record in enumerate(entries, start=first):
            self._waiting.extend(told(number, record))
        if len(self._waiting) > _MOST_WAITING:
            raise BusBehindJournal(f"{len(self._waiting)} events wait for the bus")
        self._added.set()

    async def run(self) -> None:
        """Publish for ever; while the bus is away, events wait."""
        while True:
            self._added.clear()
            while self._waiting:
                await self._publish(self._waiting[0])
                self._waiting.popleft()
            await self._added.wait()

    def catch_up(self, journal: Journal, published: int) -> None:
        """Take up what the journal holds from the last record on the bus on; before anything new is written."""
        missing: list[tuple[int, Record]] = []
        for entry in journal.newest_first():
            if entry.sequence < published:  # the last one may have more events: they are told again
                break
            if journal.sequence - entry.sequence >= _MOST_READ_BACK:
                log.warning("events_stay_in_journal", up_to=entry.sequence, published=published)
                break
            if entry.kind not in _HAVE_MESSAGES or entry.payload["raised"]:
                missing.append((entry.sequence, records.parse(entry.payload)))
        for number, record in reversed(missing):
            self._waiting.extend(told(number, record))

    async def _publish(self, event: GateEvent) -> None:
        """Store one event, however long it takes; the same one twice is stored once."""
        payload = event.encode()
        while True:
            try:
                await self.bus.store(subjects.events(event.kind), payload, message_id=f"event-{digest(payload)}")
            except (BusUnavailable, PublishUnknown) as error:
                log.warning("event_waits", record=event.record, reason=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return
