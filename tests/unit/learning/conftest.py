"""Builders that hide what a test does not care about; amounts are given as text."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.market import Candle, CandleOrigin, Tick
from gpt_trader.contracts.message import GENESIS_HASH
from gpt_trader.contracts.orders import Fill
from gpt_trader.learning.domain.records import Place

START = datetime(2025, 3, 1, 12, tzinfo=UTC)


def _after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def _tick(price: str, seconds: float = 0, product: str = "BTC-USD") -> Tick:
    return Tick.model_validate(
        {
            "product": product,
            "bid": price,
            "ask": price,
            "bid_quantity": "1",
            "ask_quantity": "1",
            "last_price": price,
            "sequence": 1,
            "occurred_at": _after(seconds),
            "received_at": _after(seconds),
        }
    )


def _candle(prices: tuple[str, str, str, str], seconds: float) -> Candle:
    opened, high, low, closed = map(Decimal, prices)
    return Candle(
        product="BTC-USD",
        interval="15s",
        start=_after(seconds),
        open=opened,
        high=high,
        low=low,
        close=closed,
        volume=Decimal(1),
        origin=CandleOrigin.STREAM,
        published_at=_after(seconds + 15),
    )


def _fill(number: int, side: str, quantity: str, price: str, **fields: Any) -> Fill:
    return Fill.model_validate(
        {
            "fill_id": f"fill-{number}",
            "trade_id": f"trade-{number}",
            "client_order_id": "order",
            "venue_order_id": "venue-order",
            "intent_id": None,
            "strategy": "trend",
            "product": "BTC-USD",
            "side": side,
            "kind": "fill",
            "quantity": quantity,
            "price": price,
            "fee": "0",
            "fee_currency": "USD",
            "liquidity": "taker",
            "occurred_at": _after(number),
            "reported_at": _after(number),
            **fields,
        }
    )


def _decision(number: int = 1, **fields: Any) -> Decision:
    signal = {
        "signal_id": f"signal-{number}",
        "strategy": "trend",
        "product": "BTC-USD",
        "action": fields.pop("action", "enter"),
        "side": fields.pop("side", "buy"),
        "confidence": "0.7",
        "reference_price": fields.pop("reference_price", "100"),
        "stop_price": fields.pop("stop_price", None),
        "target_price": fields.pop("target_price", None),
        "reason": fields.pop("reason", "crossed"),
        "evidence": {},
        "parameters_version": "1",
        "caused_by": "candle",
        "created_at": START,
        "expires_at": _after(60),
    }
    mark, failed = fields.pop("mark", None), fields.pop("failed", ())
    return Decision.model_validate(
        {
            "decision_id": f"decision-{number}",
            "sequence": number,
            "epoch": 1,
            "product": "BTC-USD",
            "signal": signal,
            "verdict": "denied" if failed else "approved",
            "checks": [
                {"check": name, "rule": "G1", "outcome": "failed", "value": "1", "limit": "0", "unit": ""}
                for name in failed
            ],
            "sizing": [],
            "quantity": "0",
            "notional": "0",
            "limit_price": None,
            "market": {"spec": None, "tick": _tick(mark).model_dump() if mark else None, "book": None, "feed": None},
            "account": {},
            "policy_version": "1",
            "trading_state": "active",
            "intent_id": None if failed else f"intent-{number}",
            "decided_at": START,
            "previous_hash": GENESIS_HASH,
            "hash": GENESIS_HASH,
            **fields,
        }
    )


@pytest.fixture(scope="session")
def after() -> Callable[[float], datetime]:
    return _after


@pytest.fixture(scope="session")
def a_tick() -> Callable[..., Tick]:
    return _tick


@pytest.fixture(scope="session")
def a_candle() -> Callable[..., Candle]:
    return _candle


@pytest.fixture(scope="session")
def a_fill() -> Callable[..., Fill]:
    return _fill


@pytest.fixture(scope="session")
def a_decision() -> Callable[..., Decision]:
    return _decision


@pytest.fixture(scope="session")
def place() -> Callable[[int], Place]:
    return lambda sequence: Place(stored_at=_after(sequence), sequence=sequence)
