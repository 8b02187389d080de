"""Which denials are written down: so many of a strategy within a window; what is more is counted, and summed up."""

from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.domain.history import later_than
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import DecisionMade
from gpt_trader.risk_gate.domain.shape import Follows
from gpt_trader.risk_gate.domain.state import GateState

_WISHES = frozenset({Purpose.ENTRY, Purpose.EXIT})
_STRATEGIES = 4
"""So many times what one strategy may fill the journal with, all may together: further names cost nothing to invent."""


def is_wish(purpose: Purpose, follows: Follows | None) -> bool:
    """Whether a strategy asked, and not the gate: for its own exits, or for a further step of a wish."""
    return purpose in _WISHES and follows is None


def is_withheld(record: DecisionMade, state: GateState, policy: Policy) -> bool:
    """Whether a decision is a denial too many for the journal; what is approved is none, whatever was denied before."""
    decision, rules = record.decision, policy.escalation
    if decision.verdict is Verdict.APPROVED or not is_wish(record.purpose, record.follows):
        return False
    denials = later_than(state.history.denials, decision.decided_at - rules.strategy_denials_window_seconds)
    own = sum(one.about == decision.signal.strategy for one in denials)
    return own >= rules.strategy_denials or len(denials) >= _STRATEGIES * rules.strategy_denials
