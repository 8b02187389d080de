"""Builders that hide what a test does not care about: a healthy market, a policy, a funded gate."""

from collections import deque
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import gpt_trader.risk_gate
from gpt_trader.contracts.decisions import CheckResult, MarketStatistics, MarketView, Outcome, Regime
from gpt_trader.contracts.ids import ClientOrderId, FillId, IntentId, SignalId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.market import (
    BookDepth,
    BookSummary,
    FeedState,
    FeedStatus,
    ProductSpec,
    ProductTerms,
    Tick,
    Tier,
)
from gpt_trader.contracts.orders import Fill, FillKind, Liquidity, OrderEvent, OrderStatus
from gpt_trader.contracts.signals import Action, Side, Signal
from gpt_trader.risk_gate.adapters.coinbase_bodies import CoinbaseBodies
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.decide import decide
from gpt_trader.risk_gate.domain.exposure import Exposure, worst_case
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.memory import MarketMemory
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import value as valued
from gpt_trader.risk_gate.domain.records import (
    DecisionMade,
    EpochClaimed,
    FillReported,
    IntentStored,
    Marked,
    Opened,
    OpeningPosition,
    OrderReported,
    PolicyAdopted,
)
from gpt_trader.risk_gate.domain.review import Review, review
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch

SPELLING = CoinbaseBodies()
D = Decimal
NOW = datetime(2026, 11, 18, 14, 30, tzinfo=UTC)
BTC = "BTC-USD"
ETH = "ETH-USD"
FUTURE = "BIT-25DEC26-CDE"
ZERO_HASH = "0" * 64
CREATE_LIFE = timedelta(seconds=22)
POLICIES = Path(gpt_trader.risk_gate.__file__).parent / "policies"


@dataclass(slots=True)
class FixedClock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def wall(self) -> datetime:
        return self.at

    def stretch(self, wall: timedelta) -> timedelta:
        return wall


def policy_document(profile: str = "prod") -> dict[str, Any]:
    return deepcopy(_shipped(profile))


@cache
def _shipped(profile: str) -> dict[str, Any]:
    return yaml.safe_load((POLICIES / f"{profile}.yaml").read_text())


@cache
def _policy(profile: str) -> Policy:
    document = policy_document(profile)
    document["preview"]["is_asked"] = False
    document["execution"] |= {"style": "taker", "amends": False}
    return Policy.model_validate(document)


_SPELLED: deque[tuple[Policy, str, str]] = deque(maxlen=16)


def _spelled_out(policy: Policy) -> tuple[str, str]:
    """Return version and document; those of the last policies are kept, for properties ask thousands of times."""
    for kept, version, document in _SPELLED:
        if kept is policy:
            return version, document
    _SPELLED.append((policy, policy.version(), policy.document()))
    return _SPELLED[-1][1:]


def with_limit(policy: Policy, path: str, value: Decimal) -> Policy:
    """Change one `section__key` without looking at the rest again: for properties, where it is the cost."""
    section, _, key = path.partition("__")
    changed = dict(policy)[section].model_copy(update={key: value})
    return policy.model_copy(update={section: changed})


def a_policy(profile: str = "prod", **changes: object) -> Policy:
    """Make a policy that takes, amends and asks the venue nothing; changes are spelled `section__key=value`."""
    if not changes:
        return _policy(profile)
    document = policy_document(profile)
    document["preview"]["is_asked"] = False
    document["execution"] |= {"style": "taker", "amends": False}
    for path, value in changes.items():
        section, _, key = path.partition("__")
        if key:
            document[section][key] = value
        else:
            document[section] = value
    return Policy.model_validate(document)


def a_spec(product: str = BTC, **changes: object) -> ProductSpec:
    fields = {
        "product": product,
        "base_currency": product.split("-", maxsplit=1)[0],
        "quote_currency": product.split("-")[1],
        "kind": "spot",
        "base_increment": D("0.00000001"),
        "price_increment": D("0.01"),
        "base_min_size": D("0.00001"),
        "base_max_size": D(3400),
        "quote_min_size": D(1),
        "is_disabled": False,
        "is_cancel_only": False,
        "is_limit_only": False,
        "is_post_only": False,
        "is_auction": False,
        "tier": Tier.T1,
        "volume_24h_notional": D(900_000_000),
    }
    return ProductSpec.model_validate(fields | changes)


def the_terms(spec: ProductSpec, **changes: object) -> ProductTerms:
    """Say as the venue what market-data says, and take no fee."""
    return ProductTerms.model_validate({**dict(spec), "taker_rate": D(0), **changes})


