"""One permit per approval, ever, and only while everything it rests on still stands."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
from gate_builders import (
    BTC,
    NOW,
    SPELLING,
    D,
    a_policy,
    a_request,
    a_signal,
    a_state,
    a_tick,
    a_trade,
    an_order_event,
    approved,
    decided,
    with_event,
)

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.ids import client_order_id
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.message import digest
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Side
from gpt_trader.risk_gate.domain.exposure import Approvals
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.permits import PermitIssued, PermitOutcome, PermitRefused, Refusal, permitted
from gpt_trader.risk_gate.domain.records import (
    CauseRaised,
    EpochClaimed,
    ExternalFillSeen,
    PermitAnswered,
    PermitLogged,
    PolicyAdopted,
)
from gpt_trader.risk_gate.domain.shape import Shape
from gpt_trader.risk_gate.domain.spelling import Ticket
from gpt_trader.risk_gate.domain.state import GateState

POLICY = a_policy()


def an_approval(purpose: Purpose = Purpose.ENTRY) -> tuple[GateState, ApprovedIntent]:
    if purpose is Purpose.ENTRY:
        return approved(a_state(POLICY), POLICY, a_request())
    state = a_state(POLICY, positions={BTC: ("0.1", "50000")})
    return approved(state, POLICY, a_request(signal=a_signal(action=Action.EXIT), purpose=purpose))


def logged(state: GateState, intent: ApprovedIntent) -> GateState:
    record = PermitLogged(
        client_order_id=intent.client_order_id, body_sha256=intent.body_sha256, origin_ns=None, at=NOW
    )
    return evolve(state, record)


def answer(state: GateState, body: str, **changes: Any) -> PermitIssued | Refusal:
    tick, now = changes.get("tick", a_tick()), changes.get("now", NOW)
    found = permitted(body, state, POLICY, tick, now)
    return found.reason if isinstance(found, PermitRefused) else found


def test_an_approved_body_gets_one_permit_and_never_a_second_one() -> None:
    state, intent = an_approval()

    first = answer(state, intent.body_sha256)
    state = logged(state, intent)
    second = answer(state, intent.body_sha256)
    state = with_event(state, an_order_event(intent, OrderStatus.FAILED))
    after_its_end = answer(state, intent.body_sha256)

    assert isinstance(first, PermitIssued)
    assert first.client_order_id == intent.client_order_id
    assert second == after_its_end == Refusal.PERMIT_ALREADY_ISSUED


def test_a_body_that_nobody_approved_gets_none() -> None:
    state, intent = an_approval()

    assert answer(state, digest(intent.body.replace("BUY", "SELL").encode())) == Refusal.NO_MATCHING_APPROVAL


def test_an_approval_that_the_bus_does_not_hold_yet_gets_none() -> None:
    state, record = decided(a_state(POLICY), POLICY, a_request())
    assert record.intent is not None

    assert answer(state, record.intent.body_sha256) == Refusal.NO_MATCHING_APPROVAL


@pytest.mark.parametrize(("purpose", "may_go"), [(Purpose.ENTRY, False), (Purpose.EXIT, True)])
def test_an_entry_that_other_limits_approved_gets_none(purpose: Purpose, *, may_go: bool) -> None:
    state, intent = an_approval(purpose)
    tighter = a_policy(limits__max_order_notional=100)
    adopted = PolicyAdopted(version=tighter.version(), document=tighter.document(), at=NOW)

    answer = permitted(intent.body_sha256, evolve(state, adopted), tighter, a_tick(), NOW)

    assert isinstance(answer, PermitIssued) is may_go
    assert may_go or answer == PermitRefused(reason=Refusal.EXPIRED)


@pytest.mark.parametrize(("after", "is_live"), [(timedelta(seconds=4.999), True), (timedelta(seconds=5), False)])
def test_an_approval_is_good_until_its_expiry(after: timedelta, *, is_live: bool) -> None:
    state, intent = an_approval()

    found = answer(state, intent.body_sha256, now=NOW + after)

    assert (found == Refusal.EXPIRED) is not is_live


def test_an_approval_of_an_earlier_epoch_gets_none() -> None:
    state, intent = an_approval()
    state = evolve(state, EpochClaimed(epoch=2, intents_sequence=3, intents_head="0" * 64, at=NOW))

    assert answer(state, intent.body_sha256) == Refusal.EPOCH


@pytest.mark.parametrize("purpose", [Purpose.EXIT, Purpose.FLATTEN, Purpose.PROTECTIVE])
@pytest.mark.parametrize(("sold", "may_go"), [("0", True), ("0.00000001", False), ("0.1", False), ("0.2", False)])
def test_an_exit_that_the_position_no_longer_covers_gets_none(sold: str, purpose: Purpose, *, may_go: bool) -> None:
    state, intent = an_approval(purpose)
    if D(sold):
        state = evolve(state, ExternalFillSeen(fill=a_trade(Side.SELL, sold, "50000"), at=NOW))

    assert (answer(state, intent.body_sha256) != Refusal.TRADING_STATE) is may_go


@pytest.mark.parametrize("purpose", [Purpose.ENTRY, Purpose.EXIT, Purpose.FLATTEN])
@pytest.mark.parametrize("status", list(TradingStatus))
def test_the_trading_state_of_the_moment_decides(status: TradingStatus, purpose: Purpose) -> None:
    state, intent = an_approval(purpose)
    cause = Cause(code="kill", status=status, detail="", product=None, since=NOW, until=None)
    state = evolve(state, CauseRaised(cause=cause, at=NOW))

    is_allowed = {
        TradingStatus.ACTIVE: True,
        TradingStatus.HALTED: purpose is Purpose.FLATTEN,
    }.get(status, purpose is not Purpose.ENTRY)
    assert (answer(state, intent.body_sha256) != Refusal.TRADING_STATE) is is_allowed


@pytest.mark.parametrize(
    ("mid", "purpose", "is_near"),
    [
        ("49125", Purpose.ENTRY, True),
        ("49120", Purpose.ENTRY, False),
        ("51125", Purpose.ENTRY, True),
        ("51130", Purpose.ENTRY, False),
        ("45000", Purpose.EXIT, True),
        ("51100", Purpose.EXIT, False),
    ],
)
def test_a_mark_that_left_the_collar_refuses(mid: str, purpose: Purpose, *, is_near: bool) -> None:
    """The limits are 50105.01 for the entry and 49895.01 for the exit; an exit fears only a higher mark."""
    state, intent = an_approval(purpose)

    found = answer(state, intent.body_sha256, tick=a_tick(bid=mid, ask=mid))

    assert (found != Refusal.PRICE_MOVED) is is_near


def test_without_a_fresh_mark_entries_are_refused_and_exits_are_not() -> None:
    state, entry = an_approval()
    exit_state, leave = an_approval(Purpose.EXIT)
    old = a_tick(at=NOW - timedelta(seconds=31))

    assert answer(state, entry.body_sha256, tick=None) == Refusal.PRICE_MOVED
    assert answer(state, entry.body_sha256, tick=old) == Refusal.PRICE_MOVED
    assert isinstance(answer(exit_state, leave.body_sha256, tick=None), PermitIssued)


def test_a_create_is_in_flight_until_its_definitive_answer_its_end_or_the_end_of_its_token() -> None:
    state, intent = an_approval()
    out = logged(state, intent)
    order_id = intent.client_order_id
    unsure = evolve(out, PermitAnswered(client_order_id=order_id, outcome=PermitOutcome.UNKNOWN, at=NOW))
    restarted = evolve(unsure, EpochClaimed(epoch=2, intents_sequence=3, intents_head="0" * 64, at=NOW))
    answered = evolve(restarted, PermitAnswered(client_order_id=order_id, outcome=PermitOutcome.ANSWERED, at=NOW))
    ended = with_event(restarted, an_order_event(intent, OrderStatus.FAILED))

    just_before = NOW - timedelta(microseconds=1)
    in_flight = [one.in_flight(just_before) for one in (state, out, unsure, restarted, answered, ended)]

    assert in_flight == [0, 1, 1, 1, 0, 0]
    assert restarted.in_flight(NOW) == 0


def test_the_body_is_what_requests_sends_for_the_parsed_body() -> None:
    _, intent = an_approval()

    sent = requests.Request("POST", "https://venue.test/", json=None, data=json.dumps(json.loads(intent.body)))

    assert sent.prepare().body == intent.body
    assert digest(intent.body.encode()) == intent.body_sha256


def test_the_body_has_plain_decimals_and_the_derived_order_id() -> None:
    _, intent = an_approval()

    order = json.loads(intent.body)
    ticket = Ticket(
        product=BTC,
        side=Side.SELL,
        quantity=D("1E-8"),
        increment=D("1E-8"),
        limit_price=D("1E+3"),
        stop_price=None,
        shape=Shape(form=OrderForm.LIMIT_IOC),
        now=NOW,
    )
    tiny = json.loads(SPELLING.create(ticket, intent.client_order_id))

    assert order["client_order_id"] == client_order_id(intent.intent_id)
    assert tiny["order_configuration"] == {"sor_limit_ioc": {"base_size": "0.00000001", "limit_price": "1000"}}
    assert tiny["side"] == "SELL"


def test_intents_are_chained_and_numbered() -> None:
    state, first = an_approval()

    state = replace(state, causes=())
    second_request = a_request(signal=a_signal(signal_id="2", action=Action.EXIT))
    state = replace(
        state, portfolio=a_state(POLICY, positions={BTC: ("0.1", "50000")}).portfolio, approvals=Approvals()
    )
    _, second = approved(state, POLICY, second_request)

    assert first.stream_sequence + 1 == second.stream_sequence
    assert second.previous_hash == state.intents_head
