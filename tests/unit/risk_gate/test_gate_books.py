"""Sweeps, reconciliation, flatten slices, and what the gate says of itself."""

from dataclasses import replace
from datetime import timedelta

import pytest
from gate_builders import (
    BTC,
    ETH,
    NOW,
    ZERO_HASH,
    D,
    a_book,
    a_fill,
    a_market,
    a_policy,
    a_request,
    a_signal,
    a_spec,
    a_state,
    a_tick,
    a_watch,
    an_order_event,
    approved,
    with_event,
    with_fill,
)

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import Outcome
from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Side
from gpt_trader.risk_gate.domain.external import foreign
from gpt_trader.risk_gate.domain.flatten import flatten_signal, slice_of, targets
from gpt_trader.risk_gate.domain.gate import evolve, folded
from gpt_trader.risk_gate.domain.reconcile import compared, opening, unpriced
from gpt_trader.risk_gate.domain.review import review
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.sweeps.passing import run_out
from gpt_trader.risk_gate.domain.trading_state import CauseCode, standing
from gpt_trader.risk_gate.domain.venue import Balance, VenueOrder
from gpt_trader.risk_gate.domain.views import Standing, account, trading_state

POLICY = a_policy()


def balance(currency: str, total: str) -> Balance:
    return Balance(currency=currency, total=D(total), hold=D(0))


def an_order(client_order_id: str) -> VenueOrder:
    return VenueOrder(
        client_order_id=ClientOrderId(client_order_id),
        venue_order_id=VenueOrderId("v"),
        product=BTC,
        side=Side.BUY,
        status=OrderStatus.OPEN,
        quantity=D("0.001"),
        filled_quantity=D(0),
        limit_price=D(1),
        observed_at=NOW,
    )


def status(state: GateState) -> TradingStatus:
    return standing(state.causes, None, NOW).status


def test_the_first_balances_are_adopted_at_their_marks_and_the_rest_is_not_ours() -> None:
    balances = (balance("USD", "1000"), balance("BTC", "0.1"), balance("PEPE", "5"), balance("ETH", "0"))

    state = evolve(GateState(), opening(balances, {BTC: D(50000)}, POLICY, NOW))

    assert state.portfolio.cash == {"USD": D(1000)}
    assert set(state.portfolio.holdings) == {BTC}
    assert state.portfolio.holdings[BTC].average_price == D(50000)
    assert unpriced(balances, {}, POLICY) == (BTC, "PEPE-USD")


@pytest.mark.parametrize(
    ("usd", "btc", "is_equal"),
    [("1000", "0.1", True), ("1000.01", "0.1", True), ("1000.02", "0.1", False), ("1000", "0.10003", False)],
)
def test_books_agree_within_the_tolerance(usd: str, btc: str, *, is_equal: bool) -> None:
    state = a_state(cash="1000", positions={BTC: ("0.1", "50000")})

    found = compared(state, (balance("USD", usd), balance("BTC", btc)), {BTC: D(50000)}, POLICY, NOW)

    assert (len(found) == 1 and found[0].encode().find(b'"is_equal":true') > 0) is is_equal


def test_the_second_mismatch_in_a_row_goes_reduce_only_and_one_alone_does_not() -> None:
    wrong, right = (balance("USD", "995"),), (balance("USD", "1000"),)
    state = a_state(cash="1000")

    once = folded(compared(state, wrong, {}, POLICY, NOW), state)
    healed = folded(compared(once, right, {}, POLICY, NOW), once)
    again = folded(compared(healed, wrong, {}, POLICY, NOW), healed)
    twice = folded(compared(again, wrong, {}, POLICY, NOW), again)

    assert [status(one) for one in (once, healed, again)] == [TradingStatus.ACTIVE] * 3
    assert status(twice) is TradingStatus.REDUCE_ONLY


def test_an_order_at_the_venue_that_was_never_approved_halts_and_our_own_does_not() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())

    assert foreign(state, (an_order(intent.client_order_id),), NOW) == ()
    assert status(folded(foreign(state, (an_order("theirs"), an_order("")), NOW), state)) is TradingStatus.HALTED


def test_an_own_order_is_known_for_ever() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    state = with_event(state, an_order_event(intent, OrderStatus.CANCELED))

    assert foreign(state, (an_order(intent.client_order_id),), NOW) == ()


def test_an_approval_without_a_permit_is_voided_once_it_expired() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())

    early, late = (run_out(state, intent.expires_at - timedelta(microseconds=1)), run_out(state, intent.expires_at))

    assert early == ()
    assert not folded(late, state).approvals


def test_a_flatten_is_sliced_by_the_visible_depth_and_never_below_a_minimum_order() -> None:
    market = a_market(book=a_book(depth="50000"), spec=a_spec(base_min_size=D("0.01")))
    thin = a_market(book=None, tick=a_tick().model_copy(update={"bid_quantity": D("0.001")}), spec=market.spec)

    assert slice_of(market, POLICY, Side.SELL) == D("0.2")
    assert slice_of(thin, POLICY, Side.SELL) == D("0.01")
    assert slice_of(a_market(tick=None), POLICY, Side.SELL) is None


