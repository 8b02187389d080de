"""Stops at the venue: one per position, judged by its own price, and never an exit beside it that could flip it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from gate_builders import (
    BTC,
    FUTURE,
    NOW,
    SPELLING,
    ZERO_HASH,
    D,
    FixedClock,
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
    decided,
    with_event,
    with_fill,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.ids import VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.message import digest
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Side
from gpt_trader.lab.domain.derivation import Before, NotAllowed, again
from gpt_trader.risk_gate.domain.amending import Amended, amend, refused, seen
from gpt_trader.risk_gate.domain.approval import withdraw
from gpt_trader.risk_gate.domain.consequences import halted, has_slipped
from gpt_trader.risk_gate.domain.exposure import Amending, open_exits
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.permits import PermitIssued, PermitRefused, Refusal, permitted
from gpt_trader.risk_gate.domain.records import CancelAsked, CauseRaised
from gpt_trader.risk_gate.domain.state import GateState, dumped, loaded
from gpt_trader.risk_gate.domain.strangers import is_ours
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import VenueOrder
from gpt_trader.risk_gate.domain.venue_stops import Amend, Place, Withdraw, stop_orders, stop_signal, withdrawals
from gpt_trader.risk_gate.ports import OutcomeUnknown, Venue
from gpt_trader.risk_gate.service.amendments import Amendments
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.permit_desk import PermitDesk

POLICY = a_policy(protection__venue_stops=True)
MARKETS = {BTC: a_market()}


def holding(quantity: str = "0.1") -> GateState:
    return a_state(POLICY, positions={BTC: (quantity, "50000")})


def a_stop(state: GateState, place: Place | None = None) -> tuple[GateState, ApprovedIntent]:
    """Approve the stop that the plan asks for."""
    (planned,) = stop_orders(state, MARKETS, POLICY, NOW) if place is None else (place,)
    assert isinstance(planned, Place)
    request = a_request(
        signal=stop_signal(planned, a_tick(), f"stop/{state.decisions}", NOW),
        purpose=Purpose.PROTECTIVE,
        stop_price=planned.stop_price,
    )
    return approved(state, POLICY, request)


def at_venue(quantity: str = "0.1") -> tuple[GateState, ApprovedIntent]:
    state, stop = a_stop(holding(quantity))
    return with_event(state, an_order_event(stop, OrderStatus.OPEN)), stop


def asked(state: GateState, stop: ApprovedIntent) -> GateState:
    intent = withdraw(state.approvals[stop.client_order_id], "test", state, NOW)
    return evolve(state, CancelAsked(intent=intent, payload_sha256=ZERO_HASH, at=NOW))


def test_a_position_gets_one_stop_for_all_of_it_with_a_bounded_limit() -> None:
    state, stop = a_stop(holding())

    assert (stop.quantity, stop.stop_price, stop.side) == (D("0.1"), D(46000), Side.SELL)
    assert stop.limit_price == D(46000) * (1 - D("0.02"))
    assert stop.form is OrderForm.STOP_LIMIT_GTC
    assert (
        '"stop_limit_stop_limit_gtc": {"base_size": "0.1", "limit_price": "45080", "stop_price": "46000", ' in stop.body
    )
    assert '"stop_direction": "STOP_DIRECTION_STOP_DOWN"' in stop.body
    assert list(stop_orders(state, MARKETS, POLICY, NOW)) == []


def test_a_short_position_gets_a_stop_that_buys_back_above_the_market() -> None:
    short = a_state(POLICY, positions={FUTURE: ("-0.1", "50000")})

    (place,) = stop_orders(short, {FUTURE: MARKETS[BTC]}, POLICY, NOW)

    assert isinstance(place, Place)
    assert place.stop_price == D(54000)


def test_spot_books_below_zero_are_wrong_and_get_no_stop() -> None:
    assert list(stop_orders(holding("-0.1"), MARKETS, POLICY, NOW)) == []


@pytest.mark.parametrize(
    "without",
    [
        a_policy(protection__venue_stops=False),
        a_policy(protection__venue_stops=True, protection__default_stop_fraction="0"),
    ],
    ids=["switched off", "reached already"],
)
def test_no_stop_is_placed_where_it_is_not_wanted_or_would_trigger_at_once(without: Any) -> None:
    assert list(stop_orders(holding(), MARKETS, without, NOW)) == []


@pytest.mark.parametrize("flag", ["is_disabled", "is_cancel_only", "is_limit_only", "is_post_only", "is_auction"])
def test_no_stop_is_placed_on_a_product_that_does_not_take_one(flag: str) -> None:
    markets = {BTC: a_market(spec=a_spec(**{flag: True}))}

    assert list(stop_orders(holding(), markets, POLICY, NOW)) == []


def test_no_stop_is_placed_while_halted() -> None:
    state = evolve(holding(), CauseRaised(cause=halted(CauseCode.KILL, "", NOW), at=NOW))

    assert list(stop_orders(state, MARKETS, POLICY, NOW)) == []


def test_a_stop_whose_position_is_gone_or_changed_is_taken_back_once() -> None:
    state, stop = at_venue()
    sold = with_fill(state, a_fill(stop, "0.04", client_order_id="another", side=Side.SELL))

    (change,) = stop_orders(sold, MARKETS, POLICY, NOW)

    assert isinstance(change, Withdraw)
    assert list(stop_orders(state, MARKETS, POLICY, NOW)) == []
    again = asked(sold, stop)
    assert list(stop_orders(again, MARKETS, POLICY, NOW)) == []
    assert len(list(stop_orders(again, MARKETS, POLICY, NOW + timedelta(seconds=30)))) == 1


def test_a_stop_that_executes_in_part_still_fits_its_position() -> None:
    state, stop = at_venue()

    partly = with_fill(state, a_fill(stop, "0.04"))

    assert list(stop_orders(partly, MARKETS, POLICY, NOW)) == []


def test_a_request_to_cancel_takes_its_place_in_the_chain_and_another_one_is_another() -> None:
    state, stop = at_venue()
    kept = state.approvals[stop.client_order_id]

    first = withdraw(kept, "test", state, NOW)
    after = asked(state, stop)
    second = withdraw(kept, "test", after, NOW)

    assert first.stream_sequence == state.intents_sequence + 1
    assert (after.intents_sequence, after.intents_head) == (first.stream_sequence, ZERO_HASH)
    assert first.intent_id != second.intent_id


def test_a_stop_is_permitted_while_the_market_is_ahead_of_it_however_far() -> None:
    state, stop = a_stop(holding())
    body = stop.body_sha256

    assert isinstance(permitted(body, state, POLICY, a_tick(), NOW), PermitIssued)
    assert isinstance(permitted(body, state, POLICY, None, NOW), PermitIssued)
    reached = permitted(body, state, POLICY, a_tick(bid="45990", ask="46000"), NOW)
    assert reached == PermitRefused(reason=Refusal.PRICE_MOVED)


def test_the_slippage_of_a_stop_is_measured_from_its_own_price() -> None:
    state, stop = at_venue()
    kept = state.approvals[stop.client_order_id]

    assert not has_slipped(a_fill(stop, "0.1", price=D(45900)), kept, POLICY)
    assert has_slipped(a_fill(stop, "0.1", price=D(45700)), kept, POLICY)


def test_a_waiting_stop_is_not_in_motion_and_hinders_neither_entries_nor_their_count() -> None:
    state, stop = at_venue()
    tight = a_policy(protection__venue_stops=True, limits__max_open_orders=1)

    _, record = decided(state, tight, a_request(signal=a_signal(stop_price=D(46000))))

    assert state.approvals.in_motion == ()
    failed = {check.rule for check in record.decision.failures}
    assert not failed & {"open_orders_are_few", "order_does_not_meet_our_own"}
    triggered = with_event(state, an_order_event(stop, OrderStatus.PARTIALLY_FILLED, 2, filled_quantity=D("0.01")))
    assert len(triggered.approvals.in_motion) == 1


def test_an_exit_beside_a_stop_is_denied_and_fits_what_is_left_once_it_is_gone() -> None:
    state, stop = at_venue()
    exit_ = a_request(signal=a_signal(action=Action.EXIT, signal_id="exit-1"))
    later = a_request(signal=a_signal(action=Action.EXIT, signal_id="exit-2"))

    _, beside = decided(state, POLICY, exit_)
    canceled = an_order_event(stop, OrderStatus.CANCELED, 2, filled_quantity=D("0.03"))
    unfilled_yet = with_event(state, canceled)
    _, early = decided(unfilled_yet, POLICY, later)
    gone = with_fill(unfilled_yet, a_fill(stop, "0.03"))
    _, after = decided(gone, POLICY, later)

    assert beside.decision.verdict is Verdict.DENIED
    assert early.decision.quantity == D("0.07"), "a fill that was reported and has not arrived is spoken for"
    assert after.decision.quantity == D("0.07")
    assert withdrawals(gone, BTC, "exit", NOW) == ()


Step = Callable[[GateState, int], GateState]
STEPS = st.lists(
    st.tuples(st.sampled_from(["place", "exit", "protect", "withdraw", "fill", "cancel", "end"]), st.integers(1, 100)),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_whatever_happens_in_which_order_open_exits_never_exceed_the_position(steps: list[tuple[str, int]]) -> None:
    """Any interleaving of stops, exits, their fills, cancels and late fills: flat at worst, never short (I5)."""
    state, orders = holding("1"), dict[str, ApprovedIntent]()

    for number, (step, part) in enumerate(steps):
        state = _stepped(state, orders, (step, number, part))

        position = state.portfolio.quantity(BTC)
        assert position >= 0
        assert open_exits(state.approvals.of(BTC)) <= position


def _stepped(state: GateState, orders: dict[str, ApprovedIntent], step: tuple[str, int, int]) -> GateState:
    """Take one step; what the venue executes is bounded only by the order's own size, as there."""
    kind, number, part = step
    if kind in {"place", "exit", "protect"}:
        state, intent = _ordered(state, kind, number, part)
        return state if intent is None else orders.setdefault(intent.client_order_id, intent) and state
    living = [kept for kept in state.approvals.values() if kept.status is None or not kept.status.is_terminal]
    if not living:
        return state
    kept = living[part % len(living)]
    intent = orders[kept.client_order_id]
    if kind == "withdraw":
        return asked(state, intent)
    filled = (kept.remaining * part / 100).quantize(D("0.00000001"))
    fill = a_fill(intent, filled, number) if filled else None
    if kind == "fill":
        return state if fill is None else with_fill(state, fill)
    status = OrderStatus.CANCELED if kind == "cancel" else OrderStatus.EXPIRED
    over = with_event(state, an_order_event(intent, status, number + 1, filled_quantity=kept.counted + filled))
    return over if fill is None or kind == "cancel" else with_fill(over, fill)


