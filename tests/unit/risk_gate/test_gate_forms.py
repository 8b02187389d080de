"""Each form's body is exactly what the venue's reference says, and each form's rules hold for any wish (EX1, G15)."""

import json
from datetime import timedelta
from typing import Any

import pytest
from gate_builders import (
    BTC,
    NOW,
    SPELLING,
    D,
    a_market,
    a_policy,
    a_request,
    a_review,
    a_signal,
    a_spec,
    a_state,
    failures,
)
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.forms import OrderAsked, OrderForm, TimeInForce
from gpt_trader.contracts.signals import Action, Side
from gpt_trader.risk_gate.domain.decide import decide
from gpt_trader.risk_gate.domain.preview import draft
from gpt_trader.risk_gate.domain.shape import Shape
from gpt_trader.risk_gate.domain.spelling import NoBody, Ticket

EVERY = sorted(set(OrderForm) - {OrderForm.MARKET_IOC})
POLICY = a_policy(execution__forms=[form.value for form in EVERY], protection__stop_limit_bps=500)
END = NOW + timedelta(minutes=15)
ENDED = "2026-11-18T14:45:00.000Z"
SIZE = {"base_size": "0.3", "limit_price": "50000"}
STOP = {"stop_price": "49000", "stop_direction": "STOP_DIRECTION_STOP_DOWN"}


def a_ticket(form: OrderForm, **changes: Any) -> Ticket:
    fields = {
        "product": BTC,
        "side": Side.SELL,
        "quantity": D("0.30"),
        "increment": D("0.00000001"),
        "limit_price": D("5E+4"),
        "stop_price": D(49000),
        "shape": Shape(form=form, end_time=END, life=END - NOW, post_only=True),
        "now": NOW,
    }
    return Ticket(**(fields | changes))


@pytest.mark.parametrize(
    ("form", "key", "terms"),
    [
        (OrderForm.LIMIT_IOC, "sor_limit_ioc", SIZE),
        (OrderForm.LIMIT_FOK, "limit_limit_fok", SIZE),
        (OrderForm.LIMIT_GTC, "limit_limit_gtc", {**SIZE, "post_only": True}),
        (OrderForm.LIMIT_GTD, "limit_limit_gtd", {**SIZE, "end_time": ENDED, "post_only": True}),
        (OrderForm.STOP_LIMIT_GTC, "stop_limit_stop_limit_gtc", {**SIZE, **STOP}),
        (OrderForm.STOP_LIMIT_GTD, "stop_limit_stop_limit_gtd", {**SIZE, **STOP, "end_time": ENDED}),
        (OrderForm.BRACKET_GTC, "trigger_bracket_gtc", {**SIZE, "stop_trigger_price": "49000"}),
        (OrderForm.BRACKET_GTD, "trigger_bracket_gtd", {**SIZE, "stop_trigger_price": "49000", "end_time": ENDED}),
        (
            OrderForm.TWAP_GTD,
            "twap_limit_gtd",
            {
                **SIZE,
                "start_time": "2026-11-18T14:30:00.000Z",
                "end_time": ENDED,
                "number_buckets": "3",
                "bucket_size": "0.1",
                "bucket_duration": "300s",
            },
        ),
    ],
)
def test_each_form_is_spelled_as_the_venue_reads_it(form: OrderForm, key: str, terms: dict[str, object]) -> None:
    body = json.loads(SPELLING.create(a_ticket(form), None))

    assert body == {"product_id": BTC, "side": "SELL", "order_configuration": {key: terms}}


def test_a_market_order_has_no_body_and_neither_has_a_form_without_what_it_is_made_of() -> None:
    for ticket in (
        a_ticket(OrderForm.MARKET_IOC),
        a_ticket(OrderForm.STOP_LIMIT_GTC, stop_price=None),
        a_ticket(OrderForm.LIMIT_GTD, shape=Shape(form=OrderForm.LIMIT_GTD)),
    ):
        with pytest.raises(NoBody):
            SPELLING.create(ticket, None)


def a_wish(action: Action, asked: OrderAsked, **changes: Any) -> dict[str, Any]:
    return {"signal": a_signal(action=action, order=asked, **changes), "policy": POLICY}


