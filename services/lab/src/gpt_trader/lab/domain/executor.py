"""The executor's part: its journal folded again, and its reports held against those the gate took in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.message import GENESIS_HASH
from gpt_trader.executor.domain.ledger import Ledger, message_id, said_before
from gpt_trader.executor.domain.order import IllegalTransition, Report
from gpt_trader.executor.domain.records import IntentSeen, Recalled, Record, parse
from gpt_trader.lab.domain.comparison import Comparison, Divergence, Findings, chained, differences, ids
from gpt_trader.lab.domain.gate import Journaled

SERVICE = "executor"


@dataclass(slots=True, kw_only=True)
class ExecutorReplay:
    """Takes the journal entry by entry. `intents` are what the gate approved, `received` what it was told."""

    intents: Mapping[ClientOrderId, ApprovedIntent]
    received: dict[str, Report]
    ledger: Ledger = field(default_factory=Ledger)
    inputs: int = 0
    outputs: int = 0
    untold: int = 0
    fingerprint: str = GENESIS_HASH
    recorded_hash: str = GENESIS_HASH
    replayed_hash: str = GENESIS_HASH
    findings: Findings = field(default_factory=Findings)

    def take(self, entry: Journaled) -> None:
        """Fold one record and compare what it reports; raises pydantic.ValidationError for an unknown one."""
        record = parse(entry.payload)
        self.inputs += 1
        place = f"record {entry.sequence} {entry.kind}"
        if isinstance(record, IntentSeen | Recalled):
            self._compare_intent(record.intent, place)
        if isinstance(record, Recalled):
            self._leave_out(record)
        for report in self._reported(record, place):
            self._compare_report(report, place)

    def compared(self, notes: Iterable[str]) -> Comparison:
        """Conclude after the last entry: what the gate took in and nobody reported is a divergence, too."""
        compared = self.outputs - self.untold
        for report in self.received.values():
            reason = "the gate took in a report that the replayed executor does not make"
            self._note(f"report {message_id(report)}", reason, report, None)
            self.recorded_hash = chained(self.recorded_hash, report.encode())
        said = (*notes, f"{self.untold} reports were not taken in by the gate") if self.untold else tuple(notes)
        return Comparison(
            service=SERVICE,
            inputs=self.inputs,
            outputs=self.outputs,
            compared=compared,
            diverged=self.findings.count,
            first=self.findings.first,
            recorded_hash=self.recorded_hash,
            replayed_hash=self.replayed_hash,
            fingerprint=self.fingerprint,
            notes=said,
        )

    def _reported(self, record: Record, place: str) -> tuple[Report, ...]:
        try:
            return self.ledger.apply(record)
        except IllegalTransition as refusal:
            self.findings.add(Divergence(place=place, ids={}, reason=f"the executor would not record this: {refusal}"))
            return ()

    def _compare_intent(self, intent: ApprovedIntent, place: str) -> None:
        made = self.intents.get(intent.client_order_id)
        if made is None:
            self._note(place, "the executor took an intent that the gate never approved", intent, None)
        elif made != intent:
            self._note(place, "the executor took another intent than the gate approved", intent, made)

    def _leave_out(self, record: Recalled) -> None:
        """Ask of this journal no report that was made before it."""
        for name in said_before(record):
            self.received.pop(name, None)

    def _compare_report(self, report: Report, place: str) -> None:
        self.outputs += 1
        content = report.encode()
        self.fingerprint = chained(self.fingerprint, content)
        told = self.received.pop(message_id(report), None)
        if told is None:
            self.untold += 1
            return
        self.recorded_hash = chained(self.recorded_hash, told.encode())
        self.replayed_hash = chained(self.replayed_hash, content)
        if told.encode() != content:
            self._note(place, "the gate was told something else than the replayed executor reports", told, report)

    def _note(
        self, place: str, reason: str, recorded: Report | ApprovedIntent, replayed: Report | ApprovedIntent | None
    ) -> None:
        before = recorded.model_dump(mode="json")
        found = () if replayed is None else differences(before, replayed.model_dump(mode="json"))
        self.findings.add(Divergence(place=place, ids=ids(before), reason=reason, differences=found))


def by_message_id(reports: Iterable[Report]) -> dict[str, Report]:
    """Name each report as the executor named it on the bus."""
    return {message_id(report): report for report in reports}