def _ordered(state: GateState, kind: str, number: int, part: int) -> tuple[GateState, ApprovedIntent | None]:
    action = a_signal(action=Action.EXIT, signal_id=f"{kind}-{number}")
    request = a_request(signal=action, slice_quantity=D(part) / 100 if part % 2 else None)
    if kind != "exit":
        request = replace(request, purpose=Purpose.PROTECTIVE, stop_price=D(46000) if kind == "place" else None)
    state, record = decided(state, POLICY, request)
    return state, record.intent


# --- changed where it rests

AMENDS = a_policy(protection__venue_stops=True, execution__amends=True)
FENCE = timedelta(seconds=47)


def grown() -> tuple[GateState, ApprovedIntent]:
    """Let a stop of 0.1 rest under a position of 0.15."""
    state, stop = at_venue()
    return with_fill(state, a_fill(stop, "0.05", client_order_id="another", side=Side.BUY)), stop


def to(quantity: str, limit_price: str = "45080", stop_price: str = "46000") -> Amended:
    return Amended(quantity=D(quantity), limit_price=D(limit_price), stop_price=D(stop_price))


def being_amended() -> tuple[GateState, ApprovedIntent]:
    state, stop = grown()
    asked = amend(state.approvals[stop.client_order_id], to("0.15"), "test", SPELLING, NOW)
    assert asked is not None
    return evolve(state, asked), stop


