"""The gate's verdicts: every check with its value and limit, chained by hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from gpt_trader.contracts.ids import DecisionId, IntentId
from gpt_trader.contracts.market import BookSummary, FeedStatus, ProductSpec, Tick
from gpt_trader.contracts.message import Amount, Hash, Instant, Message, Product, Remark
from gpt_trader.contracts.signals import Signal


class Outcome(StrEnum):
    """What a check found; `skipped` only where SPEC says the check does not apply (exits, flatten)."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One row of a verdict: what was measured against which limit."""

    check: str
    rule: str
    outcome: Outcome
    value: str
    limit: str
    unit: str
    detail: str = ""


class Verdict(StrEnum):
    """The gate's answer."""

    APPROVED = "approved"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class SizingStep:
    """One factor of the size and the notional after it."""

    step: str
    notional: Decimal


class MarketView(Message):
    """What the gate saw of the market when it decided; None = never seen, which denies entries."""

    spec: ProductSpec | None
    tick: Tick | None
    book: BookSummary | None
    feed: FeedStatus | None


class Decision(Message):
    """A verdict on one signal, explainable from this record alone."""

    decision_id: DecisionId
    sequence: int
    epoch: int
    product: Product
    signal: Signal
    verdict: Verdict
    checks: tuple[CheckResult, ...]
    sizing: tuple[SizingStep, ...]
    quantity: Amount
    notional: Amount
    limit_price: Amount | None
    market: MarketView
    account: Mapping[str, Remark]
    policy_version: str
    trading_state: str
    intent_id: IntentId | None
    decided_at: Instant
    previous_hash: Hash
    hash: Hash

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """Every check that objected."""
        return tuple(check for check in self.checks if check.outcome is Outcome.FAILED)
