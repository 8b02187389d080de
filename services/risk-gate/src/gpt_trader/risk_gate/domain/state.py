"""Everything the gate knows; made only by folding records."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from pydantic import TypeAdapter

from gpt_trader.contracts.message import GENESIS_HASH, canonical, digest
from gpt_trader.risk_gate.domain.exposure import Approvals
from gpt_trader.risk_gate.domain.history import History
from gpt_trader.risk_gate.domain.portfolio import Portfolio
from gpt_trader.risk_gate.domain.seen import Ids, SeenIds
from gpt_trader.risk_gate.domain.trading_state import Causes


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFlatten:
    """An operator's flatten that has not ended; `sequence` is its command's place, `product` None = everything."""

    sequence: int
    product: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """The fold of the journal.

    `known_orders` are the client order ids of every approval ever made, `known_terms` the same with product and side,
    `permitted` the body hashes of every permit.
    """

    portfolio: Portfolio = field(default_factory=Portfolio)
    approvals: Approvals = field(default_factory=dict)
    known_orders: Ids = field(default_factory=SeenIds)
    known_terms: Ids = field(default_factory=SeenIds)
    permitted: Ids = field(default_factory=SeenIds)
    signal_ids: Ids = field(default_factory=SeenIds)
    history: History = field(default_factory=History)
    causes: Causes = ()
    is_opened: bool = False
    epoch: int = 0
    decisions: int = 0
    decision_head: str = GENESIS_HASH
    intents_sequence: int = 0
    intents_head: str = GENESIS_HASH
    control_sequence: int = 0
    flattens: tuple[WantedFlatten, ...] = ()
    orders_sequence: int = 0
    fills_sequence: int = 0
    fills: int = 0
    policy_version: str = ""
    policy_document: str = ""
    day: date | None = None
    day_start_equity: Decimal | None = None
    peak_equity: Decimal | None = None
    mismatches: int = 0

    def in_flight(self, since: datetime) -> int:
        """Count the creates let out after `since` that the venue may still accept; older ones have no valid token."""
        return sum(approval.is_in_flight(since) for approval in self.approvals.values())


_STATE = TypeAdapter(GateState)


def fingerprint(state: GateState) -> str:
    """Hash the whole state: two folds of the same records have the same one."""
    return digest(canonical(_STATE.dump_python(state, mode="json")))
