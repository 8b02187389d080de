"""Maker first: what follows which end; no interleaving of fills, ends and reports exceeds what was approved."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from gate_builders import (
    BTC,
    ETH,
    NOW,
    SPELLING,
    ZERO_HASH,
    D,
    a_fill,
    a_policy,
    a_request,
    a_signal,
    a_state,
    a_tick,
    an_order_event,
    approved,
    decided,
    exposed,
    failures,
    with_event,
    with_fill,
)
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.console.adapters.story import story
from gpt_trader.console.domain.chain import Records, chain_of
from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import Outcome
from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.ids import FillId, SignalId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import Fill, OrderEvent, OrderStatus
from gpt_trader.contracts.signals import Action
from gpt_trader.lab.domain.derivation import Before, NotAllowed, again
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.commands import kill, received
from gpt_trader.risk_gate.domain.consequences import of_report, reduce_only
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.maker import follows, next_signal
from gpt_trader.risk_gate.domain.permits import PermitIssued, PermitRefused, Refusal, permitted
from gpt_trader.risk_gate.domain.records import ApprovalVoided, CauseRaised, IntentStored
from gpt_trader.risk_gate.domain.review import review
from gpt_trader.risk_gate.domain.state import GateState, dumped, loaded
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.unwanted import unwanted

POLICY = a_policy(execution__style="maker_first", execution__ttl_seconds=20)
WISH = SignalId("signal-1")
ZERO = D(0)
TTL = timedelta(seconds=20)


def begun() -> tuple[GateState, ApprovedIntent]:
    return approved(a_state(POLICY), POLICY, a_request())


def next_request(state: GateState, now: datetime = NOW, **changes: Any) -> Request:
    maker = state.makers[WISH]
    signal = next_signal(maker, POLICY.execution, now)
    return a_request(signal=signal, now=now, follows=follows(maker), **changes)


def over(state: GateState, intent: ApprovedIntent, status: OrderStatus, **changes: object) -> GateState:
    return with_event(state, an_order_event(intent, status, 5, **changes))


def test_the_first_step_rests_at_the_touch_until_its_end() -> None:
    state, intent = begun()

    assert (intent.form, intent.post_only, intent.limit_price) == (OrderForm.LIMIT_GTD, True, D(49995))
    assert intent.end_time == NOW + TTL
    assert '"post_only": true' in intent.body
    assert state.makers[WISH].left == intent.quantity


def test_what_is_left_is_made_again_and_then_taken_from_the_mark_at_arrival() -> None:
    state, first = begun()
    state = over(state, first, OrderStatus.EXPIRED)

    state, second = approved(state, POLICY, next_request(state))
    state = over(state, second, OrderStatus.EXPIRED)
    state, third = approved(state, POLICY, next_request(state))

    assert (second.form, third.form) == (OrderForm.LIMIT_GTD, OrderForm.LIMIT_IOC)
    assert third.limit_price <= third.arrival_mark * D("1.002")
    assert first.arrival_mark == second.arrival_mark == third.arrival_mark
    assert not over(state, third, OrderStatus.CANCELED).makers


@pytest.mark.parametrize(
    ("status", "changes", "is_due"),
    [
        (OrderStatus.EXPIRED, {}, True),
        (OrderStatus.CANCELED, {}, True),
        (OrderStatus.REJECTED, {"reason": "would_take: its own words"}, True),
        (OrderStatus.REJECTED, {"reason": "INSUFFICIENT_FUND"}, False),
        (OrderStatus.FAILED, {"reason": "expired"}, False),
    ],
)
def test_only_an_end_by_itself_or_by_the_venue_is_followed(
    status: OrderStatus, changes: dict[str, object], *, is_due: bool
) -> None:
    state, intent = begun()

    state = over(state, intent, status, **changes)

    assert [maker.is_due for maker in state.makers.values()] == ([True] if is_due else [])


def test_an_unknown_outcome_stops_the_wish_until_it_is_resolved() -> None:
    state, intent = begun()

    doubted = with_event(state, an_order_event(intent, OrderStatus.UNKNOWN, 2))

    assert not doubted.makers[WISH].is_due
    assert over(doubted, intent, OrderStatus.EXPIRED).makers[WISH].is_due


def test_what_we_take_back_or_never_store_is_not_followed() -> None:
    state, intent = begun()
    kept = state.approvals[intent.client_order_id]

    asked = replace(state, approvals=state.approvals.having(replace(kept, cancel_asked_at=NOW)))

    assert not over(asked, intent, OrderStatus.CANCELED).makers
    assert not evolve(state, ApprovalVoided(client_order_id=intent.client_order_id, reason="full", at=NOW)).makers


def test_a_step_waits_for_the_fills_that_its_end_reports() -> None:
    state, intent = begun()
    state = over(state, intent, OrderStatus.EXPIRED, filled_quantity=D("0.01"))
    assert not state.makers[WISH].is_due

    state = with_fill(state, a_fill(intent, "0.01"))

    assert state.makers[WISH].is_due
    assert follows(state.makers[WISH]).left == intent.quantity - D("0.01")


def test_a_denied_step_is_the_last_and_an_exit_of_the_product_ends_its_wishes() -> None:
    state, intent = begun()
    due = over(state, intent, OrderStatus.EXPIRED, filled_quantity=D("0.01"))
    due = with_fill(due, a_fill(intent, "0.01"))
    restricted = evolve(due, CauseRaised(cause=reduce_only(CauseCode.OPERATOR_REDUCE_ONLY, "", NOW), at=NOW))

    denied, record = decided(restricted, POLICY, next_request(restricted))
    leaving, _ = approved(due, POLICY, a_request(signal=a_signal(signal_id="exit", action=Action.EXIT)))

    assert {found.rule for found in record.decision.failures} == {"state_allows"}
    assert record.decision.step == 2
    assert not denied.makers
    assert not leaving.makers


def test_counts_of_wishes_are_not_asked_of_a_further_step_and_everything_else_is() -> None:
    state, intent = begun()
    state = over(state, intent, OrderStatus.EXPIRED)

    checks = review(next_request(state), state, POLICY).checks()

    skipped = {found.rule for found in checks if found.outcome is Outcome.SKIPPED}
    assert {"trades_are_apart", "product_has_rested", "content_is_first", "day_is_within_limit"} <= skipped
    assert {"order_is_within_limit", "mark_is_fresh", "balance_covers_it", "strategy_is_enabled"}.isdisjoint(skipped)


def test_a_further_step_counts_no_trade_and_no_notional_twice() -> None:
    state, first = begun()
    before = state.history

    state, second = approved(over(state, first, OrderStatus.EXPIRED), POLICY, next_request_after(state, first))

    assert state.history.trades_since(NOW - TTL) == before.trades_since(NOW - TTL) == 1
    grown = state.history.entry_notional_since(NOW - TTL) - first.reserved_notional
    assert grown == max(second.reserved_notional - first.reserved_notional, D(0))


def next_request_after(state: GateState, intent: ApprovedIntent) -> Request:
    return next_request(over(state, intent, OrderStatus.EXPIRED))


def test_what_is_taken_last_stays_near_the_mark_at_arrival() -> None:
    state, first = begun()
    state = over(state, first, OrderStatus.EXPIRED)
    state, second = approved(state, POLICY, next_request(state))
    state = over(state, second, OrderStatus.EXPIRED)
    market = next_request(state).market.model_copy(update={"tick": a_tick(bid="50125", ask="50135")})

    found = review(next_request(state, market=market), state, POLICY)

    assert failures(found).keys() >= {"fallback_is_near_arrival"}
    assert failures(found)["fallback_is_near_arrival"].limit == "20"
    assert found.limit_price is not None
    assert found.limit_price <= D(50100)


def test_a_wish_that_was_left_for_too_long_is_not_gone_on_with() -> None:
    state, intent = begun()
    state = over(state, intent, OrderStatus.EXPIRED)

    found = review(next_request(state, NOW + 7 * TTL), state, POLICY)

    assert "signal_has_not_expired" in failures(found)


def test_a_refusal_to_make_pauses_nothing() -> None:
    state, intent = begun()
    event = an_order_event(intent, OrderStatus.REJECTED, 5, reason="would_take: its own words")
    strict = a_policy(escalation__rejections=1)

    assert not of_report(event, state, strict, NOW)
    assert of_report(event.model_copy(update={"reason": "INSUFFICIENT_FUND"}), state, strict, NOW)
    assert not with_event(state, event).history.rejections


def test_what_rests_to_enter_is_unwanted_once_entries_are_blocked() -> None:
    state, intent = begun()
    cause = reduce_only(CauseCode.OPERATOR_REDUCE_ONLY, "", NOW)

    assert unwanted(state, NOW) == frozenset()
    assert cause.status is TradingStatus.REDUCE_ONLY
    assert unwanted(evolve(state, CauseRaised(cause=cause, at=NOW)), NOW) == {intent.client_order_id}


def test_a_fill_that_comes_after_the_next_step_makes_that_step_unwanted() -> None:
    state, first = begun()
    state, second = approved(over(state, first, OrderStatus.EXPIRED), POLICY, next_request_after(state, first))

    late = with_fill(state, a_fill(first, "0.01"))
    counted = with_fill(state, a_fill(second, "0.01"))

    assert unwanted(state, NOW) == unwanted(counted, NOW) == frozenset()
    assert unwanted(late, NOW) == {second.client_order_id}
    assert follows(over(late, second, OrderStatus.CANCELED).makers[WISH]).left == first.quantity - D("0.01")


def test_a_step_that_is_larger_than_what_a_late_fill_left_gets_no_permit() -> None:
    state, first = begun()
    state, second = approved(over(state, first, OrderStatus.EXPIRED), POLICY, next_request_after(state, first))
    late = with_fill(state, a_fill(first, "0.01"))

    answers = [permitted(second.body_sha256, one, POLICY, a_tick(), NOW) for one in (state, late)]

    assert isinstance(answers[0], PermitIssued)
    assert answers[1] == PermitRefused(reason=Refusal.EXPIRED)


def test_a_halt_ends_every_wish_so_that_none_goes_on_after_a_quick_reset() -> None:
    state, intent = begun()
    stopped = evolve(state, CauseRaised(cause=kill(b"now", NOW), at=NOW))
    told = evolve(state, received(subjects.CONTROL_KILL, b"", 1, state, NOW))
    reset = evolve(stopped, received(subjects.CONTROL_RESET, b"", 2, stopped, NOW))

    assert not stopped.makers
    assert not told.makers
    assert not over(reset, intent, OrderStatus.CANCELED).makers


def test_a_wish_under_way_survives_a_snapshot() -> None:
    state, intent = begun()
    state = over(state, intent, OrderStatus.EXPIRED)

    assert loaded(*dumped(state)) == state


def test_a_recorded_step_is_made_again_and_one_that_no_wish_had_come_to_is_found() -> None:
    state, intent = begun()
    due = over(state, intent, OrderStatus.EXPIRED)
    _, record = decided(due, POLICY, next_request(due))
    intents = {intent.client_order_id: intent}

    assert again(record, Before(state=due, policy=POLICY, intents=intents, spelling=SPELLING)) == record
    with pytest.raises(NotAllowed):
        again(record, Before(state=state, policy=POLICY, intents=intents, spelling=SPELLING))
    forged = record.model_copy(update={"follows": replace(follows(due.makers[WISH]), left=D(99))})
    with pytest.raises(NotAllowed):
        again(forged, Before(state=due, policy=POLICY, intents=intents, spelling=SPELLING))


# --- any interleaving


@dataclass
class Venue:
    """The venue's truth of a wish's orders, and the reports of it that are still on their way, in order per stream."""

    state: GateState
    intent: ApprovedIntent
    executed: Decimal = ZERO
    open_left: Decimal = ZERO
    filled: Decimal = ZERO
    fills: int = 0
    events: deque[OrderEvent] = field(default_factory=deque)
    executions: deque[Fill] = field(default_factory=deque)

    def place(self, intent: ApprovedIntent) -> None:
        self.intent, self.open_left, self.filled = intent, intent.quantity, D(0)

    def fill(self, tenths: int) -> None:
        quantity = (self.open_left * tenths / 10).quantize(D("1E-8"))
        if not quantity:
            return
        self.open_left, self.executed, self.filled = (
            self.open_left - quantity,
            self.executed + quantity,
            self.filled + quantity,
        )
        self.fills += 1
        fill_id = FillId(f"fill-{self.fills}")
        self.executions.append(a_fill(self.intent, quantity, fill_id=fill_id, trade_id=fill_id))
        if not self.open_left:
            self.events.append(an_order_event(self.intent, OrderStatus.FILLED, 5, filled_quantity=self.filled))

    def end(self, tenths: int) -> None:
        if self.open_left:
            status = OrderStatus.EXPIRED if tenths % 2 else OrderStatus.CANCELED
            self.open_left = D(0)
            self.events.append(an_order_event(self.intent, status, 5, filled_quantity=self.filled))

    def tell_order(self, _tenths: int) -> None:
        if self.events:
            self.state = with_event(self.state, self.events.popleft())

    def tell_fill(self, _tenths: int) -> None:
        if self.executions:
            self.state = with_fill(self.state, self.executions.popleft())

    def go_on(self, _tenths: int) -> None:
        maker = self.state.makers.get(WISH)
        if maker is None or not maker.is_due:
            return
        self.state, record = decided(self.state, POLICY, next_request(self.state))
        if record.intent is not None:
            own = record.intent.client_order_id
            stored = IntentStored(client_order_id=own, stream_sequence=9, payload_sha256=ZERO_HASH, at=NOW)
            self.state = evolve(self.state, stored)
            self.place(record.intent)


_DEEDS: tuple[Callable[[Venue, int], None], ...] = (
    Venue.fill,
    Venue.end,
    Venue.tell_order,
    Venue.tell_fill,
    Venue.go_on,
)


@given(st.lists(st.tuples(st.sampled_from(_DEEDS), st.integers(1, 10)), max_size=40))
def test_no_interleaving_of_fills_ends_and_reports_exceeds_what_the_first_step_was_approved_for(
    deeds: list[tuple[Callable[[Venue, int], None], int]],
) -> None:
    state, first = begun()
    venue = Venue(state=state, intent=first)
    venue.place(first)

    for deed, tenths in deeds:
        deed(venue, tenths)

        assert venue.executed + venue.open_left <= first.quantity
        assert len(venue.state.approvals.of(BTC)) <= 1
        if venue.state.approvals.of(BTC):
            assert exposed(venue.state, {BTC: D(50000)}).of(BTC) >= (venue.executed + venue.open_left) * D(49995)


def test_the_story_of_any_step_lists_all_steps_of_its_wish() -> None:
    state = a_state(POLICY)
    state, first = decided(state, POLICY, a_request())
    assert first.intent is not None
    due = over(state, first.intent, OrderStatus.EXPIRED)
    _, second = decided(due, POLICY, next_request(due))
    _, other = decided(due, POLICY, a_request(signal=a_signal(signal_id="other", product=ETH)))
    records = Records(decisions=[first.decision, other.decision, second.decision], intents=[], orders=[], fills=[])

    for one in (first.decision, second.decision):
        chain = chain_of(one.signal.signal_id, records)
        assert chain is not None
        assert [step.step for step in chain.steps] == [1, 2]
        assert "STEP 2" in story(chain)
