"""What the bus published against what the gate's journal says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gpt_trader.contracts.account import TradingState
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.message import Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of the journal; `decision` only where it holds one."""

    sequence: int
    hash: Hash
    decision: Decision | None


def differences(
    journal: Sequence[Record], published: Sequence[Decision], witnesses: Iterable[TradingState]
) -> list[str]:
    """Name everything in which the bus contradicts the journal; both must be of the same moment or the bus older."""
    return [*_rewritten(journal, witnesses), *_altered(journal, published)]


def _rewritten(journal: Sequence[Record], witnesses: Iterable[TradingState]) -> list[str]:
    """Compare with every length and head that the gate ever said in public."""
    hashes = {record.sequence: record.hash for record in journal}
    said = [witness for witness in witnesses if witness.records > 0]
    longest = max((witness.records for witness in said), default=0)
    problems = [
        f"record {witness.records} is not the one that the gate named at {witness.published_at.isoformat()}"
        for witness in said
        if witness.records in hashes and hashes[witness.records] != witness.head_hash
    ]
    if longest > len(journal):
        problems.append(f"the journal ends at record {len(journal)}, but the gate had already written {longest}")
    return problems


def _altered(journal: Sequence[Record], published: Sequence[Decision]) -> list[str]:
    decisions = [record.decision for record in journal if record.decision is not None]
    known: Mapping[int, Decision] = {decision.sequence: decision for decision in decisions}
    problems = [
        f"decision {decision.decision_id} on the bus is not what the journal holds (record {decision.sequence})"
        for decision in published
        if known.get(decision.sequence) != decision
    ]
    seen = {decision.sequence for decision in published}
    first, last = min(seen, default=0), max(seen, default=0)
    problems += [
        f"decision {decision.decision_id} of the journal was never published"
        for decision in decisions
        if decision.sequence not in seen and first < decision.sequence < last
    ]
    order = [decision.sequence for decision in published]
    if order != sorted(order):
        problems.append("decisions on the bus are not in the journal's order")
    return problems
