"""Everything the gate knows; made only by folding records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from pydantic import TypeAdapter

from gpt_trader.contracts.account import Difference
from gpt_trader.contracts.message import GENESIS_HASH, canonical, digest
from gpt_trader.risk_gate.domain.exposure import Approvals
from gpt_trader.risk_gate.domain.futures.account import FuturesAccount
from gpt_trader.risk_gate.domain.history import History
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.maker import Makers
from gpt_trader.risk_gate.domain.performance import Performance
from gpt_trader.risk_gate.domain.portfolio import Portfolio
from gpt_trader.risk_gate.domain.seen import Apart, Ids, SeenIds
from gpt_trader.risk_gate.domain.trading_state import CauseCode, Causes


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFlatten:
    """An operator's flatten that has not ended; `sequence` is its command's place, `product` None = everything."""

    sequence: int
    product: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedAdoption:
    """An operator's word that the venue's totals of these currencies are right; `sequence` is its command's place."""

    sequence: int
    books: Mapping[str, Decimal]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedInquiry:
    """An operator's wish that the venue's lists decide now what nobody reports; `sequence` is its command's place."""

    sequence: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """The fold of the journal.

    `known_orders` are the client order ids of every approval ever made, `known_terms` the same with product and
    side, `permitted` the body hashes of every permit; `makers` are the wishes that are made before they are taken;
    `strangers` the venue's ids of orders nobody approved, with the cause of the halt that each is, `acknowledged`
    those of them that an operator excused. `order_drifts` counts for how many looks in a row an order has been open
    on one side only, `adopted_at` is when an operator's word settled a currency, `funding_rates` are the newest two
    of each contract.
    """

    portfolio: Portfolio = field(default_factory=Portfolio)
    approvals: Approvals = field(default_factory=Approvals)
    known_orders: Ids = field(default_factory=SeenIds)
    known_terms: Ids = field(default_factory=SeenIds)
    permitted: Ids = field(default_factory=SeenIds)
    signal_ids: Ids = field(default_factory=SeenIds)
    history: History = field(default_factory=History)
    performance: Performance = field(default_factory=Performance)
    causes: Causes = ()
    is_opened: bool = False
    epoch: int = 0
    decisions: int = 0
    decision_head: str = GENESIS_HASH
    intents_sequence: int = 0
    intents_head: str = GENESIS_HASH
    control_sequence: int = 0
    flattens: tuple[WantedFlatten, ...] = ()
    makers: Makers = field(default_factory=dict)
    orders_sequence: int = 0
    fills_sequence: int = 0
    fills: int = 0
    policy_version: str = ""
    policy_document: str = ""
    day: date | None = None
    day_start_equity: Decimal | None = None
    week: date | None = None
    week_start_equity: Decimal | None = None
    peak_equity: Decimal | None = None
    mismatches: int = 0
    futures: FuturesAccount | None = None
    funding: Decimal = ZERO
    funding_rates: Mapping[str, tuple[Decimal, ...]] = field(default_factory=dict)
    funding_ids: Ids = field(default_factory=SeenIds)
    preview_failures: int = 0
    differences: tuple[Difference, ...] = ()
    opened_at: datetime | None = None
    opening_equity: Decimal = Decimal(0)
    reconciled_at: datetime | None = None
    transfer_ids: Ids = field(default_factory=SeenIds)
    strangers: Mapping[str, CauseCode] = field(default_factory=dict)
    acknowledged: Ids = field(default_factory=SeenIds)
    order_drifts: Mapping[str, int] = field(default_factory=dict)
    adoption: WantedAdoption | None = None
    inquiry: WantedInquiry | None = None
    adopted_at: Mapping[str, datetime] = field(default_factory=dict)

    def day_start(self, equity: Decimal, now: datetime) -> Decimal:
        """Return what the UTC day began with: until its first valuation is recorded, `equity` is that valuation."""
        is_begun = self.day is not None and self.day >= now.date()
        return self.day_start_equity if is_begun and self.day_start_equity is not None else equity

    def in_flight(self, since: datetime) -> int:
        """Count the creates let out after `since` that the venue may still accept; older ones have no valid token."""
        return sum(approval.is_in_flight(since) for approval in self.approvals.values())


_STATE = TypeAdapter(GateState)


def fingerprint(state: GateState) -> str:
    """Hash the whole state: two folds of the same records have the same one."""
    return digest(canonical(_STATE.dump_python(state, mode="json")))


def dumped(state: GateState) -> tuple[bytes, tuple[SeenIds, ...]]:
    """Write a state down as JSON that keeps the order of its parts, and its sets of ids beside it."""
    apart = Apart()
    return _STATE.dump_json(state, context=apart), tuple(apart.kept)


def loaded(content: bytes, ids: tuple[SeenIds, ...]) -> GateState:
    """Read back what was dumped; raises ValueError for what is no state of this version."""
    state = _STATE.validate_json(content, context=Apart(list(ids)))
    if dumped(state) != (content, ids):
        raise ValueError("the state does not come back as it was written")
    return state