@given(
    st.sampled_from(sorted(OrderForm)),
    st.booleans(),
    st.none() | st.integers(1, 1000),
    st.booleans(),
    st.sampled_from(list(Action)),
)
def test_whatever_is_wished_only_what_the_rules_allow_is_approved(
    form: OrderForm,
    post_only: bool,  # noqa: FBT001 - given by Hypothesis
    life: int | None,
    attached: bool,  # noqa: FBT001 - as above
    action: Action,
) -> None:
    asked = OrderAsked(form=form, post_only=post_only, life_seconds=life, is_attached=attached)
    state = a_state(POLICY, positions={BTC: ("0.01", "50000")})
    request = a_request(signal=a_signal(action=action, order=asked))

    record = decide(request, state, POLICY, SPELLING)

    if record.intent is None:
        return
    assert form is not OrderForm.MARKET_IOC
    assert not attached
    assert record.intent.form is form
    assert (record.intent.end_time is not None) is (form.time_in_force is TimeInForce.GTD)
    if action is Action.ENTER:
        assert form.time_in_force in {TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTD}
        assert life is None or not form.rests or life <= 120


def test_a_post_only_price_that_would_take_is_denied() -> None:
    asked = OrderAsked(form=OrderForm.LIMIT_GTC, post_only=True)
    state = a_state(POLICY, positions={BTC: ("0.01", "50000")})

    found = a_review(state, **a_wish(Action.EXIT, asked, target_price=D(49990)))
    resting = a_review(state, **a_wish(Action.EXIT, asked, target_price=D(50100)))

    assert failures(found).keys() == {"post_only_rests"}
    assert resting.verdict is Verdict.APPROVED
    assert resting.limit_price == D(50100)


def test_a_post_only_market_takes_what_makes_and_nothing_else() -> None:
    market = a_market(spec=a_spec(is_post_only=True))
    making = OrderAsked(form=OrderForm.LIMIT_GTD, post_only=True, life_seconds=20)

    assert a_review(market=market, **a_wish(Action.ENTER, making)).verdict is Verdict.APPROVED
    taking = a_review(market=market, **a_wish(Action.ENTER, OrderAsked(form=OrderForm.LIMIT_IOC)))
    assert failures(taking).keys() == {"product_accepts_orders"}


def test_a_market_for_limits_only_takes_no_order_that_waits_for_a_trigger() -> None:
    state = a_state(POLICY, positions={BTC: ("0.01", "50000")})
    market = a_market(spec=a_spec(is_limit_only=True))

    found = a_review(state, market=market, **a_wish(Action.EXIT, OrderAsked(form=OrderForm.STOP_LIMIT_GTC)))

    assert "form_is_offered" in failures(found)


def test_a_bracket_needs_both_of_its_prices() -> None:
    state = a_state(POLICY, positions={BTC: ("0.01", "50000")})
    asked = OrderAsked(form=OrderForm.BRACKET_GTC)

    for missing in ({"stop_price": None}, {"target_price": None}):
        found = a_review(state, **a_wish(Action.EXIT, asked, **missing))
        assert "form_has_its_terms" in failures(found)


def test_the_venue_is_asked_about_the_form_that_would_be_sent() -> None:
    asking = a_policy(preview__is_asked=True, execution__style="maker_first")

    asked = draft(a_request(), a_state(asking), asking, SPELLING)

    assert asked is not None
    body = json.loads(asked.body)
    assert "client_order_id" not in body
    assert list(body["order_configuration"]) == ["limit_limit_gtd"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"execution__forms": ["market_ioc", "limit_ioc"]}, "it has no price"),
        ({"execution__forms": ["limit_fok"]}, "must name limit_ioc"),
        ({"execution__forms": ["limit_ioc"], "execution__style": "maker_first"}, "must name limit_gtd"),
        ({"execution__entry_life_seconds": 10}, "must not be below execution.ttl_seconds"),
        ({"execution__entry_life_seconds": 121}, "entry_life_seconds"),
        ({"execution__fallback_bps": {"T1": 20}}, "needs every tier"),
        ({"execution__forms": ["limit_ioc"]}, "while protection.venue_stops is true"),
        ({"execution__forms": [form.value for form in EVERY]}, "names a bracket"),
    ],
)
def test_a_policy_whose_forms_contradict_its_limits_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        a_policy(**changes)


def test_equal_lists_of_forms_are_one_version() -> None:
    forms = [form.value for form in EVERY]
    backward = a_policy(execution__forms=[*reversed(forms), forms[0]], protection__stop_limit_bps=500)

    assert backward.version() == POLICY.version()
