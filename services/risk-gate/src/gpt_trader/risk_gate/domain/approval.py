"""From an approving review to the exact bytes the venue will see, and the intent that binds them."""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.ids import ClientOrderId, DecisionId, client_order_id, intent_id
from gpt_trader.contracts.intents import ApprovedIntent, Purpose, TimeInForce
from gpt_trader.contracts.message import digest
from gpt_trader.contracts.signals import Side, Signal
from gpt_trader.risk_gate.domain.increments import plain
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.state import GateState


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an approving review settled."""

    decision_id: DecisionId
    signal: Signal
    purpose: Purpose
    quantity: Decimal
    limit_price: Decimal
    worst_notional: Decimal
    mark: Decimal
    now: datetime


def order_body(client_id: ClientOrderId, product: str, side: Side, quantity: Decimal, limit_price: Decimal) -> str:
    """Spell the create request exactly as `requests` will send the parsed body again."""
    return json.dumps(
        {
            "client_order_id": client_id,
            "product_id": product,
            "side": side.value.upper(),
            "order_configuration": {
                "sor_limit_ioc": {"base_size": plain(quantity), "limit_price": plain(limit_price)},
            },
        }
    )


def approve(terms: Terms, state: GateState, policy: Policy) -> ApprovedIntent:
    """Bind an approval to its body, to this epoch and to its place in the chain of intents."""
    approval_id = intent_id(terms.decision_id, state.epoch)
    order_id = client_order_id(approval_id)
    signal = terms.signal
    body = order_body(order_id, signal.product, signal.side, terms.quantity, terms.limit_price)
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
        limit_price=terms.limit_price,
        time_in_force=TimeInForce.IOC,
        post_only=False,
        end_time=None,
        reserved_notional=terms.worst_notional if signal.side is Side.BUY else Decimal(0),
        mark=terms.mark,
        policy_version=state.policy_version,
        approved_at=terms.now,
        expires_at=terms.now + policy.approvals.expiry_seconds,
        body=body,
        body_sha256=digest(body.encode()),
    )