def a_tick(product: str = BTC, bid: str = "49995", ask: str = "50005", at: datetime = NOW) -> Tick:
    return Tick(
        product=product,
        bid=D(bid),
        ask=D(ask),
        bid_quantity=D(2),
        ask_quantity=D(2),
        last_price=D(bid),
        sequence=7,
        occurred_at=at,
        received_at=at,
    )


def a_book(
    product: str = BTC, bid: str = "49995", ask: str = "50005", depth: str = "500000", at: datetime = NOW
) -> BookSummary:
    bands = tuple(
        BookDepth(within_bps=bps, bid_notional=D(depth) * share, ask_notional=D(depth) * share)
        for bps, share in ((10, D("0.4")), (50, D(1)), (100, D(2)))
    )
    return BookSummary(
        product=product,
        bid=D(bid),
        ask=D(ask),
        bid_quantity=D("0.01"),
        ask_quantity=D("0.01"),
        depth=bands,
        sequence=7,
        occurred_at=at,
        received_at=at,
    )


def a_feed(product: str = BTC, state: FeedState = FeedState.CLEAN, at: datetime = NOW) -> FeedStatus:
    return FeedStatus(
        product=product, state=state, reason="", since=at, last_message_at=at, gaps=0, reconnects=0, published_at=at
    )


def statistics(**changes: object) -> MarketStatistics:
    """Make those of a calm market at 50 000; what is not given is as healthy as can be."""
    fields = {
        "volatility": D("0.02"),
        "volatility_median": D("0.02"),
        "volatility_samples": 100,
        "move_5m": D("0.001"),
        "mid_median_60s": D(50000),
        "volume_5m_notional": D(10_000_000),
        "spread_median_bps": D(2),
        "depth_median_notional": D(500_000),
        "correlations": {},
        "regime": Regime.CHOP,
    }
    return MarketStatistics.model_validate(fields | changes)


def a_watch(policy: Policy | None = None) -> MarketWatch:
    policy = policy or a_policy()
    return MarketWatch(MarketMemory(policy.statistics, policy.prices.depth_within_bps))


def a_market(product: str = BTC, at: datetime = NOW, **changes: object) -> MarketView:
    """Make a healthy market; its last minute was where its tick is."""
    tick = changes.get("tick", a_tick(product, at=at))
    spec = changes.get("spec", a_spec(product))
    view = {
        "spec": a_spec(product),
        "terms": the_terms(spec) if isinstance(spec, ProductSpec) else None,
        "tick": a_tick(product, at=at),
        "book": a_book(product, at=at),
        "feed": a_feed(product, at=at),
        "statistics": statistics(mid_median_60s=tick.mid if isinstance(tick, Tick) else D(50000)),
    }
    return MarketView.model_validate(view | changes)


def a_signal(**changes: object) -> Signal:
    at = changes.get("created_at", NOW)
    assert isinstance(at, datetime)
    action = changes.get("action", Action.ENTER)
    fields = {
        "signal_id": SignalId("signal-1"),
        "strategy": "trend",
        "product": BTC,
        "action": action,
        "side": Side.BUY if action is Action.ENTER else Side.SELL,
        "confidence": D(1),
        "reference_price": D(50000),
        "stop_price": D(46000),
        "target_price": D(57500),
        "reason": "breakout",
        "evidence": {"rsi": D("61.5")},
        "parameters_version": "1",
        "caused_by": "candle",
        "created_at": at,
        "expires_at": at + timedelta(seconds=30),
    }
    return Signal.model_validate(fields | changes)


def a_request(**changes: Any) -> Request:
    signal = changes.pop("signal", None) or a_signal()
    now = changes.pop("now", NOW)
    fields: dict[str, Any] = {
        "signal": signal,
        "purpose": Purpose.ENTRY if signal.action is Action.ENTER else Purpose.EXIT,
        "market": a_market(signal.product, at=now),
        "marks": {},
        "is_in_universe": True,
        "slice_quantity": None,
        "preview": None,
        "now": now,
    }
    return Request(**(fields | changes))


def a_state(
    policy: Policy | None = None,
    cash: str = "100000",
    positions: Mapping[str, tuple[str, str]] | None = None,
    at: datetime = NOW - timedelta(hours=1),
) -> GateState:
    """Make a gate that has opened its books; positions are product -> (quantity, mark)."""
    policy = policy or a_policy()
    held = tuple(
        OpeningPosition(product=product, quantity=D(quantity), mark=D(mark))
        for product, (quantity, mark) in (positions or {}).items()
    )
    version, document = _spelled_out(policy)
    equity = D(cash) + sum((position.quantity * position.mark for position in held), D(0))
    state = GateState()
    for record in (
        PolicyAdopted(version=version, document=document, at=at),
        Opened(cash={"USD": D(cash)}, positions=held, at=at),
        EpochClaimed(epoch=1, intents_sequence=1, intents_head=ZERO_HASH, at=at),
        Marked(equity=equity, marks={}, at=at),
    ):
        state = evolve(state, record)
    return state


