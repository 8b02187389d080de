"""The gate's verdicts: every check with its value and limit, chained by hash."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gpt_trader.contracts.ids import DecisionId, IntentId
from gpt_trader.contracts.market import BookSummary, FeedStatus, ProductSpec, ProductTerms, Tick
from gpt_trader.contracts.message import Amount, Hash, Instant, Message, NonNegative, Positive, Product, Remark
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
    """One factor or cap of the size, the notional after it, and what it came from; a cap has no factor."""

    step: str
    notional: Decimal
    factor: Decimal | None = None
    detail: str = ""


class Regime(StrEnum):
    """What the market of a product is doing; unknown while there are too few candles to say."""

    BULL = "bull"
    BEAR = "bear"
    CHOP = "chop"
    CRASH = "crash"
    UNKNOWN = "unknown"


class MarketStatistics(Message):
    """What the gate has measured of a product's market until the decision; None = unknown, which never loosens.

    Volatility is a fraction per day, `volatility_median` that of its own past over `volatility_samples` values;
    `correlations` is keyed by the other products that are held or ordered, and lacks what is unknown.
    """

    volatility: NonNegative | None
    volatility_median: NonNegative | None
    volatility_samples: Annotated[int, Field(ge=0)]
    move_5m: NonNegative | None
    mid_median_60s: Positive | None
    volume_5m_notional: NonNegative | None
    spread_median_bps: NonNegative | None
    depth_median_notional: NonNegative | None
    correlations: Mapping[Product, Annotated[Amount, Field(ge=-1, le=1)]]
    regime: Regime


class MarketView(Message):
    """What the gate saw of the market when it decided; None = never seen, which denies entries.

    `spec` is market-data's word on the product, `terms` the venue's own.
    """

    spec: ProductSpec | None
    tick: Tick | None
    book: BookSummary | None
    feed: FeedStatus | None
    statistics: MarketStatistics | None = None
    terms: ProductTerms | None = None


class Decision(Message):
    """A verdict on one signal, explainable from this record alone.

    `step` is its place among the orders of a wish that is made before it is taken; None = the wish has one order.
    """

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
    step: int | None = None
    decided_at: Instant
    previous_hash: Hash
    hash: Hash

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """Every check that objected."""
        return tuple(check for check in self.checks if check.outcome is Outcome.FAILED)
