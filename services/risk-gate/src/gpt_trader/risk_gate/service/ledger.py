"""The journal and the state that is its fold: nothing changes here that is not on disk first."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.gate import folded
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import PolicyAdopted, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import standing
from gpt_trader.runtime import logs
from gpt_trader.runtime.clock import Clock
from gpt_trader.runtime.journal import Journal

log = logs.get("risk-gate")


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Holds the one mutable state of the gate. `halted` and `changed` wake those who must act on a change.

    `create_life` is the real time after its permit in which the venue may still accept a create.
    """

    journal: Journal
    policy: Policy
    clock: Clock
    create_life: timedelta
    state: GateState = field(default_factory=GateState)
    halted: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def replay(self) -> int:
        """Fold what the journal holds, and adopt the policy if it is another one; returns the number of records."""
        self.state = folded((records.parse(entry.payload) for entry in self.journal.entries()), GateState())
        count = self.journal.sequence
        if self.state.policy_version != self.policy.version():
            document = self.policy.document()
            self.commit(PolicyAdopted(version=self.policy.version(), document=document, at=self.clock.now()))
        return count

    def commit(self, *entries: Record) -> None:
        """Write records to disk, then let them take effect; what can't be folded is never written."""
        if not entries:
            return
        before = self.status()
        after_entries = folded(entries, self.state)
        self.journal.append_all([(record.kind, record) for record in entries])
        self.state = after_entries
        after = self.status()
        if after is not before:
            log.warning("trading_state_changed", before=before.value, after=after.value, causes=self.codes())
            if after is TradingStatus.HALTED:
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

    def codes(self) -> tuple[str, ...]:
        """Name the global causes that hold now."""
        return standing(self.state.causes, None, self.clock.now()).codes
