"""The gate's part: its journal folded again, each record that follows from others made again and re-chained."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.message import GENESIS_HASH, canonical, digest
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.lab.domain.comparison import Comparison, Divergence, Findings, differences, ids
from gpt_trader.lab.domain.derivation import Before, NotAllowed, again
from gpt_trader.lab.domain.strategy import Signals
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import DecisionMade, FillReported, OrderReported, PolicyAdopted, Record, parse
from gpt_trader.risk_gate.domain.spelling import Spelling
from gpt_trader.risk_gate.domain.state import GateState

SERVICE = "risk-gate"
_OWN = frozenset({Purpose.PROTECTIVE, Purpose.FLATTEN})
"""Purposes whose signal the gate itself makes."""


class Journaled(Protocol):
    """One entry of a hash-chained journal."""

    @property
    def sequence(self) -> int: ...  # noqa: D102 - from 1
    @property
    def kind(self) -> str: ...  # noqa: D102 - repeated in the payload
    @property
    def payload(self) -> Any: ...  # noqa: ANN401, D102 - the record as JSON
    @property
    def previous(self) -> str: ...  # noqa: D102 - hash of the entry before
    @property
    def hash(self) -> str: ...  # noqa: D102 - over all of the above


@dataclass(slots=True, kw_only=True)
class GateReplay:
    """Takes the journal entry by entry.

    Each record is judged on the recorded ones before it, so that one divergence does not hide or multiply others;
    only `head` goes on from what was replayed.
    """

    signals: Signals
    spelling: Spelling
    state: GateState = field(default_factory=GateState)
    policy: Policy | None = None
    head: str = GENESIS_HASH
    recorded_head: str = GENESIS_HASH
    records: int = 0
    derived: int = 0
    intents: dict[ClientOrderId, ApprovedIntent] = field(default_factory=dict)
    reports: list[OrderEvent | Fill] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)

    def take(self, entry: Journaled) -> None:
        """Make one record again from all before it, and fold it; raises pydantic.ValidationError for an unknown one."""
        record = parse(entry.payload)
        replayed = self._replayed(entry, record)
        own_hash = linked(entry, replayed, entry.previous)
        if own_hash != entry.hash:
            self._note(entry, "the record is not what its inputs give", replayed)
        self.head = own_hash if self.head == entry.previous else linked(entry, replayed, self.head)
        self.recorded_head = entry.hash
        self.records += 1
        self._fold(record)

    def compared(self, notes: Iterable[str]) -> Comparison:
        """Conclude after the last entry."""
        given = f"{self.derived} records made again, {self.records - self.derived} are inputs taken as recorded"
        return Comparison(
            service=SERVICE,
            inputs=self.records,
            outputs=self.derived,
            compared=self.records,
            diverged=self.findings.count,
            first=self.findings.first,
            recorded_hash=self.recorded_head,
            replayed_hash=self.head,
            fingerprint=self.head,
            notes=(*notes, given),
        )

    def _replayed(self, entry: Journaled, record: Record) -> Record:
        if isinstance(record, DecisionMade) and record.purpose not in _OWN and record.follows is None:
            decision = record.decision
            signal = self.signals.taken(decision.signal, decision.decided_at)
            record = record.model_copy(update={"decision": decision.model_copy(update={"signal": signal})})
        try:
            before = Before(state=self.state, policy=self.policy, intents=self.intents, spelling=self.spelling)
            made = again(record, before)
        except NotAllowed as refusal:
            self._note(entry, str(refusal), None)
            return record
        self.derived += made is not None
        return made or record

    def _fold(self, record: Record) -> None:
        self.state = evolve(self.state, record)
        match record:
            case PolicyAdopted():
                self.policy = Policy.model_validate_json(record.document)
            case OrderReported():
                self.reports.append(record.event)
            case FillReported():
                self.reports.append(record.fill)
            case DecisionMade(intent=ApprovedIntent() as intent):
                self.intents[intent.client_order_id] = intent
            case _:
                pass

    def _note(self, entry: Journaled, reason: str, replayed: Record | None) -> None:
        found = () if replayed is None else differences(entry.payload, replayed.model_dump(mode="json"))
        place = f"record {entry.sequence} {entry.kind}"
        self.findings.add(Divergence(place=place, ids=ids(entry.payload), reason=reason, differences=found))


def linked(entry: Journaled, payload: object, previous: str) -> str:
    """Return the hash that a journal gives to this payload in this entry's place behind `previous`."""
    return digest(canonical({"seq": entry.sequence, "kind": entry.kind, "payload": payload, "prev": previous}))
