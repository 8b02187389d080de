"""Every position has a live exit authority: who closes what, and when the gate does it itself."""

from datetime import timedelta
from typing import Any

import pytest
from gate_builders import (
    BTC,
    FUTURE,
    NOW,
    D,
    a_fill,
    a_market,
    a_policy,
    a_request,
    a_signal,
    a_spec,
    a_state,
    a_tick,
    an_order_event,
    approved,
    decided,
    failures,
    with_event,
    with_fill,
)

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import Tier
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Side
from gpt_trader.risk_gate.domain.consequences import halted, paused, reduce_only
from gpt_trader.risk_gate.domain.flatten import targets
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.hearing import Hearing
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.protection import (
    Ground,
    Watch,
    breached,
    due_exits,
    orphaned,
    orphans,
    protective_signal,
    stop_of,
)
from gpt_trader.risk_gate.domain.records import CauseRaised
from gpt_trader.risk_gate.domain.review import review
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode

POLICY = a_policy()
SECOND = timedelta(seconds=1)
LONG_SILENCE = timedelta(seconds=60)


def holding_btc(policy: Policy = POLICY, **plan: Any) -> GateState:
    """Hold one entry with stop 46000."""
    state, intent = approved(a_state(policy), policy, a_request(signal=a_signal(**plan)))
    return with_event(
        with_fill(state, a_fill(intent, intent.quantity, price=D(50000))),
        an_order_event(intent, OrderStatus.FILLED, filled_quantity=intent.quantity),
    )


def at_bid(bid: str, **changes: Any) -> dict[str, Any]:
    tick = a_tick(bid=bid, ask=str(D(bid) + 10))
    return {BTC: a_market(tick=tick, **changes)}


def a_watch(markets: dict[str, Any], *, silent: timedelta = SECOND, breach: timedelta | None = None) -> Watch:
    hearing, breaches = Hearing({0: NOW - silent}), {} if breach is None else {BTC: breach}
    return Watch(markets=markets, hearing=hearing, breached_for=breaches, wall=NOW, now=NOW)


def grounds(state: GateState, watch: Watch, policy: Policy = POLICY) -> list[Ground]:
    return [due.ground for due in due_exits(state, watch, policy)]


@pytest.mark.parametrize(("bid", "is_reached"), [("46000.01", False), ("46000", True), ("45999.99", True)])
def test_a_stop_is_reached_by_the_bid(bid: str, *, is_reached: bool) -> None:
    assert (BTC in breached(holding_btc(), at_bid(bid), POLICY, NOW)) is is_reached


@pytest.mark.parametrize(("ask", "is_reached"), [("53999.99", False), ("54000", True)])
def test_the_stop_of_a_short_position_is_reached_by_the_ask(ask: str, *, is_reached: bool) -> None:
    short = a_state(positions={FUTURE: ("-1", "50000")})
    markets = {FUTURE: a_market(tick=a_tick(bid="49000", ask=ask))}

    assert (FUTURE in breached(short, markets, POLICY, NOW)) is is_reached


@pytest.mark.parametrize("purpose", [Purpose.EXIT, Purpose.FLATTEN, Purpose.PROTECTIVE])
def test_spot_books_below_zero_are_never_corrected_by_buying(purpose: Purpose) -> None:
    wrong = a_state(POLICY, positions={BTC: ("-0.1", "50000")})
    buy = a_request(signal=a_signal(action=Action.EXIT, side=Side.BUY), purpose=purpose)

    assert "side_fits_action" in failures(review(buy, wrong, POLICY))
    assert not breached(wrong, at_bid("60000"), POLICY, NOW)
    assert targets(wrong, None) == ()


def test_a_position_without_a_stop_gets_the_policys() -> None:
    state = holding_btc(stop_price=None)

    assert stop_of(state.portfolio.holdings[BTC], POLICY) == D(46000)
    assert BTC in breached(state, at_bid("46000"), POLICY, NOW)


def test_a_stale_price_reaches_no_stop() -> None:
    old = a_tick(bid="40000", ask="40010", at=NOW - POLICY.marks.stale_seconds - SECOND)

    assert not breached(holding_btc(), {BTC: a_market(tick=old)}, POLICY, NOW)


def test_a_living_strategy_is_left_its_stop_for_the_grace_and_a_silent_one_is_not() -> None:
    state, grace = holding_btc(), POLICY.protection.stop_grace_seconds
    silence = POLICY.protection.strategy_silent_seconds
    markets = at_bid("45000")

    assert grounds(state, a_watch(markets, breach=grace - SECOND)) == []
    assert grounds(state, a_watch(markets, breach=grace)) == [Ground.STOP]
    assert grounds(state, a_watch(markets, breach=timedelta(0), silent=silence - SECOND)) == []
    assert grounds(state, a_watch(markets, breach=timedelta(0), silent=silence)) == [Ground.STOP]


def test_a_silent_strategy_alone_closes_nothing_unless_the_policy_says_so() -> None:
    state, markets = holding_btc(), at_bid("50000")
    closing = a_policy(protection__flattens_abandoned=True, protection__abandoned_seconds=60)

    assert grounds(state, a_watch(markets, silent=timedelta(days=2))) == []
    assert grounds(state, a_watch(markets, silent=LONG_SILENCE - SECOND), closing) == []
    assert grounds(state, a_watch(markets, silent=LONG_SILENCE), closing) == [Ground.ABANDONED]


