"""The journal's decisions made again: the same inputs must give the same bytes, or another policy's verdicts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.message import canonical
from gpt_trader.risk_gate.domain.decide import decide, request_of
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import DecisionMade, Record
from gpt_trader.risk_gate.domain.review import Review, review
from gpt_trader.risk_gate.domain.state import GateState


class NotReproduced(Exception):
    """A recorded decision is not what its inputs give; the message names the decision and both hashes."""


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A recorded decision beside what another policy would have said."""

    decision: Decision
    review: Review


def replayed(records: Iterable[Record]) -> GateState:
    """Fold the records, deciding each decision anew; raises NotReproduced at the first that differs."""
    state = GateState()
    policy: Policy | None = None
    adopted = ""
    for record in records:
        if state.policy_version != adopted:
            policy, adopted = Policy.model_validate_json(state.policy_document), state.policy_version
        if isinstance(record, DecisionMade):
            _require_same(record, state, policy)
        state = evolve(state, record)
    return state


def rejudged(records: Iterable[Record], policy: Policy) -> Iterator[Rejudged]:
    """Review each recorded request under another policy, in the state that really was."""
    state = GateState()
    for record in records:
        if isinstance(record, DecisionMade):
            yield Rejudged(record.decision, review(request_of(record), state, policy))
        state = evolve(state, record)


def _require_same(record: DecisionMade, state: GateState, policy: Policy | None) -> None:
    if policy is None:
        raise NotReproduced(f"decision {record.decision.sequence}: no policy was adopted before it")
    again = decide(request_of(record), state, policy)
    if canonical(again) != canonical(record):
        recorded, recomputed = record.decision.hash, again.decision.hash
        raise NotReproduced(f"decision {record.decision.sequence}: recorded {recorded}, recomputed {recomputed}")