def shown(stop: ApprovedIntent, quantity: str) -> VenueOrder:
    return VenueOrder(
        client_order_id=stop.client_order_id,
        venue_order_id=VenueOrderId("venue-1"),
        product=stop.product,
        side=stop.side,
        status=OrderStatus.OPEN,
        quantity=D(quantity),
        filled_quantity=D(0),
        limit_price=stop.limit_price,
        stop_price=stop.stop_price,
        observed_at=NOW,
    )


def test_a_stop_is_given_its_positions_size_by_exactly_one_body() -> None:
    state, stop = grown()

    (change,) = stop_orders(state, MARKETS, AMENDS, NOW)
    asked = amend(state.approvals[stop.client_order_id], to("0.15"), "test", SPELLING, NOW)

    assert isinstance(change, Amend)
    assert change.quantity == D("0.15")
    assert asked is not None
    assert json.loads(asked.body) == {"order_id": "venue-1", "price": "45080", "size": "0.15"}
    assert asked.body_sha256 == digest(asked.body.encode())


def risen(stop_price: str) -> tuple[GateState, ApprovedIntent]:
    """Let a stop rest for a position whose stop is somewhere else by now."""
    state, stop = at_venue()
    holdings = state.portfolio.holdings
    moved = replace(holdings[BTC], stop_price=D(stop_price))
    portfolio = replace(state.portfolio, holdings={**holdings, BTC: moved})
    return replace(state, portfolio=portfolio), stop


