"""G16: an order that everything else lets through is shown to the venue first; no answer is a no."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from gate_builders import NOW, SPELLING, a_policy, a_request, a_signal, a_state

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import Outcome, Verdict
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.signals import Action, Side
from gpt_trader.risk_gate.domain.checks.case import Preview, Request
from gpt_trader.risk_gate.domain.decide import decide, request_of
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.preview import Draft, draft
from gpt_trader.risk_gate.domain.records import DecisionMade
from gpt_trader.risk_gate.domain.replay import rejudged
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode, standing

ASKING = a_policy(preview={"is_asked": True, "failures_in_a_row": 3})


def the_draft(request: Request, state: GateState, policy: Policy = ASKING) -> Draft:
    asked = draft(request, state, policy, SPELLING)
    assert asked is not None
    return asked


def answered(request: Request, state: GateState, *refusals: str) -> Request:
    asked = the_draft(request, state)
    return replace(request, preview=Preview(quantity=asked.quantity, limit_price=asked.limit_price, refusals=refusals))


def outcome(record: DecisionMade) -> Outcome:
    return next(found.outcome for found in record.decision.checks if found.rule == "venue_would_take_it")


def test_the_venue_is_shown_the_very_order_that_would_be_sent() -> None:
    state = a_state(ASKING)

    shown = json.loads(the_draft(a_request(), state).body)

    record = decide(answered(a_request(), state), state, ASKING, SPELLING)
    assert record.intent is not None
    sent = json.loads(record.intent.body)
    del sent["client_order_id"]
    assert shown == sent


def test_an_order_that_the_venue_was_not_asked_about_is_never_approved() -> None:
    record = decide(a_request(), a_state(ASKING), ASKING, SPELLING)

    assert record.decision.verdict is Verdict.DENIED


def test_a_refusal_of_the_venue_denies_and_is_named() -> None:
    state = a_state(ASKING)

    record = decide(answered(a_request(), state, "PREVIEW_INSUFFICIENT_FUND"), state, ASKING, SPELLING)

    assert [found.rule for found in record.decision.failures] == ["venue_would_take_it"]
    assert record.decision.failures[0].value == "PREVIEW_INSUFFICIENT_FUND"


@pytest.mark.parametrize("change", [{"quantity": Decimal("0.00001")}, {"limit_price": Decimal(1)}])
def test_the_answer_counts_for_no_other_order(change: dict[str, Decimal]) -> None:
    state = a_state(ASKING)
    request = answered(a_request(), state)
    assert request.preview is not None

    record = decide(replace(request, preview=replace(request.preview, **change)), state, ASKING, SPELLING)

    assert [found.rule for found in record.decision.failures] == ["venue_would_take_it"]


def test_what_something_else_denies_is_not_shown_and_says_so() -> None:
    state = a_state(ASKING)
    outside = a_request(is_in_universe=False)

    record = decide(outside, state, ASKING, SPELLING)

    assert draft(outside, state, ASKING, SPELLING) is None
    assert outcome(record) is Outcome.SKIPPED
    assert [found.rule for found in record.decision.failures] == ["product_is_in_universe"]


@pytest.mark.parametrize("purpose", [Purpose.PROTECTIVE, Purpose.FLATTEN])
def test_protective_exits_and_flatten_do_not_wait_for_the_venues_word(purpose: Purpose) -> None:
    state = a_state(ASKING, positions={"BTC-USD": ("0.1", "64251")})
    request = a_request(signal=a_signal(action=Action.EXIT, side=Side.SELL), purpose=purpose)

    assert draft(request, state, ASKING, SPELLING) is None
    assert decide(request, state, ASKING, SPELLING).decision.verdict is Verdict.APPROVED


def test_so_many_failures_in_a_row_leave_reduce_only_and_one_good_answer_begins_anew() -> None:
    state = a_state(ASKING)

    for number, refusals in enumerate((("A",), ("B",), (), ("C",), ("D",), ("E",))):
        request = a_request(signal=a_signal(signal_id=f"{number:032x}", product="ETH-USD" if number % 2 else "BTC-USD"))
        shown = replace(request, preview=Preview(quantity=Decimal(1), limit_price=Decimal(1), refusals=refusals))
        assert standing(state.causes, None, NOW).status is TradingStatus.ACTIVE
        state = evolve(state, decide(shown, state, ASKING, SPELLING))

    assert standing(state.causes, None, NOW).status is TradingStatus.REDUCE_ONLY
    assert standing(state.causes, None, NOW).codes == (CauseCode.PREVIEWS,)


def test_the_venues_word_is_part_of_the_recorded_request() -> None:
    state = a_state(ASKING)
    request = answered(a_request(), state)

    assert request_of(decide(request, state, ASKING, SPELLING)) == request


def test_rejudging_does_not_invent_what_the_venue_would_have_said() -> None:
    silent = a_policy()
    state = a_state(silent)
    record = decide(a_request(), state, silent, SPELLING)

    [judged] = rejudged([record], ASKING)

    assert all(finding is None or finding[1] != "not asked" for finding in judged.review.findings)
