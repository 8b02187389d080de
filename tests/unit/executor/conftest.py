"""Builders for approvals, fills and venue orders that hide what does not matter."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.ids import (
    ClientOrderId,
    DecisionId,
    FillId,
    SignalId,
    VenueOrderId,
    client_order_id,
    intent_id,
)
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.message import GENESIS_HASH, digest
from gpt_trader.contracts.orders import Fill, FillKind, Liquidity
from gpt_trader.contracts.signals import Side

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def approval(number: int = 1, **changes: Any) -> ApprovedIntent:
    cause = intent_id(f"decision-{number}", 1)
    order_id = client_order_id(cause)
    body = json.dumps(
        {
            "client_order_id": order_id,
            "product_id": "BTC-USD",
            "side": "BUY",
            "order_configuration": {"sor_limit_ioc": {"base_size": "1", "limit_price": "100"}},
        }
    )
    fields: dict[str, Any] = {
        "intent_id": cause,
        "client_order_id": order_id,
        "decision_id": DecisionId(f"decision-{number}"),
        "signal_id": SignalId(f"signal-{number}"),
        "strategy": "trend",
        "epoch": 1,
        "stream_sequence": number,
        "previous_hash": GENESIS_HASH,
        "product": "BTC-USD",
        "side": Side.BUY,
        "purpose": Purpose.ENTRY,
        "quantity": Decimal(1),
        "limit_price": Decimal(100),
        "form": OrderForm.LIMIT_IOC,
        "post_only": False,
        "end_time": None,
        "reserved_notional": Decimal(100),
        "mark": Decimal(100),
        "arrival_mark": Decimal(100),
        "policy_version": "1",
        "approved_at": NOW,
        "expires_at": NOW + timedelta(seconds=5),
        "body": body,
        "body_sha256": digest(body.encode()),
    }
    return ApprovedIntent(**{**fields, **changes})


def fill(number: int, **changes: Any) -> Fill:
    fields: dict[str, Any] = {
        "fill_id": FillId(f"entry-{number}"),
        "trade_id": f"trade-{number}",
        "client_order_id": ClientOrderId("order"),
        "venue_order_id": VenueOrderId("venue-order"),
        "intent_id": None,
        "strategy": "trend",
        "product": "BTC-USD",
        "side": Side.BUY,
        "kind": FillKind.FILL,
        "quantity": Decimal(1),
        "price": Decimal(100),
        "fee": Decimal("0.1"),
        "fee_currency": "USD",
        "liquidity": Liquidity.TAKER,
        "occurred_at": NOW,
        "reported_at": NOW,
    }
    return Fill(**{**fields, **changes})


@pytest.fixture(scope="session")
def an_approval() -> Callable[..., ApprovedIntent]:
    return approval


@pytest.fixture(scope="session")
def a_fill() -> Callable[..., Fill]:
    return fill