def test_a_stop_comes_nearer_where_it_rests_and_is_placed_anew_to_go_further_away() -> None:
    nearer, intent = risen("47000")
    further, _ = risen("45000")
    stop = nearer.approvals[intent.client_order_id]
    reached, _ = risen("50000")

    (change,) = stop_orders(nearer, MARKETS, AMENDS, NOW)
    asked = amend(stop, to("0.1", "46060", "47000"), "test", SPELLING, NOW)

    assert isinstance(change, Amend)
    assert change.place.stop_price == 47000
    assert asked is not None
    assert json.loads(asked.body) == {"order_id": "venue-1", "price": "46060", "size": "0.1", "stop_price": "47000"}
    assert amend(stop, to("0.1", "44100", "45000"), "test", SPELLING, NOW) is None
    for state in (further, reached):
        assert [type(one) for one in stop_orders(state, MARKETS, AMENDS, NOW)] == [Withdraw]


def test_a_moved_stop_is_what_the_venue_shows_also_if_it_took_over_a_part_only() -> None:
    state, stop = risen("47000")
    asked = amend(state.approvals[stop.client_order_id], to("0.1", "46060", "47000"), "test", SPELLING, NOW)
    assert asked is not None
    state = evolve(state, asked)
    kept, late = state.approvals[stop.client_order_id], NOW + FENCE + timedelta(seconds=1)
    own = replace(shown(stop, "0.1"), limit_price=D(46060))

    assert seen(kept, own, FENCE, NOW) is None
    half, whole = seen(kept, own, FENCE, late), seen(kept, replace(own, stop_price=D(47000)), FENCE, NOW)
    assert half is not None
    assert whole is not None
    fixed, moved = (evolve(state, one).approvals[stop.client_order_id] for one in (half, whole))
    assert (fixed.limit_price, fixed.trigger_price, fixed.is_fixed) == (46060, 46000, True)
    assert (moved.limit_price, moved.trigger_price, moved.is_fixed) == (46060, 47000, False)
    assert seen(kept, replace(own, quantity=D("0.3")), FENCE, late) is None


def test_an_order_has_one_amendment_at_a_time_and_counts_at_the_larger_size_meanwhile() -> None:
    state, stop = being_amended()
    kept = state.approvals[stop.client_order_id]

    assert amend(kept, to("0.2"), "test", SPELLING, NOW) is None
    assert list(stop_orders(state, MARKETS, AMENDS, NOW)) == []
    assert open_exits(state.approvals.of(BTC)) == D("0.15")
    smaller = replace(kept, amending=Amending(D("0.05"), D(45080), D(46000), NOW))
    assert smaller.remaining == D("0.1")
    assert is_ours(shown(stop, "0.15"), state)
    assert not is_ours(shown(stop, "0.16"), state)