def test_slices_close_a_position_completely_while_halted() -> None:
    policy = a_policy()
    state = a_state(policy, positions={BTC: ("0.75", "50000")})
    state = folded(foreign(state, (an_order("x"),), NOW), state)
    sent = []
    for number in range(10):
        position = state.portfolio.quantity(BTC)
        if not targets(state, None):
            break
        market = a_market(book=a_book(depth="50000"))
        request = a_request(
            signal=flatten_signal(BTC, position, a_tick(), f"flatten/{number}", NOW),
            purpose=Purpose.FLATTEN,
            market=market,
            slice_quantity=slice_of(market, policy, Side.SELL),
        )
        state, intent = approved(state, policy, request)
        sent.append(intent.quantity)
        state = with_fill(state, a_fill(intent, intent.quantity))
        state = with_event(state, an_order_event(intent, OrderStatus.FILLED, filled_quantity=intent.quantity))

    assert sent == [D("0.2"), D("0.2"), D("0.2"), D("0.15")]
    assert targets(state, None) == ()


def test_targets_are_what_is_held_or_the_one_asked_for() -> None:
    state = a_state(positions={BTC: ("1", "50000"), ETH: ("1", "3000")})

    assert set(targets(state, None)) == {BTC, ETH}
    assert targets(state, ETH) == (ETH,)
    assert targets(state, "SOL-USD") == ()


def test_the_account_adds_up() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    state = with_fill(state, a_fill(intent, intent.quantity / 2, price=D(50000), fee=D(3)))
    marks = {BTC: D(51000)}

    said = account(state, POLICY, marks, {}, NOW, is_reconciled=True)

    held = intent.quantity / 2
    assert said.equity == D(100000) + held * 1000 - 3
    assert said.unrealized_pnl == held * 1000
    assert said.worst_case_exposure == held * 51000 + intent.reserved_notional / 2
    assert said.cash[0].reserved == intent.reserved_notional / 2
    assert (said.fills, said.is_reconciled, len(said.open_orders)) == (1, True, 1)
    assert not account(state, POLICY, {}, {}, NOW, is_reconciled=True).is_reconciled


def test_the_entry_brings_its_stop_to_the_position_and_flat_forgets_it() -> None:
    policy = a_policy(frequency__between_trades_seconds=0)
    state, entry = approved(a_state(policy), policy, a_request())
    state = with_fill(state, a_fill(entry, entry.quantity))
    state = with_event(state, an_order_event(entry, OrderStatus.FILLED, filled_quantity=entry.quantity))
    opened = state.portfolio.holdings[BTC]
    state, leave = approved(state, policy, a_request(signal=a_signal(signal_id="out", action=Action.EXIT)))
    state = with_fill(state, a_fill(leave, leave.quantity))

    assert (opened.stop_price, opened.target_price, opened.strategy) == (D(46000), D(57500), "trend")
    assert state.portfolio.holdings[BTC].stop_price is None


def test_the_trading_state_names_every_cause_and_the_head_of_the_log() -> None:
    state = folded(foreign(a_state(), (an_order("x"),), NOW), a_state())

    said = trading_state(state, 7, Standing(in_flight=2, records=3, head="0" * 64), NOW)

    assert (said.status, said.sequence, said.epoch) == (TradingStatus.HALTED, 7, 1)
    assert (said.records, said.head_hash, said.creates_in_flight) == (3, ZERO_HASH, 2)
    assert [cause.code for cause in said.causes] == [CauseCode.UNAPPROVED_ORDER]


def test_sizing_is_by_tier_and_confidence_and_every_step_is_recorded() -> None:
    full = review(a_request(), a_state(POLICY), POLICY)
    unsure = review(a_request(signal=a_signal(confidence=D(0))), a_state(POLICY), POLICY)

    assert [step.step for step in full.sizing][:5] == ["tier", "kelly", "confidence", "regime", "volatility"]
    assert full.sizing[0].notional == D(5000)
    assert unsure.sizing[2].notional == D(2500)
    assert full.sizing[-1].notional <= D(5000)


@pytest.mark.parametrize(("profile", "most"), [("dev", D("0.001")), ("canary", D("0.01"))])
def test_a_profiles_largest_quantity_is_never_exceeded(profile: str, most: object) -> None:
    policy = a_policy(profile)

    found = review(a_request(), a_state(policy, cash="10000000"), policy)

    assert found.quantity <= most  # type: ignore[operator] # Decimal
    assert found.notional <= policy.sizing.max_entry_notional


def test_an_order_under_a_known_id_that_is_not_like_the_approved_one_halts() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    ours = replace(an_order(intent.client_order_id), quantity=intent.quantity)
    ended = with_event(state, an_order_event(intent, OrderStatus.CANCELED))

    assert foreign(state, (ours,), NOW) == foreign(ended, (ours,), NOW) == ()
    for other in (replace(ours, product=ETH), replace(ours, side=Side.SELL)):
        assert status(folded(foreign(ended, (other,), NOW), ended)) is TradingStatus.HALTED
    larger = replace(ours, quantity=intent.quantity * 2)
    assert status(folded(foreign(state, (larger,), NOW), state)) is TradingStatus.HALTED


@pytest.mark.parametrize(
    ("occurred", "received", "is_usable"),
    [(0, 0, True), (1, 0, True), (-600, -600, False), (-600, 0, False), (0, -600, False), (18000, 0, False)],
)
def test_a_tick_that_is_old_or_from_the_future_is_no_mark(occurred: int, received: int, *, is_usable: bool) -> None:
    tick = a_tick().model_copy(
        update={
            "occurred_at": NOW + timedelta(seconds=occurred),
            "received_at": NOW + timedelta(seconds=received),
        }
    )
    watch = a_watch()
    watch.keep(tick)

    assert (BTC in watch.marks(NOW, POLICY)) is is_usable
    checks = review(a_request(market=a_market(tick=tick)), a_state(POLICY), POLICY).checks()
    is_passed = next(one for one in checks if one.rule == "mark_is_fresh").outcome is Outcome.PASSED
    assert is_passed is is_usable
