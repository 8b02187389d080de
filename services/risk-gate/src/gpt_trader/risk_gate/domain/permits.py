"""One permit per approval, ever: the last decision before an order leaves for the venue."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gpt_trader.contracts.ids import ClientOrderId, IntentId
from gpt_trader.contracts.intents import Purpose


class Refusal(StrEnum):
    """The closed set of reasons the executor must understand."""

    NO_MATCHING_APPROVAL = "no_matching_approval"
    PERMIT_ALREADY_ISSUED = "permit_already_issued"
    EXPIRED = "expired"
    TRADING_STATE = "trading_state"
    PRICE_MOVED = "price_moved"
    EPOCH = "epoch"
    RATE_BUDGET = "rate_budget"
    DRY_RUN = "dry_run"


class PermitOutcome(StrEnum):
    """What became of the create that a permit let out."""

    ANSWERED = "answered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitIssued:
    """Exactly this body may go to the venue now, once."""

    intent_id: IntentId
    client_order_id: ClientOrderId
    product: str
    purpose: Purpose
    body_sha256: str
    issued_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitRefused:
    """Nothing may be sent; the reason is what the executor is told."""

    reason: Refusal
