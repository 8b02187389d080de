"""One re-judging: the gate's journal folded once, each decision of the span reviewed under the other policy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson
from pydantic import ValidationError

from gpt_trader.contracts.ids import DecisionId
from gpt_trader.lab.adapters import feedback, journals
from gpt_trader.lab.adapters.journals import JournalFile
from gpt_trader.lab.adapters.reasons import reason_of
from gpt_trader.lab.domain.comparison import differences
from gpt_trader.lab.domain.outcomes import Outcomes
from gpt_trader.lab.domain.rejudgement import Comparing, Rejudgement, priced
from gpt_trader.lab.ports import Unreadable
from gpt_trader.learning.domain.counterfactuals import Counterfactual
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import PolicyAdopted, Record, parse
from gpt_trader.risk_gate.domain.replay import rejudged

_ELSEWHERE = (
    "escalation.",
    "approvals.",
    "flatten.",
    "reconcile.",
    "marks.stale_pause_seconds",
    "marks.hard_stale_seconds",
)
"""Limits that act before or after a verdict, so that no verdict shows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Times of decisions from `start` up to before `end`; None = from the first, to the last."""

    start: datetime | None
    end: datetime | None

    def contains(self, at: datetime) -> bool:
        """Whether a decision of this time is asked about."""
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


@dataclass(slots=True)
class _Read:
    """What is picked up from the journal beside the decisions, before and after the span as well."""

    journal: JournalFile
    outcomes: Outcomes = field(default_factory=Outcomes)
    documents: dict[str, str] = field(default_factory=dict)

    def records(self) -> Iterator[Record]:
        """Yield the records in order; raises Unreadable."""
        for entry in self.journal.entries():
            try:
                record = parse(entry.payload)
            except ValidationError as error:
                raise Unreadable(self.journal.path, entry.sequence, reason_of(error)) from error
            self.outcomes.take(record)
            if isinstance(record, PolicyAdopted):
                self.documents[record.version] = record.document
            yield record


def rejudgement(run_dir: Path, policy: Policy, span: Span) -> Rejudgement:
    """Review a run's recorded decisions under another policy, each in the state that really was; raises Unreadable."""
    read = _Read(journals.opened(run_dir / "risk-gate" / "journal" / "gate.jsonl"))
    comparing = Comparing()
    for one in rejudged(read.records(), policy):
        if span.contains(one.decision.decided_at):
            comparing.take(one)
    followed, missing = _followed(run_dir / "learning" / "store", comparing.newly_approved())
    versions = tuple(comparing.policies)
    document = read.documents[versions[-1]] if versions else policy.document()
    limits = differences(orjson.loads(document), orjson.loads(policy.document()))
    notes = (*read.journal.notes(), *missing, *_unseen([limit.field for limit in limits]))
    return Rejudgement(
        decisions=comparing.decisions,
        changes=priced(comparing.changes, read.outcomes.by_intent(), followed),
        recorded_hash=comparing.recorded_hash,
        rejudged_hash=comparing.rejudged_hash,
        recorded_policies=versions,
        policy=policy.version(),
        limits=limits,
        notes=notes,
    )


def _followed(
    store_dir: Path, wanted: tuple[DecisionId, ...]
) -> tuple[Mapping[DecisionId, Counterfactual], tuple[str, ...]]:
    """Look up what would have come of denied entries; without a store nothing is known, and that is said."""
    if not wanted:
        return {}, ()
    if not store_dir.is_dir():
        return {}, (f"{store_dir}: no learning store, so the money of newly approved entries is unknown",)
    return feedback.counterfactuals(store_dir, wanted), ()


def _unseen(limits: list[str]) -> Iterator[str]:
    unseen = ", ".join(name for name in limits if name.startswith(_ELSEWHERE))
    if unseen:
        yield f"these limits act outside of a verdict, so that their change shows nothing here: {unseen}"