@pytest.mark.parametrize(
    ("quantity", "later", "is_applied"),
    [("0.15", timedelta(0), True), ("0.1", timedelta(0), None), ("0.1", FENCE + timedelta(seconds=1), False)],
)
def test_what_became_of_an_amendment_is_what_the_venue_shows(
    quantity: str, later: timedelta, *, is_applied: bool | None
) -> None:
    state, stop = being_amended()

    found = seen(state.approvals[stop.client_order_id], shown(stop, quantity), FENCE, NOW + later)

    assert (None if found is None else found.is_applied) is is_applied
    if found is not None:
        kept = evolve(state, found).approvals[stop.client_order_id]
        assert (kept.quantity, kept.amending) == (D(quantity), None)


def test_what_the_venue_will_not_change_is_taken_back_instead() -> None:
    state, stop = being_amended()

    settled = evolve(state, refused(state.approvals[stop.client_order_id], "ORDER_IS_BEING_REPLACED", NOW))

    (change,) = stop_orders(settled, MARKETS, AMENDS, NOW)
    assert isinstance(change, Withdraw)
    assert loaded(*dumped(settled)) == settled


def test_an_amendment_is_made_again_from_the_journal_and_one_that_could_not_be_is_found() -> None:
    state, stop = grown()
    asked = amend(state.approvals[stop.client_order_id], to("0.15"), "test", SPELLING, NOW)
    assert asked is not None

    assert again(asked, Before(state=state, policy=AMENDS, intents={}, spelling=SPELLING)) == asked
    with pytest.raises(NotAllowed):
        again(asked, Before(state=evolve(state, asked), policy=AMENDS, intents={}, spelling=SPELLING))


class Editing:
    """A venue that answers an amendment as it is told, and then shows an order of this size."""

    def __init__(self, answer: str | Exception, order: VenueOrder) -> None:
        self.answer, self.shown, self.bodies = answer, order, list[bytes]()

    async def amend(self, body: bytes) -> str:
        self.bodies.append(body)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder:
        assert venue_order_id == self.shown.venue_order_id
        return self.shown if self.bodies else replace(self.shown, quantity=D("0.1"))


async def amended(
    ledger: Ledger, answer: str | Exception, size: str, state: GateState, stop: ApprovedIntent
) -> Editing:
    """Have a stop amended, and wait until that is settled."""
    ledger.state, own = state, stop.client_order_id
    venue = Editing(answer, shown(stop, size))
    desk = PermitDesk(ledger=ledger, market=a_watch(), is_dry_run=False)
    amendments = Amendments(ledger=ledger, venue=cast("Venue", venue), orders=venue, fence=desk)
    asked = amend(state.approvals[own], to("0.15"), "test", SPELLING, NOW)
    assert asked is not None
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(amendments.run())
        amendments.soon(asked)
        assert await ledger.until(lambda now: now.approvals[own].amending is None, 5)
        running.cancel()
    return venue


@pytest.mark.parametrize(
    ("answer", "size", "is_applied"),
    [("", "0.15", True), (OutcomeUnknown("no answer"), "0.15", True), ("CALLER_ID_MISMATCH", "0.1", False)],
)
async def test_an_amendment_is_sent_once_and_settled_by_the_venue(
    ledger: Ledger, answer: str | Exception, size: str, *, is_applied: bool
) -> None:
    state, stop = grown()

    venue = await amended(ledger, answer, size, state, stop)

    kept = ledger.state.approvals[stop.client_order_id]
    assert len(venue.bodies) == 1
    assert (kept.quantity, kept.is_fixed) == (D(size), not is_applied)


async def test_nothing_is_amended_once_trading_is_halted(ledger: Ledger) -> None:
    state, stop = grown()
    halted_now = evolve(state, CauseRaised(cause=halted(CauseCode.KILL, "", NOW), at=NOW))

    venue = await amended(ledger, "", "0.1", halted_now, stop)

    assert venue.bodies == []


async def test_an_amendment_that_waited_too_long_for_its_turn_is_never_sent(ledger: Ledger) -> None:
    state, stop = grown()
    ledger.clock = FixedClock(NOW + timedelta(seconds=6))

    venue = await amended(ledger, "", "0.1", state, stop)

    assert venue.bodies == []
    assert ledger.state.approvals[stop.client_order_id].is_fixed
