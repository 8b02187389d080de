"""The journal and the state that is its fold: nothing changes here that is not on disk first."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import ValidationError

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.decide import Written
from gpt_trader.risk_gate.domain.gate import folded
from gpt_trader.risk_gate.domain.policy import Policy, version_of
from gpt_trader.risk_gate.domain.policy_changes import changes
from gpt_trader.risk_gate.domain.records import PolicyAdopted, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import halting, standing
from gpt_trader.runtime import logs
from gpt_trader.runtime.clock import Clock
from gpt_trader.runtime.journal import Journal

log = logs.get("risk-gate")


def _nobody(_first: int, _entries: Sequence[Record]) -> None:
    """Tell nobody."""


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Holds the one mutable state of the gate. `halted` and `changed` wake those who must act on a change.

    Each further cause of a halt sets `halted` again: a kill takes back the stops that a failing venue was left with.

    `tell` hears of each record that is on disk, with the number of the first of them; it must not wait for anything.
    `create_life` is the real time after its permit in which the venue may still accept a create. `state` is at first
    what the records before the place where the journal was opened have made.
    """

    journal: Journal
    policy: Policy
    clock: Clock
    create_life: timedelta
    tell: Callable[[int, Sequence[Record]], None] = _nobody
    state: GateState = field(default_factory=GateState)
    halted: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def replay(self) -> int:
        """Fold what the journal holds after the state it was opened at, and adopt the policy if it is another one.

        Returns the number of records that were folded.
        """
        self.state = folded((records.parse(entry.payload) for entry in self.journal.entries()), self.state)
        count = self.journal.sequence - self.journal.since.sequence
        version = self.policy.version()
        if self.state.policy_version != version:
            log.warning("policy_adopted", version=version, changed=self._changed_since(self.state))
            self.adopt(self.policy)
        return count

    def adopt(self, policy: Policy) -> None:
        """Record that these limits hold from here on, and let them hold."""
        document = policy.document()
        self.commit(PolicyAdopted(version=version_of(document), document=document, at=self.clock.now()))
        self.policy = policy

    def _changed_since(self, state: GateState) -> list[str]:
        """Say what this policy changes over the one that held before the restart."""
        if not state.policy_document:
            return ["the first policy"]
        try:
            before = Policy.model_validate_json(state.policy_document)
        except ValidationError:
            return [f"{state.policy_version} had other kinds of limits"]
        return [one.spelled() for one in changes(before, self.policy)]

    def commit(self, *entries: Record) -> None:
        """Write records to disk, then let them take effect; what can't be folded is never written."""
        if entries:
            self._commit(entries, [(record.kind, record) for record in entries])

    def commit_decision(self, written: Written) -> None:
        """Do the same with a decision, in the form that it was hashed in."""
        self._commit((written.record,), [(written.record.kind, written.payload())])

    def _commit(self, entries: Sequence[Record], payloads: Sequence[tuple[str, object]]) -> None:
        before, halts = self.status(), self._halts()
        after_entries = folded(entries, self.state)
        self.journal.append_all(payloads)
        self.state = after_entries
        self.tell(self.journal.sequence - len(entries) + 1, entries)
        after = self.status()
        if after is not before:
            log.warning("trading_state_changed", before=before.value, after=after.value, causes=self.codes())
        if self._halts() - halts:
            self.halted.set()
        self.changed.set()
        self._moved.set()

    async def until(self, holds: Callable[[GateState], bool], seconds: float) -> bool:
        """Wait until a state makes `holds` true; False if that took longer than `seconds` of real time."""
        try:
            async with asyncio.timeout(seconds):
                while not holds(self.state):
                    if self._moved.is_set():
                        self._moved = asyncio.Event()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    def in_flight(self) -> int:
        """Count the creates that the venue may still accept."""
        return self.state.in_flight(self.clock.now() - self.clock.stretch(self.create_life))

    def status(self) -> TradingStatus:
        """Return the global trading state that holds now."""
        return standing(self.state.causes, None, self.clock.now()).status

    def _halts(self) -> frozenset[str]:
        return halting(self.state.causes, self.clock.now())

    def codes(self) -> tuple[str, ...]:
        """Name the global causes that hold now."""
        return standing(self.state.causes, None, self.clock.now()).codes
