"""Commands, causes, and what denials, rejections and slippage do to trading."""

from datetime import timedelta

import pytest
from gate_builders import (
    BTC,
    ETH,
    NOW,
    D,
    a_feed,
    a_fill,
    a_market,
    a_policy,
    a_request,
    a_signal,
    a_state,
    a_tick,
    a_trade,
    an_order_event,
    approved,
    decided,
)

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.market import FeedState
from gpt_trader.contracts.orders import FillKind, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.commands import received
from gpt_trader.risk_gate.domain.consequences import has_slipped, of_fill, of_report, reduce_only
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.hints import hint_of
from gpt_trader.risk_gate.domain.records import CauseRaised, FillReported, OrderReported, Reconciled
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode, phrase, standing

SECOND = timedelta(seconds=1)


def commanded(state: GateState, subject: str, payload: bytes = b"") -> GateState:
    return evolve(state, received(subject, payload, state.control_sequence + 1, state, NOW))


def status(state: GateState, product: str | None = None, after: timedelta = timedelta(0)) -> TradingStatus:
    return standing(state.causes, product, NOW + after).status


def restricted(code: CauseCode, how: TradingStatus, product: str | None = None) -> GateState:
    cause = Cause(code=code, status=how, detail="", product=product, since=NOW, until=None)
    return evolve(a_state(), CauseRaised(cause=cause, at=NOW))


@pytest.mark.parametrize("payload", [b"", b"now", b"\xff\xfe\x00", b"{}", b'{"reason":"test"}', b"x" * 5000])
def test_any_bytes_kill(payload: bytes) -> None:
    assert status(commanded(a_state(), subjects.CONTROL_KILL, payload)) is TradingStatus.HALTED


def test_only_a_reset_ends_a_kill() -> None:
    killed = commanded(a_state(), subjects.CONTROL_KILL)

    for subject in (subjects.CONTROL_RESUME, subjects.CONTROL_PAUSE, subjects.CONTROL_REDUCE_ONLY):
        assert status(commanded(killed, subject)) is TradingStatus.HALTED
    assert status(commanded(killed, subjects.CONTROL_RESET)) is TradingStatus.ACTIVE


def test_after_a_reset_the_worst_of_what_else_holds_remains() -> None:
    state = commanded(commanded(a_state(), subjects.CONTROL_REDUCE_ONLY), subjects.CONTROL_KILL)

    assert status(commanded(state, subjects.CONTROL_RESET)) is TradingStatus.REDUCE_ONLY


@pytest.mark.parametrize(
    ("subject", "payload"),
    [
        (subjects.CONTROL_PAUSE, b"now"),
        (subjects.CONTROL_PAUSE, b'{"minutes":0}'),
        (subjects.CONTROL_RESUME, b'{"produkt":"BTC-USD"}'),
        (subjects.CONTROL_RESET, b"[]"),
        ("control.resett", b""),
    ],
)
def test_a_malformed_command_is_refused_and_changes_nothing(subject: str, payload: bytes) -> None:
    killed = commanded(a_state(), subjects.CONTROL_KILL)

    record = received(subject, payload, 9, killed, NOW)

    assert record.note.startswith("refused: ")
    assert evolve(killed, record).causes == killed.causes


def test_a_pause_ends_by_itself_and_may_be_of_one_product() -> None:
    state = commanded(a_state(), subjects.CONTROL_PAUSE, b'{"product":"BTC-USD","minutes":5}')

    assert status(state) is TradingStatus.ACTIVE
    assert status(state, BTC) is TradingStatus.PAUSED
    assert status(state, BTC, timedelta(minutes=5)) is TradingStatus.ACTIVE


def test_resume_clears_what_an_operator_may_clear_and_nothing_else() -> None:
    for code in (CauseCode.DAILY_LOSS, CauseCode.STARTING, CauseCode.STATE_STORE):
        assert status(commanded(restricted(code, TradingStatus.REDUCE_ONLY), subjects.CONTROL_RESUME)) is not (
            TradingStatus.ACTIVE
        )
    for code in (CauseCode.INFRASTRUCTURE, CauseCode.OPERATOR_REDUCE_ONLY, CauseCode.BALANCE_MISMATCH):
        state = restricted(code, TradingStatus.REDUCE_ONLY)
        assert status(commanded(state, subjects.CONTROL_RESUME)) is TradingStatus.ACTIVE


def test_a_resume_waits_for_books_that_agree() -> None:
    differing = evolve(a_state(), Reconciled(is_equal=False, detail="25 USD", at=NOW))
    differing = evolve(differing, CauseRaised(cause=reduce_only(CauseCode.BALANCE_MISMATCH, "25 USD", NOW), at=NOW))
    agreeing = evolve(differing, Reconciled(is_equal=True, detail="equal", at=NOW))

    assert status(commanded(differing, subjects.CONTROL_RESUME)) is TradingStatus.REDUCE_ONLY
    assert "balance_mismatch stays" in received(subjects.CONTROL_RESUME, b"", 1, differing, NOW).note
    assert status(commanded(agreeing, subjects.CONTROL_RESUME)) is TradingStatus.ACTIVE


def test_after_a_flatten_nothing_is_bought_back() -> None:
    assert status(commanded(a_state(), subjects.CONTROL_FLATTEN)) is TradingStatus.REDUCE_ONLY
    one = commanded(a_state(), subjects.CONTROL_FLATTEN, b'{"product":"BTC-USD"}')
    assert (status(one), status(one, BTC)) == (TradingStatus.ACTIVE, TradingStatus.PAUSED)


