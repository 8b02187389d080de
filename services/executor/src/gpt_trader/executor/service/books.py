"""The ledger and its journal as one: what was recorded is on disk before anybody acts on it."""

import asyncio
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
        if not changes:
            return
        began = self.clock.wall()
        for change in changes:
            self.ledger.apply(change)
        self.journal.append_all([(change.kind, change) for change in changes])
        self.measurements.waited("journal", self.clock.wall() - began)
        live = list(self.ledger.living())
        self.measurements.doubtful(sum(order.is_in_doubt for order in live), len(live))
        self.changed.set()

    def order(self, client_order_id: ClientOrderId) -> Order:
        """Return an order that the ledger has."""
        return self.ledger.orders[client_order_id]