@pytest.mark.parametrize(("tier", "expected"), [(Tier.T1, []), (Tier.T2, []), (Tier.T3, [Ground.MAX_HOLD])])
def test_only_a_tier_with_a_longest_hold_is_closed_by_age(tier: Tier, expected: list[Ground]) -> None:
    limit = timedelta(hours=72)
    held = a_state(positions={BTC: ("1", "50000")}, at=NOW - limit)
    younger = a_state(positions={BTC: ("1", "50000")}, at=NOW - limit + SECOND)
    markets = at_bid("50000", spec=a_spec(tier=tier))

    assert grounds(held, a_watch(markets)) == expected
    assert grounds(younger, a_watch(markets)) == []


def test_an_exit_in_flight_is_never_joined_by_a_second_one() -> None:
    state, watch = holding_btc(), a_watch(at_bid("45000"), silent=LONG_SILENCE, breach=SECOND)
    (due,) = due_exits(state, watch, POLICY)
    market = watch.markets[BTC]
    assert market.tick is not None
    request = a_request(
        signal=protective_signal(due, market.tick, "protect/1", NOW), purpose=Purpose.PROTECTIVE, market=market
    )

    state, intent = approved(state, POLICY, request)

    assert intent.quantity == due.position
    assert grounds(state, watch) == []
    canceled = an_order_event(intent, OrderStatus.CANCELED, filled_quantity=D("0.01"))
    assert grounds(with_event(state, canceled), watch) == [], "its reported fill has not arrived"
    after = with_fill(with_event(state, canceled), a_fill(intent, "0.01"))
    (again,) = due_exits(after, watch, POLICY)
    assert again.position == due.position - D("0.01")


@pytest.mark.parametrize(
    ("cause", "acts"),
    [
        (reduce_only(CauseCode.OPERATOR_REDUCE_ONLY, "", NOW), True),
        (paused(CauseCode.OPERATOR_PAUSE, "", BTC, NOW, NOW + LONG_SILENCE), True),
        (halted(CauseCode.KILL, "", NOW), False),
    ],
    ids=["reduce-only", "paused", "halted"],
)
def test_the_gate_protects_in_every_state_but_halted(cause: Any, *, acts: bool) -> None:
    state = evolve(holding_btc(), CauseRaised(cause=cause, at=NOW))

    found = grounds(state, a_watch(at_bid("45000"), silent=LONG_SILENCE, breach=SECOND))

    assert found == ([Ground.STOP] if acts else [])


def test_a_protective_exit_passes_where_an_ordinary_one_is_denied_and_names_its_reason() -> None:
    """A crash widens the spread beyond what an ordinary exit may pay for (G9, skipped by G21)."""
    state = holding_btc()
    market = a_market(tick=a_tick(bid="45000", ask="46000"))
    watch = a_watch({BTC: market}, silent=LONG_SILENCE, breach=SECOND)
    (due,) = due_exits(state, watch, POLICY)
    assert market.tick is not None
    signal = protective_signal(due, market.tick, "protect/1", NOW)

    ordinary = review(a_request(signal=signal, market=market, purpose=Purpose.EXIT), state, POLICY)
    protective = review(a_request(signal=signal, market=market, purpose=Purpose.PROTECTIVE), state, POLICY)

    assert "spread_is_within_hard_limit" in failures(ordinary)
    assert protective.verdict is Verdict.APPROVED
    assert (signal.strategy, signal.side) == ("risk-gate", Side.SELL)
    assert signal.reason.startswith("stop: 46000")


def test_the_same_look_gives_the_same_decision() -> None:
    state, watch = holding_btc(), a_watch(at_bid("45000"), silent=LONG_SILENCE, breach=SECOND)
    market = watch.markets[BTC]
    assert market.tick is not None

    once, again = (
        decided(
            state,
            POLICY,
            a_request(
                signal=protective_signal(next(due_exits(state, watch, POLICY)), market.tick, "protect/1", NOW),
                purpose=Purpose.PROTECTIVE,
                market=market,
            ),
        )[1]
        for _ in range(2)
    )

    assert once == again


def test_dust_that_the_venue_would_not_take_is_left_alone() -> None:
    dust = a_state(positions={BTC: ("0.000009", "50000")})
    watch = a_watch(at_bid("40000"), silent=LONG_SILENCE, breach=LONG_SILENCE)

    assert grounds(dust, watch) == []
    assert not orphans(dust, {BTC: a_market(tick=None)}, POLICY, NOW)


@pytest.mark.parametrize("blind", [{"tick": None}, {"spec": None}, {"tick": a_tick(at=NOW - timedelta(minutes=5))}])
def test_a_position_that_nothing_could_close_restricts_its_product_until_it_can_be(blind: dict[str, Any]) -> None:
    state = holding_btc()

    found = orphans(state, {BTC: a_market(**blind)}, POLICY, NOW)
    (raised,) = orphaned(state, found, NOW)
    restricted = evolve(state, raised)
    (cleared,) = orphaned(restricted, orphans(restricted, at_bid("50000"), POLICY, NOW), NOW)

    assert isinstance(raised, CauseRaised)
    assert (raised.cause.product, raised.cause.status) == (BTC, TradingStatus.REDUCE_ONLY)
    assert orphaned(restricted, found, NOW) == ()
    assert evolve(restricted, cleared).causes == state.causes
