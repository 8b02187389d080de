"""Opens the journal where the newest snapshot ends, and writes a snapshot now and then: a start folds only the rest."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gpt_trader.risk_gate.adapters.snapshots import Snapshot, readable, rules_version, write
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime import logs
from gpt_trader.runtime.journal import START, Journal

log = logs.get("risk-gate")

JOURNAL = "gate.jsonl"
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Books:
    """A journal, and the state up to the place from which it was opened."""

    journal: Journal
    state: GateState


@contextmanager
def opened_books(folder: Path) -> Iterator[Books]:
    """Open the journal of a folder for this process alone, after the newest snapshot that can be used.

    Raises JournalInUse; JournalCut if the journal lacks what a snapshot was made of; JournalCorrupt.
    """
    snapshot = next(readable(folder), Snapshot(START, GateState()))
    with Journal.open(folder / JOURNAL, snapshot.place) as journal:
        yield Books(journal, snapshot.state)


@dataclass(slots=True, kw_only=True)
class Snapshots:
    """One after every `every_records`, written beside the journal while decisions go on, and one at a clean stop."""

    ledger: Ledger
    every_records: int
    _rules: str = field(default_factory=rules_version)
    _taken: int = field(default=0)

    def __post_init__(self) -> None:
        """Count from the place of the snapshot that this run began with."""
        self._taken = self.ledger.journal.since.sequence

    async def run(self) -> None:
        """Look for ever whether enough was written since the last one."""
        while True:
            metrics.JOURNAL_RECORDS.set(self.ledger.journal.sequence)
            if self.ledger.journal.sequence - self._taken >= self.every_records:
                await asyncio.to_thread(self._write, self._next())
            await asyncio.sleep(_LOOK_SECONDS)

    def take(self) -> None:
        """Write one now, if anything happened since the last."""
        if self.ledger.journal.sequence > self._taken:
            self._write(self._next())

    def _next(self) -> Snapshot:
        """Take state and place together; a state never changes, so that it can be written at leisure."""
        snapshot = Snapshot(self.ledger.journal.place, self.ledger.state)
        self._taken = snapshot.place.sequence
        return snapshot

    def _write(self, snapshot: Snapshot) -> None:
        """Write one; without it the next start takes longer, and that is all."""
        try:
            path = write(self.ledger.journal.path.parent, snapshot, self._rules)
        except OSError as error:
            metrics.SNAPSHOTS.labels("failed").inc()
            log.warning("snapshot_failed", sequence=snapshot.place.sequence, reason=str(error))
            return
        metrics.SNAPSHOTS.labels("written").inc()
        log.info("snapshot_written", path=str(path), sequence=snapshot.place.sequence)
