"""Worlds for properties: a state with a past and a request that some limit may object to, at any moment."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache

from gate_builders import BTC, ETH, NOW, D, a_book, a_market, a_policy, a_request, a_signal, a_state, a_tick, decided
from hypothesis import strategies as st

from gpt_trader.contracts.signals import Action
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.state import GateState

PAST = a_policy("demo")
"""The policy under which a world's past was decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What a world is made of; times are ages, so that it can be made at any moment."""

    cash: str
    held: str | None
    past_seconds: int | None
    half_spread: int
    market_seconds: int
    signal_seconds: int
    is_exit: bool
    confidence: Decimal
    reference_price: int
    depth: str


lots = st.builds(
    Lot,
    cash=st.sampled_from(["300", "5000", "100000", "3000000"]),
    held=st.sampled_from([None, "0.01", "0.2"]),
    past_seconds=st.sampled_from([None, 1, 29, 61, 400, 1000, 3000]),
    half_spread=st.integers(1, 60).map(lambda fives: fives * 5),
    market_seconds=st.integers(0, 40),
    signal_seconds=st.integers(0, 29),
    is_exit=st.booleans(),
    confidence=st.decimals(min_value=0, max_value=1, places=1),
    reference_price=st.integers(49000, 51000),
    depth=st.sampled_from(["500", "20000", "900000"]),
)


def world(lot: Lot, at: datetime = NOW) -> tuple[Request, GateState]:
    """Make the request and the state of a lot at a moment."""
    state = _past(lot.cash, lot.held, lot.past_seconds, at)
    bid, ask = str(50000 - lot.half_spread), str(50000 + lot.half_spread)
    seen = at - timedelta(seconds=lot.market_seconds)
    signal = a_signal(
        action=Action.EXIT if lot.held and lot.is_exit else Action.ENTER,
        confidence=lot.confidence,
        created_at=at - timedelta(seconds=lot.signal_seconds),
        reference_price=D(lot.reference_price),
    )
    tick, book = a_tick(bid=bid, ask=ask, at=seen), a_book(bid=bid, ask=ask, depth=lot.depth, at=seen)
    marks = {ETH: D(3000)} if state.approvals else {}
    return a_request(signal=signal, market=a_market(at=at, tick=tick, book=book), marks=marks, now=at), state


@cache
def _past(cash: str, held: str | None, seconds: int | None, now: datetime) -> GateState:
    """Open the books an hour ago, and have a signal on another product decided some seconds ago; made once each."""
    positions = {} if held is None else {BTC: (held, "50000")}
    state = a_state(PAST, cash=cash, positions=positions, at=now - timedelta(hours=1))
    if seconds is None:
        return state
    at, marks = now - timedelta(seconds=seconds), dict.fromkeys(positions, D(50000))
    signal = a_signal(signal_id="past", product=ETH, created_at=at, reference_price=D(3000))
    tick, book = a_tick(ETH, "2999.7", "3000.3", at), a_book(ETH, "2999.7", "3000.3", at=at)
    market = a_market(ETH, at=at, tick=tick, book=book)
    return decided(state, PAST, a_request(signal=signal, market=market, now=at, marks=marks))[0]


worlds = lots.map(world)
