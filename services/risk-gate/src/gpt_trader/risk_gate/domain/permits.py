"""One permit per approval, ever: the last decision before an order leaves for the venue."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gpt_trader.contracts.ids import ClientOrderId, IntentId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import Tick
from gpt_trader.risk_gate.domain.exposure import Approval, open_exits
from gpt_trader.risk_gate.domain.increments import BPS, ZERO
from gpt_trader.risk_gate.domain.maker import exceeds
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.pricing import is_fresh
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import allows, standing


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


def permitted(
    body_sha256: str, state: GateState, policy: Policy, tick: Tick | None, now: datetime
) -> PermitIssued | PermitRefused:
    """Let out exactly this body, if it was approved, never let out before, and everything still stands."""
    if body_sha256 in state.permitted:
        return PermitRefused(reason=Refusal.PERMIT_ALREADY_ISSUED)
    approval = next((kept for kept in state.approvals.values() if kept.body_sha256 == body_sha256), None)
    if approval is None or not approval.is_stored:
        return PermitRefused(reason=Refusal.NO_MATCHING_APPROVAL)
    refusal = _refusal(approval, state, policy, tick, now)
    if refusal is not None:
        return PermitRefused(reason=refusal)
    return PermitIssued(
        intent_id=approval.intent_id,
        client_order_id=approval.client_order_id,
        product=approval.product,
        purpose=approval.purpose,
        body_sha256=body_sha256,
        issued_at=now,
    )


def _refusal(approval: Approval, state: GateState, policy: Policy, tick: Tick | None, now: datetime) -> Refusal | None:
    if approval.epoch != state.epoch:
        return Refusal.EPOCH
    if now >= approval.expires_at or (approval.status is not None and approval.status.is_terminal):
        return Refusal.EXPIRED
    if approval.purpose.is_entry and _is_outgrown(approval, state):
        return Refusal.EXPIRED
    if not allows(standing(state.causes, approval.product, now).status, approval.purpose):
        return Refusal.TRADING_STATE
    if not approval.purpose.is_entry and not _reduces(approval, state):
        return Refusal.TRADING_STATE
    return Refusal.PRICE_MOVED if _has_moved(approval, policy, tick, now) else None


def _is_outgrown(approval: Approval, state: GateState) -> bool:
    """Whether an entry's size is within limits that hold no longer, or above what its wish still lacks."""
    return approval.policy_version != state.policy_version or exceeds(state.makers, approval)


def _reduces(approval: Approval, state: GateState) -> bool:
    """Whether the position still holds all that open exits may take: it may have shrunk since they were approved."""
    position = state.portfolio.quantity(approval.product)
    exits = open_exits(state.approvals.of(approval.product))
    return position * approval.side.sign < ZERO and exits <= abs(position)


def _has_moved(approval: Approval, policy: Policy, tick: Tick | None, now: datetime) -> bool:
    """Whether the mark has left the collar around the limit; unseen or stale, an entry's price has moved.

    An exit is held back only by a mark far on its losing side, a stop by a market that has reached it already.
    """
    if tick is None or not is_fresh(tick, now, policy, policy.marks.stale_seconds):
        return approval.purpose.is_entry
    if approval.trigger_price is not None:
        return (approval.trigger_price - tick.mid) * approval.side.sign <= ZERO
    adverse = (approval.limit_price - tick.mid) * approval.side.sign / tick.mid * BPS
    distance = abs(adverse) if approval.purpose.is_entry else max(adverse, Decimal(0))
    return distance > policy.approvals.permit_collar_bps
