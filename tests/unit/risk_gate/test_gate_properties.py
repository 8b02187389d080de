"""Rules that hold for all inputs: caps, reductions, rounding, permits."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from gate_builders import (
    BTC,
    ETH,
    NOW,
    SPELLING,
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
    exposed,
    with_event,
    with_fill,
    with_limit,
)
from gate_worlds import Lot, lots, world, worlds
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Side
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.checks.table import CHECKS, Check
from gpt_trader.risk_gate.domain.decide import decide
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.permits import PermitIssued, permitted
from gpt_trader.risk_gate.domain.portfolio import value
from gpt_trader.risk_gate.domain.pricing import limit_price
from gpt_trader.risk_gate.domain.records import ApprovalVoided, IntentStored, PermitLogged
from gpt_trader.risk_gate.domain.review import Review, review
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.sweeps.passing import run_out

LOOSE = {
    "frequency__trades_per_day": 100000,
    "frequency__trades_per_hour": 100000,
    "frequency__entries_per_hour": 100000,
    "frequency__strategy_entries_per_day": 100000,
    "frequency__strategy_entries_per_hour": 100000,
    "frequency__messages_per_second": 100000,
    "frequency__messages_per_minute": 100000,
    "frequency__between_trades_seconds": 0,
    "frequency__per_product_seconds": 0,
    "repeats__same_orders": 100000,
    "signals__duplicate_window_seconds": 0,
    "limits__max_open_orders": 100,
    "limits__notional_per_minute": 1e9,
    "limits__notional_per_hour": 1e9,
    "limits__notional_per_day": 1e9,
    "cooldowns__after_loss_seconds": 0,
    "cooldowns__after_stop_seconds": 0,
    "cooldowns__after_win_seconds": 0,
    "cooldowns__consecutive_losses_seconds": 0,
}
POLICY = a_policy(**LOOSE)
MARKS = {BTC: D(50000), ETH: D(3000)}
TICKS = {BTC: a_tick(BTC), ETH: a_tick(ETH, bid="2999.7", ask="3000.3")}

CASES = settings(max_examples=2000, deadline=None)

positive = st.decimals(min_value="0.0001", max_value=1, places=4)
LIMITS = {
    "limits__max_order_notional": D(10000),
    "limits__max_position_notional": D(25000),
    "limits__max_leverage": D(1),
    "exposure__per_asset_fraction": D("0.05"),
    "exposure__total_fraction": D("0.25"),
    "prices__impact_bps": D(50),
    "prices__hard_spread_bps": D(80),
}


@CASES
@given(st.sampled_from(sorted(LIMITS)), positive, positive, st.decimals(min_value=0, max_value=1, places=2))
def test_a_tighter_limit_never_approves_more(name: str, share: Decimal, cash: Decimal, confidence: Decimal) -> None:
    policy = with_limit(a_policy(), name, LIMITS[name] * share)
    state = a_state(cash=str(cash * 1000000))
    request = a_request(signal=a_signal(confidence=confidence))

    loose, tight = review(request, state, a_policy()), review(request, state, policy)

    if tight.verdict is Verdict.APPROVED:
        assert loose.verdict is Verdict.APPROVED
        assert tight.quantity <= loose.quantity


@CASES
@given(
    st.sampled_from(Side),
    st.decimals(min_value="0.05", max_value=90000, places=6),
    st.decimals(min_value="0.0001", max_value="0.02", places=4),
    st.sampled_from(["0.01", "0.05", "1", "0.00001"]),
)
def test_rounding_a_price_never_adds_risk(side: Side, bid: Decimal, spread: Decimal, increment: str) -> None:
    tick = a_tick(bid=str(bid), ask=str(bid * (1 + spread)))
    spec = a_spec(price_increment=D(increment))
    limits = POLICY.prices

    price = limit_price(side, tick, tick.mid, spec, limits)

    collar = limits.collar_bps[spec.tier] / 10000
    if side is Side.BUY:
        assert price <= tick.mid * (1 + collar)
    else:
        assert price >= tick.mid * (1 - collar)
    assert price % D(increment) == 0


@CASES
@given(
    st.sampled_from(["1", "0.1", "0.001", "0.00000001"]),
    st.decimals(min_value=1, max_value=100000000, places=2),
    st.decimals(min_value=0, max_value=1, places=3),
)
def test_rounding_a_quantity_never_adds_risk(increment: str, cash: Decimal, confidence: Decimal) -> None:
    market = a_market(spec=a_spec(base_increment=D(increment)))

    found = review(a_request(signal=a_signal(confidence=confidence), market=market), a_state(cash=str(cash)), POLICY)

    assert found.quantity % D(increment) == 0
    assert found.notional <= cash * POLICY.sizing.tier_fractions[market.spec.tier]  # type: ignore[union-attr] # built


@CASES
@given(
    st.decimals(min_value="0.00000001", max_value=10, places=8),
    st.sampled_from([Purpose.EXIT, Purpose.PROTECTIVE, Purpose.FLATTEN]),
    st.one_of(st.none(), st.decimals(min_value="0.00000001", max_value=20, places=8)),
    st.sampled_from(Side),
)
def test_nothing_but_an_entry_increases_or_flips_a_position(
    position: Decimal, purpose: Purpose, part: Decimal | None, side: Side
) -> None:
    state = a_state(positions={BTC: (str(position), "50000")})
    signal = a_signal(action=Action.EXIT, side=side)

    found = review(a_request(signal=signal, purpose=purpose, slice_quantity=part), state, POLICY)

    assert found.quantity <= position
    if found.verdict is Verdict.APPROVED:
        assert side is Side.SELL


@CASES
@given(worlds, st.sampled_from(CHECKS), st.sampled_from([KeyError, ZeroDivisionError, TypeError, AttributeError]))
def test_any_single_check_that_raises_denies_every_entry_it_is_for_and_no_exit(
    asked: tuple[Request, GateState], row: Check, error: type[Exception]
) -> None:
    request, state = asked

    def broken(_case: object) -> tuple[bool, str, str]:
        raise error("a bug")

    table = tuple(replace(kept, judge=broken) if kept is row else kept for kept in CHECKS)
    sound, found = review(request, state, a_policy()), review(request, state, a_policy(), table)

    if request.purpose.is_entry and Purpose.ENTRY in row.applies_to:
        assert found.verdict is Verdict.DENIED
    if not request.purpose.is_entry and sound.verdict is Verdict.APPROVED:
        assert found.verdict is Verdict.APPROVED
        assert found.quantity == sound.quantity


@CASES
@given(lots, st.sampled_from([1, 5, 52, 520]))
def test_a_decision_is_the_same_at_every_time_of_the_world(lot: Lot, weeks: int) -> None:
    now, later = review(*world(lot), a_policy()), review(*world(lot, NOW + timedelta(weeks=weeks)), a_policy())

    assert (found_of(now), now.quantity, now.limit_price) == (found_of(later), later.quantity, later.limit_price)


def found_of(found: Review) -> list[tuple[str, str]]:
    return [(check.rule, check.outcome) for check in found.checks()]


class Interleavings(RuleBasedStateMachine):
    """Approvals, permits, fills, cancels, unknowns and timeouts in any order."""

    live: Bundle[ApprovedIntent] = Bundle("live")

    def __init__(self) -> None:
        super().__init__()
        self.state = a_state(POLICY, cash="97500", positions={BTC: ("0.05", "50000")})
        self.now = NOW
        self.number = 0
        self.counted: dict[str, Decimal] = {}
        self.revision: dict[str, int] = {}
        self.permits: dict[str, int] = {}

    @rule(target=live, product=st.sampled_from([BTC, ETH]), action=st.sampled_from(Action))
    def ask(self, product: str, action: Action) -> object:
        self.number += 1
        tick = TICKS[product].model_copy(update={"occurred_at": self.now, "received_at": self.now})
        market = a_market(product, at=self.now, tick=tick)
        signal = a_signal(
            signal_id=f"s{self.number}", product=product, action=action, created_at=self.now, reference_price=tick.mid
        )
        request = a_request(signal=signal, market=market, marks=MARKS, now=self.now)
        record = decide(request, self.state, POLICY, SPELLING)
        if record.intent is None:
            self.state = evolve(self.state, record)
            return multiple()
        self.state, intent = approved(self.state, POLICY, request)
        return intent

    @rule(intent=live)
    def permit(self, intent: ApprovedIntent) -> None:
        tick = TICKS[intent.product].model_copy(update={"occurred_at": self.now})
        answer = permitted(intent.body_sha256, self.state, POLICY, tick, self.now)
        if isinstance(answer, PermitIssued):
            self.permits[intent.intent_id] = self.permits.get(intent.intent_id, 0) + 1
            record = PermitLogged(
                client_order_id=intent.client_order_id, body_sha256=intent.body_sha256, origin_ns=None, at=self.now
            )
            self.state = evolve(self.state, record)

    @rule(intent=live, share=st.sampled_from([D("0.1"), D("0.5"), D(1)]))
    def fill(self, intent: ApprovedIntent, share: Decimal) -> None:
        """Only what was permitted can fill, and never more than its quantity."""
        if intent.intent_id not in self.permits:
            return
        done = self.counted.get(intent.intent_id, D(0))
        quantity = min(intent.quantity * share, intent.quantity - done)
        if quantity <= 0 or intent.intent_id in self.ended:
            return
        self.number += 1
        self.counted[intent.intent_id] = done + quantity
        self.state = with_fill(self.state, a_fill(intent, quantity, self.number, price=MARKS[intent.product]))

    @property
    def ended(self) -> set[str]:
        return {key for key, revision in self.revision.items() if revision >= 1000}

    @rule(intent=live, status=st.sampled_from([OrderStatus.UNKNOWN, OrderStatus.OPEN, OrderStatus.SUBMITTING]))
    def report(self, intent: ApprovedIntent, status: OrderStatus) -> None:
        if intent.intent_id in self.ended:
            return
        revision = self.revision.get(intent.intent_id, 0) + 1
        self.revision[intent.intent_id] = revision
        self.state = with_event(self.state, an_order_event(intent, status, revision))

    @rule(intent=consumes(live), status=st.sampled_from([OrderStatus.CANCELED, OrderStatus.FAILED, OrderStatus.FILLED]))
    def end(self, intent: ApprovedIntent, status: OrderStatus) -> None:
        """End it; what filled before is reported with it."""
        self.revision[intent.intent_id] = self.revision.get(intent.intent_id, 0) + 1000
        filled = self.counted.get(intent.intent_id, D(0))
        event = an_order_event(intent, status, self.revision[intent.intent_id], filled_quantity=filled)
        self.state = with_event(self.state, event)

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        for record in run_out(self.state, self.now):
            self.state = evolve(self.state, record)

    @invariant()
    def worst_case_never_exceeds_a_cap(self) -> None:
        marked = value(self.state.portfolio, MARKS, "USD")
        assert marked is not None
        # Fees shrink equity after an approval; the caps are judged on the equity of the approval.
        equity = D(100000)
        exposure = exposed(self.state, MARKS)
        assert exposure.total <= equity * POLICY.exposure.total_fraction
        for product in (BTC, ETH):
            assert exposure.of(product) <= equity * POLICY.exposure.per_asset_fraction

    @invariant()
    def what_orders_make_together_is_their_plain_sum(self) -> None:
        exposure, orders = exposed(self.state, MARKS), list(self.state.approvals.values())
        for product in (BTC, ETH):
            worth = self.state.portfolio.quantity(product) * MARKS[product]
            buys, sells = (
                sum((one.worst_notional for one in orders if (one.product, one.side) == (product, side)), D(0))
                for side in (Side.BUY, Side.SELL)
            )
            assert exposure.of(product) == max(worth + buys, sells - worth)
            assert self.state.approvals.of(product) == tuple(one for one in orders if one.product == product)
        assert exposure.cash == sum((one.worst_notional for one in orders if one.side is Side.BUY), D(0))
        assert exposure.total == sum(map(exposure.of, (BTC, ETH)))
        assert len(self.state.approvals.in_motion) == sum(one.is_in_motion for one in orders)

    @invariant()
    def positions_never_go_below_zero(self) -> None:
        assert all(holding.quantity >= 0 for holding in self.state.portfolio.holdings.values())

    @invariant()
    def an_approval_has_at_most_one_permit(self) -> None:
        assert all(count == 1 for count in self.permits.values())

    @invariant()
    def open_sells_never_exceed_the_position(self) -> None:
        for product in (BTC, ETH):
            sells = [
                kept.quantity - kept.counted
                for kept in self.state.approvals.values()
                if kept.product == product and kept.side is Side.SELL
            ]
            assert sum(sells, D(0)) <= self.state.portfolio.quantity(product)


Interleavings.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_no_interleaving_breaks_a_cap_or_doubles_a_permit = Interleavings.TestCase


def test_a_hundred_concurrent_signals_of_half_the_cap_give_two_approvals() -> None:
    policy = a_policy(**LOOSE, sizing__tier_fractions={"T1": "0.025", "T2": "0.025", "T3": "0.025"})
    state = a_state(policy)
    count = 0
    for number in range(100):
        record = decide(a_request(signal=a_signal(signal_id=f"s{number}")), state, policy, SPELLING)
        state = evolve(state, record)
        count += record.intent is not None

    assert count == 2


def test_a_reservation_is_kept_until_every_reported_fill_has_arrived() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())
    state = with_event(state, an_order_event(intent, OrderStatus.FILLED, filled_quantity=intent.quantity))

    before = exposed(state, MARKS).of(BTC)
    state = with_fill(state, a_fill(intent, intent.quantity))

    assert before == intent.reserved_notional
    assert not state.approvals


def test_a_voided_approval_frees_its_reservation() -> None:
    state, intent = approved(a_state(POLICY), POLICY, a_request())

    state = evolve(state, ApprovalVoided(client_order_id=intent.client_order_id, reason="test", at=NOW))

    assert exposed(state, MARKS).total == 0


def test_an_intent_stored_after_its_void_still_moves_the_chain_on() -> None:
    record = decide(a_request(), a_state(POLICY), POLICY, SPELLING)
    state = evolve(a_state(POLICY), record)
    assert record.intent is not None
    order_id = record.intent.client_order_id
    state = evolve(state, ApprovalVoided(client_order_id=order_id, reason="test", at=NOW))

    state = evolve(state, IntentStored(client_order_id=order_id, stream_sequence=2, payload_sha256="a" * 64, at=NOW))

    assert (state.intents_sequence, state.intents_head) == (2, "a" * 64)
