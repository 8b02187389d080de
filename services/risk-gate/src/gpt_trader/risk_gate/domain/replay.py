"""The journal's decisions judged again by other limits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gpt_trader.contracts.decisions import Decision
from gpt_trader.risk_gate.domain.decide import request_of
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import DecisionMade, Record
from gpt_trader.risk_gate.domain.review import Review, review
from gpt_trader.risk_gate.domain.state import GateState


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A recorded decision beside what another policy would have said."""

    decision: Decision
    review: Review


def rejudged(records: Iterable[Record], policy: Policy) -> Iterator[Rejudged]:
    """Review each recorded request under another policy, in the state that really was."""
    state = GateState()
    for record in records:
        if isinstance(record, DecisionMade):
            yield Rejudged(record.decision, review(request_of(record), state, _answerable(record, policy)))
        state = evolve(state, record)


def _answerable(record: DecisionMade, policy: Policy) -> Policy:
    """Leave out the question to the venue where it was not asked: what it would have said is not on record."""
    if record.preview is not None or not policy.preview.is_asked:
        return policy
    return policy.model_copy(update={"preview": policy.preview.model_copy(update={"is_asked": False})})
