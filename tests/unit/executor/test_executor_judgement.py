"""What an answer means, when an absent order is dead, what the venue's words mean, and when nothing may be sent."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gpt_trader.contracts.account import TradingState, TradingStatus
from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.message import GENESIS_HASH
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.executor.domain import records
from gpt_trader.executor.domain.order import IllegalTransition, Order, evolve
from gpt_trader.executor.domain.permission import Permission, heard, killed, leaderless, objection
from gpt_trader.executor.domain.submission import (
    Attempt,
    Created,
    CreateReply,
    Declined,
    ErrorStatus,
    Silence,
    Unreadable,
    classify,
)
from gpt_trader.executor.domain.venue import Fence, VenueOrder, absent, contradicts, observed

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
ID = ClientOrderId("order")
VENUE_ID = VenueOrderId("venue-order")
FENCE = Fence(token_life=timedelta(seconds=15), clock_bound=timedelta(seconds=2), visibility=timedelta(seconds=30))
ATTEMPT = Attempt(
    client_order_id=ID,
    permit_before=NOW + timedelta(seconds=5),
    answered_at=NOW + timedelta(seconds=1),
    now=NOW,
)
Intents = Callable[..., ApprovedIntent]


def http(status: int, error: str = "", details: str = "") -> ErrorStatus:
    return ErrorStatus(status=status, error=error, details=details)


@pytest.mark.parametrize(
    ("reply", "kind", "reason"),
    [
        (Created(venue_order_id=VENUE_ID, client_order_id=ID), "accepted", None),
        (Created(venue_order_id=VENUE_ID, client_order_id=ClientOrderId("another")), "unclear", "other_order"),
        (Declined(reason="INSUFFICIENT_FUND"), "rejected", "INSUFFICIENT_FUND"),
        (http(400, "INVALID_ARGUMENT", "bad size"), "rejected", "bad size"),
        (http(401), "rejected", "http_401"),
        (http(403, "PERMISSION_DENIED", "Missing required scopes"), "rejected", "Missing required scopes"),
        (http(429), "rejected", "http_429"),
        (http(403, "PERMIT_REFUSED", "price_moved"), "abandoned", "price_moved"),
        (http(403, "PERMIT_REFUSED", "dry_run"), "abandoned", "dry_run"),
        (http(403, "PERMIT_REFUSED", "permit_already_issued"), "unclear", "permit_already_issued"),
        (http(403, "PERMIT_REFUSED", ""), "unclear", "permit_already_issued"),
        *[(http(status), "unclear", "server_error") for status in (404, 408, 409, 418, 500, 502, 503, 504, 599)],
        (Unreadable(detail="html"), "unclear", "unreadable_answer"),
        (Silence(detail="timeout"), "unclear", "no_answer"),
    ],
)
def test_only_a_definitive_refusal_ends_an_order(reply: CreateReply, kind: str, reason: str | None) -> None:
    outcome = classify(reply, ATTEMPT)

    assert outcome.kind == kind
    if not isinstance(outcome, records.Accepted):
        assert outcome.reason == reason


def test_an_answer_bounds_the_permit_and_silence_does_not() -> None:
    answered, silent = classify(http(500), ATTEMPT), classify(Silence(detail="reset"), ATTEMPT)

    assert isinstance(answered, records.Unclear)
    assert isinstance(silent, records.Unclear)
    assert answered.permit_before == ATTEMPT.answered_at
    assert silent.permit_before == ATTEMPT.permit_before


def doubtful(intent: ApprovedIntent) -> Order:
    order = Order(intent=intent)
    unclear = records.Unclear(client_order_id=order.client_order_id, reason="no_answer", permit_before=NOW, at=NOW)
    return evolve(order, unclear)[0]


def test_an_absent_order_is_dead_only_47_seconds_after_the_last_possible_permit(an_approval: Intents) -> None:
    order = doubtful(an_approval())

    assert absent(order, FENCE, NOW + timedelta(seconds=47), NOW) is None
    verdict = absent(order, FENCE, NOW + timedelta(seconds=47, microseconds=1), NOW)
    assert verdict is not None
    assert evolve(order, verdict)[0].status is OrderStatus.FAILED


def seen(status: OrderStatus, filled: str = "0", venue_order_id: str = VENUE_ID) -> VenueOrder:
    return VenueOrder(
        venue_order_id=VenueOrderId(venue_order_id),
        client_order_id=ID,
        product="BTC-USD",
        status=status,
        filled_quantity=Decimal(filled),
        reason="",
        created_at=NOW,
        updated_at=NOW,
    )


@pytest.mark.parametrize(
    "status",
    [OrderStatus.OPEN, OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED],
)
def test_every_status_of_the_venue_resolves_a_doubt(status: OrderStatus, an_approval: Intents) -> None:
    order = doubtful(an_approval())

    news = observed(order, seen(status), NOW)

    assert news is not None
    assert evolve(order, news)[0].status is status


def test_a_status_that_says_nothing_means_ask_again(an_approval: Intents) -> None:
    assert observed(doubtful(an_approval()), seen(OrderStatus.UNKNOWN), NOW) is None


def working(intent: ApprovedIntent) -> Order:
    order = doubtful(intent)
    news = observed(order, seen(OrderStatus.OPEN, "0.5"), NOW)
    assert news is not None
    return evolve(order, news)[0]


def test_older_states_and_repetitions_are_no_news(an_approval: Intents) -> None:
    order = working(an_approval())

    assert observed(order, seen(OrderStatus.OPEN, "0.5"), NOW) is None
    assert observed(order, seen(OrderStatus.OPEN, "0.25"), NOW) is None
    claimed = replace(order, ending=OrderStatus.CANCELED)
    assert observed(claimed, seen(OrderStatus.OPEN, "0.5"), NOW) is None
    assert observed(order, seen(OrderStatus.CANCELED, "0.5"), NOW) is not None


def test_an_order_that_must_not_exist_is_a_contradiction(an_approval: Intents) -> None:
    dead = replace(doubtful(an_approval()), status=OrderStatus.FAILED)

    assert contradicts(dead, seen(OrderStatus.OPEN))
    assert contradicts(dead, seen(OrderStatus.CANCELED, "0.1"))
    assert not contradicts(dead, seen(OrderStatus.REJECTED))
    assert contradicts(working(an_approval()), seen(OrderStatus.OPEN, venue_order_id="another"))
    assert observed(working(an_approval()), seen(OrderStatus.FILLED, venue_order_id="another"), NOW) is None


def test_what_was_tried_once_can_not_be_tried_again(an_approval: Intents) -> None:
    again = records.Submitting(client_order_id=ID, permit_before=NOW, at=NOW)

    for order in (doubtful(an_approval()), working(an_approval())):
        with pytest.raises(IllegalTransition):
            evolve(order, again)


def state(status: TradingStatus) -> TradingState:
    return TradingState(
        status=status,
        causes=(),
        epoch=1,
        sequence=1,
        creates_in_flight=0,
        decisions=0,
        records=0,
        head_hash=GENESIS_HASH,
        published_at=NOW,
    )


AGE = timedelta(seconds=3)


def test_a_start_is_halted_and_a_word_lasts_three_seconds() -> None:
    active = heard(Permission(), state(TradingStatus.ACTIVE), NOW)

    assert objection(Permission(), Purpose.ENTRY, NOW, AGE) == "trading_state_unheard"
    assert objection(active, Purpose.ENTRY, NOW + AGE, AGE) is None
    assert objection(active, Purpose.EXIT, NOW + AGE + timedelta(microseconds=1), AGE) == "trading_state_stale"


@pytest.mark.parametrize("status", TradingStatus)
def test_every_fresh_word_of_the_gate_is_a_lead_also_halted(status: TradingStatus) -> None:
    led = heard(Permission(), state(status), NOW)

    assert leaderless(led, NOW + AGE, AGE) is None
    assert leaderless(led, NOW + AGE + timedelta(microseconds=1), AGE) == "trading_state_stale"
    assert leaderless(Permission(), NOW, AGE) == "trading_state_unheard"


def test_a_kill_that_the_gate_does_not_acknowledge_ends_the_lead() -> None:
    dead = killed(heard(Permission(), state(TradingStatus.ACTIVE), NOW))
    later = NOW + AGE + timedelta(microseconds=1)

    ignored, acknowledged = (heard(dead, state(one), later) for one in (TradingStatus.ACTIVE, TradingStatus.HALTED))

    assert leaderless(ignored, later, AGE) == "trading_state_stale"
    assert leaderless(acknowledged, later, AGE) is None


def test_a_kill_holds_against_words_that_are_older_than_it() -> None:
    dead = killed(heard(Permission(), state(TradingStatus.ACTIVE), NOW))
    late = heard(dead, state(TradingStatus.ACTIVE), NOW)
    acknowledged = heard(late, state(TradingStatus.HALTED), NOW)
    released = heard(acknowledged, state(TradingStatus.REDUCE_ONLY), NOW)

    assert objection(late, Purpose.FLATTEN, NOW, AGE) == "kill"
    assert objection(acknowledged, Purpose.EXIT, NOW, AGE) == "kill"
    assert objection(acknowledged, Purpose.FLATTEN, NOW, AGE) is None
    assert objection(released, Purpose.EXIT, NOW, AGE) is None
