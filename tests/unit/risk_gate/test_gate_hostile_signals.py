"""What a strategy or a market could send to hurt the gate itself: ids of others, products of nobody, no sense."""

from datetime import timedelta

import pytest
from gate_builders import (
    BTC,
    NOW,
    D,
    a_book,
    a_market,
    a_policy,
    a_request,
    a_signal,
    a_state,
    a_tick,
    a_watch,
    decided,
    failures,
)
from pydantic import ValidationError

from gpt_trader.contracts.decisions import MarketView
from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.signals import Action
from gpt_trader.risk_gate.domain.flatten import flatten_signal
from gpt_trader.risk_gate.domain.history import MOST_MOMENTS, noted
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.review import review
from gpt_trader.risk_gate.domain.state import GateState

UNSEEN = MarketView(spec=None, tick=None, book=None, feed=None)


def after_asking_for_nonsense(policy: Policy, count: int) -> GateState:
    state = a_state(policy)
    for number in range(count):
        asked = a_signal(signal_id=f"s{number}", product=f"X{number}-USD")
        state, _ = decided(state, policy, a_request(signal=asked, market=UNSEEN, is_in_universe=False))
    return state


@pytest.mark.parametrize("purpose", [Purpose.FLATTEN, Purpose.PROTECTIVE])
def test_nobody_uses_up_the_ids_of_the_gates_own_exits(purpose: Purpose) -> None:
    policy, state = a_policy(), a_state(positions={BTC: ("1", "50000")})
    tick = a_market().tick
    assert tick is not None
    own = flatten_signal(BTC, D(1), tick, f"flatten/1/{state.decisions + 1}", NOW)
    state, _ = decided(state, policy, a_request(signal=a_signal(signal_id=own.signal_id)))

    found = review(a_request(signal=own, purpose=purpose, slice_quantity=D("0.1")), state, policy)

    assert "signal_id_is_first" not in failures(found)


def test_an_id_of_a_strategy_is_refused_for_ever_whatever_it_is_asked_for() -> None:
    policy, state = a_policy(), a_state(positions={BTC: ("1", "50000")})
    state, _ = decided(state, policy, a_request(signal=a_signal(action=Action.EXIT)))

    again = a_request(signal=a_signal(created_at=NOW + timedelta(days=400)), now=NOW + timedelta(days=400))

    assert "signal_id_is_first" in failures(review(again, state, policy))


def test_a_signal_too_long_to_be_published_in_its_decision_is_none() -> None:
    with pytest.raises(ValidationError, match="signal_id"):
        a_signal(signal_id=SignalId("x" * 129))


def test_products_that_nobody_lists_leave_no_causes_behind_and_restrict_nobody_else() -> None:
    state = after_asking_for_nonsense(a_policy(), 20)

    assert state.causes == ()
    assert state.history.infrastructure_denials == ()


def test_nothing_is_remembered_of_a_market_that_was_never_seen() -> None:
    watch = a_watch()

    found = watch.statistics("X1-USD", (BTC,), NOW)

    assert (found.volatility, found.mid_median_60s, found.correlations) == (None, None, {})
    assert watch.memory.products == {}


def test_a_flood_of_denials_is_counted_up_to_a_bound() -> None:
    moments = noted((), NOW, BTC)
    for _ in range(MOST_MOMENTS + 5):
        moments = noted(moments, NOW, BTC)

    assert len(moments) == MOST_MOMENTS


def test_a_book_that_is_crossed_for_minutes_tells_nothing_and_ends_nothing() -> None:
    watch = a_watch()
    for minute in range(5):
        watch.memory.on_book(a_book(bid="50010", ask="50000", at=NOW - timedelta(minutes=minute)))
        watch.memory.on_tick(a_tick())

    assert watch.statistics(BTC, (), NOW).spread_median_bps is None


def test_prices_that_are_no_prices_are_a_move_beyond_all_limits_and_end_nothing() -> None:
    watch = a_watch()
    watch.memory.on_tick(a_tick(bid="1E-30", ask="1E-30", at=NOW - timedelta(seconds=5)))
    watch.memory.on_tick(a_tick())

    move = watch.statistics(BTC, (), NOW).move_5m

    assert move is not None
    assert move > a_policy("demo").breakers.move_fraction