def exposed(state: GateState, marks: Mapping[str, Decimal]) -> Exposure:
    """Take stock of what a gate has at risk; every held product needs its mark."""
    valuation = valued(state.portfolio, marks, "USD")
    assert valuation is not None
    return worst_case(valuation.worths, state.approvals, marks)


def a_review(state: GateState | None = None, policy: Policy | None = None, **changes: Any) -> Review:
    policy = policy or a_policy()
    return review(a_request(**changes), state or a_state(policy), policy)


def failures(found: Review) -> dict[str, CheckResult]:
    return {check.rule: check for check in found.checks() if check.outcome is Outcome.FAILED}


def decided(state: GateState, policy: Policy, request: Request) -> tuple[GateState, DecisionMade]:
    record = decide(request, state, policy, SPELLING)
    return evolve(state, record), record


def approved(state: GateState, policy: Policy, request: Request) -> tuple[GateState, ApprovedIntent]:
    """Decide and store; fails the test if the request is denied."""
    state, record = decided(state, policy, request)
    assert record.intent is not None, list(record.decision.failures)
    stored = IntentStored(
        client_order_id=record.intent.client_order_id,
        stream_sequence=record.intent.stream_sequence,
        payload_sha256=ZERO_HASH,
        at=request.now,
    )
    return evolve(state, stored), record.intent


def approved_on(ledger: Ledger) -> ApprovedIntent:
    record = decide(a_request(), ledger.state, ledger.policy, SPELLING)
    assert record.intent is not None, record.decision.failures
    order_id = record.intent.client_order_id
    ledger.commit(record, IntentStored(client_order_id=order_id, stream_sequence=2, payload_sha256=ZERO_HASH, at=NOW))
    return record.intent


def a_fill(intent: ApprovedIntent, quantity: str | Decimal, number: int = 1, **changes: object) -> Fill:
    fields = {
        "fill_id": FillId(f"{intent.client_order_id}:{number}"),
        "trade_id": f"{intent.client_order_id}:{number}",
        "client_order_id": intent.client_order_id,
        "venue_order_id": VenueOrderId("venue-1"),
        "intent_id": intent.intent_id,
        "strategy": intent.strategy,
        "product": intent.product,
        "side": intent.side,
        "kind": FillKind.FILL,
        "quantity": D(quantity),
        "price": intent.mark,
        "fee": D(0),
        "fee_currency": "USD",
        "liquidity": Liquidity.TAKER,
        "occurred_at": intent.approved_at,
        "reported_at": intent.approved_at,
    }
    return Fill.model_validate(fields | changes)


def a_trade(
    side: Side,
    quantity: str | Decimal,
    price: str | Decimal,
    *,
    number: int = 1,
    product: str = BTC,
    fee: str | Decimal = "0",
    kind: FillKind = FillKind.FILL,
    trade: str | None = None,
) -> Fill:
    return Fill(
        fill_id=FillId(f"fill-{number}"),
        trade_id=trade or f"trade-{number}",
        client_order_id=ClientOrderId(f"order-{number}"),
        venue_order_id=VenueOrderId(f"venue-{number}"),
        intent_id=IntentId(f"intent-{number}"),
        strategy="trend",
        product=product,
        side=side,
        kind=kind,
        quantity=D(quantity),
        price=D(price),
        fee=D(fee),
        fee_currency="USD",
        liquidity=Liquidity.TAKER,
        occurred_at=NOW,
        reported_at=NOW,
    )


def with_fill(state: GateState, fill: Fill, **changes: Any) -> GateState:
    return evolve(
        state, FillReported(fill=fill, sequence=0, is_slippage=False, raised=(), at=fill.occurred_at, **changes)
    )


def an_order_event(intent: ApprovedIntent, status: OrderStatus, revision: int = 1, **changes: object) -> OrderEvent:
    fields = {
        "client_order_id": intent.client_order_id,
        "revision": revision,
        "venue_order_id": VenueOrderId("venue-1"),
        "intent_id": intent.intent_id,
        "strategy": intent.strategy,
        "product": intent.product,
        "side": intent.side,
        "purpose": intent.purpose,
        "quantity": intent.quantity,
        "limit_price": intent.limit_price,
        "status": status,
        "filled_quantity": D(0),
        "average_price": None,
        "fees": D(0),
        "reason": "",
        "occurred_at": intent.approved_at,
        "reported_at": intent.approved_at,
    }
    return OrderEvent.model_validate(fields | changes)


def with_event(state: GateState, event: OrderEvent) -> GateState:
    return evolve(state, OrderReported(event=event, sequence=0, raised=(), at=event.reported_at))
