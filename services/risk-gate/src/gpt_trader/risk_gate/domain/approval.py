"""From an approving review to the exact bytes the venue will see, and the intent that binds them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.ids import DecisionId, client_order_id, intent_id
from gpt_trader.contracts.intents import ApprovedIntent, CancelIntent, Purpose
from gpt_trader.contracts.market import ProductSpec
from gpt_trader.contracts.message import digest
from gpt_trader.contracts.signals import Signal
from gpt_trader.risk_gate.domain.exposure import Approval
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.shape import Shape
from gpt_trader.risk_gate.domain.spelling import Spelling, Ticket
from gpt_trader.risk_gate.domain.state import GateState


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an approving review settled; a `stop_price` makes it an order that waits at the venue."""

    decision_id: DecisionId
    signal: Signal
    purpose: Purpose
    quantity: Decimal
    contract_size: Decimal | None
    increment: Decimal
    limit_price: Decimal
    stop_price: Decimal | None
    shape: Shape
    worst_notional: Decimal
    mark: Decimal
    arrival_mark: Decimal
    now: datetime


def contract_size_of(spec: ProductSpec | None) -> Decimal | None:
    """Return how much of the base currency one contract stands for; None for spot."""
    return None if spec is None or spec.future is None else spec.future.contract_size


def spelled_quantity(quantity: Decimal, contract_size: Decimal | None) -> Decimal:
    """Return a base quantity as the venue wants it written: futures count contracts."""
    return quantity if contract_size is None else quantity / contract_size


def approve(terms: Terms, state: GateState, policy: Policy, spelling: Spelling) -> ApprovedIntent:
    """Bind an approval to its body, to this epoch and to its place in the chain of intents."""
    approval_id = intent_id(terms.decision_id, state.epoch)
    order_id = client_order_id(approval_id)
    signal = terms.signal
    body = spelling.create(_ticket(terms), order_id)
    return ApprovedIntent(
        intent_id=approval_id,
        client_order_id=order_id,
        decision_id=terms.decision_id,
        signal_id=signal.signal_id,
        strategy=signal.strategy,
        epoch=state.epoch,
        stream_sequence=state.intents_sequence + 1,
        previous_hash=state.intents_head,
        product=signal.product,
        side=signal.side,
        purpose=terms.purpose,
        quantity=terms.quantity,
        contract_size=terms.contract_size,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        form=terms.shape.form,
        post_only=terms.shape.post_only,
        end_time=terms.shape.end_time,
        reserved_notional=terms.worst_notional if terms.purpose.is_entry else Decimal(0),
        mark=terms.mark,
        arrival_mark=terms.arrival_mark,
        policy_version=state.policy_version,
        approved_at=terms.now,
        expires_at=terms.now + policy.approvals.expiry_seconds,
        body=body,
        body_sha256=digest(body.encode()),
    )


def _ticket(terms: Terms) -> Ticket:
    return Ticket(
        product=terms.signal.product,
        side=terms.signal.side,
        quantity=spelled_quantity(terms.quantity, terms.contract_size),
        increment=terms.increment,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        shape=terms.shape,
        now=terms.now,
    )


def withdraw(approval: Approval, reason: str, state: GateState, now: datetime) -> CancelIntent:
    """Ask for the end of an order; asking again is another intent with the same effect."""
    sequence = state.intents_sequence + 1
    return CancelIntent(
        intent_id=intent_id(f"cancel/{approval.client_order_id}/{sequence}", state.epoch),
        epoch=state.epoch,
        stream_sequence=sequence,
        previous_hash=state.intents_head,
        product=approval.product,
        client_order_id=approval.client_order_id,
        venue_order_id=approval.venue_order_id,
        reason=reason,
        approved_at=now,
    )