def test_the_worst_cause_wins_and_each_state_has_its_own_words() -> None:
    state = commanded(commanded(a_state(), subjects.CONTROL_PAUSE), subjects.CONTROL_REDUCE_ONLY)

    assert status(state) is TradingStatus.PAUSED
    assert len({phrase(known) for known in TradingStatus}) == len(TradingStatus)


def test_a_stale_mark_pauses_its_product_for_two_minutes() -> None:
    policy = a_policy()
    request = a_request(market=a_market(tick=a_tick(at=NOW - 31 * SECOND)))

    state, _ = decided(a_state(policy), policy, request)

    assert status(state, BTC) is TradingStatus.PAUSED
    assert status(state, ETH) is TradingStatus.ACTIVE
    assert status(state, BTC, timedelta(seconds=120)) is TradingStatus.ACTIVE


@pytest.mark.parametrize(("count", "expected"), [(4, TradingStatus.ACTIVE), (5, TradingStatus.REDUCE_ONLY)])
def test_five_infrastructure_denials_in_ten_minutes_go_reduce_only(count: int, expected: TradingStatus) -> None:
    policy, state = a_policy(), a_state()
    for number in range(count):
        now = NOW - timedelta(seconds=120) * (count - number - 1)
        signal = a_signal(signal_id=f"s{number}", created_at=now)
        market = a_market(at=now, feed=a_feed(state=FeedState.GAP))
        state, _ = decided(state, policy, a_request(signal=signal, market=market, now=now))

    assert status(state) is expected


def test_denials_of_the_wish_do_not_escalate() -> None:
    policy, state = a_policy(), a_state()
    for number in range(20):
        state, _ = decided(state, policy, a_request(signal=a_signal(signal_id=f"s{number}"), is_in_universe=False))

    assert status(state) is TradingStatus.ACTIVE


def test_too_many_same_orders_pause_the_product() -> None:
    policy = a_policy(repeats__same_orders=1, signals__duplicate_window_seconds=0, frequency__between_trades_seconds=0)
    state, _ = approved(a_state(policy), policy, a_request())
    state, _ = decided(state, policy, a_request(signal=a_signal(signal_id="2")))

    assert status(state, BTC) is TradingStatus.PAUSED


def test_three_rejections_in_ten_minutes_pause_the_product() -> None:
    policy = a_policy()
    state, intent = approved(a_state(policy), policy, a_request())
    for revision in (1, 2, 3):
        event = an_order_event(intent, OrderStatus.REJECTED, revision)
        raised = of_report(event, state, policy, NOW)
        state = evolve(state, OrderReported(event=event, sequence=revision, raised=raised, at=NOW))
        assert (status(state, BTC) is TradingStatus.PAUSED) is (revision == 3)

    assert status(state, BTC, timedelta(seconds=300)) is TradingStatus.ACTIVE


def test_three_slipped_fills_pause_the_product_for_a_minute() -> None:
    policy = a_policy()
    state, intent = approved(a_state(policy), policy, a_request())
    for number in (1, 2, 3):
        fill = a_fill(intent, "0.001", number, price=D("50250.01"))
        is_slippage = has_slipped(fill, state.approvals[intent.client_order_id], policy)
        raised = of_fill(fill, state, policy, NOW)
        state = evolve(state, FillReported(fill=fill, sequence=number, is_slippage=is_slippage, raised=raised, at=NOW))
        assert (status(state, BTC) is TradingStatus.PAUSED) is (number == 3)

    at_limit = a_fill(intent, "0.001", 9, price=D(50250))
    assert not has_slipped(at_limit, state.approvals[intent.client_order_id], policy)


def test_a_report_or_fill_of_an_order_nobody_approved_halts() -> None:
    policy = a_policy()
    _, intent = approved(a_state(policy), policy, a_request())
    elsewhere = a_state(policy)

    reported = of_report(an_order_event(intent, OrderStatus.OPEN), elsewhere, policy, NOW)
    filled = of_fill(a_fill(intent, "0.001"), elsewhere, policy, NOW)

    assert {cause.status for cause in (*reported, *filled)} == {TradingStatus.HALTED}


def test_a_fill_that_the_books_cannot_explain_restricts_trading() -> None:
    policy = a_policy()
    state, intent = approved(a_state(policy), policy, a_request())
    too_much = of_fill(a_fill(intent, intent.quantity * 2), state, policy, NOW)
    unknown = of_fill(a_fill(intent, "0.001", kind=FillKind.CORRECTION), state, policy, NOW)
    short = of_fill(
        a_trade(Side.SELL, "1", "100").model_copy(update={"client_order_id": intent.client_order_id}),
        state,
        policy,
        NOW,
    )

    for causes in (too_much, unknown, short):
        assert TradingStatus.REDUCE_ONLY in {cause.status for cause in causes}


def test_a_cause_of_another_release_holds_until_a_reset_and_says_where_to_look() -> None:
    cause = Cause(code="of_tomorrow", status=TradingStatus.PAUSED, detail="", product=None, since=NOW, until=None)
    state = evolve(a_state(), CauseRaised(cause=cause, at=NOW))

    assert status(state) is TradingStatus.PAUSED
    assert status(commanded(state, subjects.CONTROL_RESUME)) is TradingStatus.PAUSED
    assert status(commanded(state, subjects.CONTROL_RESET)) is TradingStatus.ACTIVE
    assert "another release" in hint_of(cause.code)
