"""The ledger and its journal as one: what was recorded is on disk before anybody acts on it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.executor.domain import records
from gpt_trader.executor.domain.ledger import Ledger
from gpt_trader.executor.domain.order import Order
from gpt_trader.executor.domain.replay import recovered
from gpt_trader.executor.ports import JournalFile, Measurements
from gpt_trader.runtime.clock import Clock


@dataclass(slots=True, kw_only=True)
class Books:
    """Every change of an order goes through `record`; `changed` wakes whoever reports."""

    ledger: Ledger
    journal: JournalFile
    clock: Clock
    measurements: Measurements
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _unwritten: list[records.Record] = field(default_factory=list)
    _is_gathering: bool = False

    @classmethod
    def open(cls, journal: JournalFile, clock: Clock, measurements: Measurements) -> Self:
        """Fold the journal; a start is always a recovery."""
        ledger = recovered(entry.payload for entry in journal.entries())
        books = cls(ledger=ledger, journal=journal, clock=clock, measurements=measurements)
        if books.ledger.opened_at is None:
            books.record(records.Opened(at=clock.now()))
        books.changed.set()
        return books

    def record(self, *changes: records.Record) -> None:
        """Fold and fsync in one step; raises IllegalTransition before anything is written."""
        for change in changes:
            self.ledger.apply(change)
        self._unwritten += changes
        if not self._is_gathering:
            self.write_rest()

    def note(self, change: records.Reported) -> None:
        """Fold what may be lost with the process, for it is said again then; the next write takes it along."""
        self.ledger.apply(change)
        self._unwritten.append(change)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Write what is recorded inside with one wait for the disk; nothing may be awaited there: nobody acts yet."""
        self._is_gathering = True
        try:
            yield
        finally:
            self._is_gathering = False
            self.write_rest()

    def write_rest(self) -> None:
        """Put on disk what is not there yet."""
        if not self._unwritten:
            return
        changes, self._unwritten = self._unwritten, []
        began = self.clock.wall()
        self.journal.append_all([(change.kind, change) for change in changes])
        self.measurements.waited("journal", self.clock.wall() - began)
        self.measurements.doubtful(len(self.ledger.doubtful), len(self.ledger.live))
        self.changed.set()

    def order(self, client_order_id: ClientOrderId) -> Order:
        """Return an order that the ledger has."""
        return self.ledger.orders[client_order_id]
