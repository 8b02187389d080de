"""A flood of denied signals: so many are written down, the rest is counted; the strategy pauses, its exits do not."""

from datetime import datetime, timedelta

from gate_builders import BTC, NOW, SPELLING, a_policy, a_request, a_signal, a_state, decided

from gpt_trader.contracts import subjects
from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.signals import Action
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.commands import received
from gpt_trader.risk_gate.domain.decide import decide
from gpt_trader.risk_gate.domain.denials import is_withheld
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.records import DenialsWithheld
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import throttled

SECOND = timedelta(seconds=1)
POLICY = a_policy(
    escalation__strategy_denials=3,
    escalation__strategy_denials_window_seconds=10,
    escalation__strategy_denials_pause_seconds=30,
)


def a_denied(number: int, now: datetime = NOW, strategy: str = "hasty", action: Action = Action.ENTER) -> Request:
    """Ask with a signal that is too old."""
    signal = a_signal(
        signal_id=f"{strategy}-{number}", strategy=strategy, action=action, created_at=now - timedelta(minutes=5)
    )
    return a_request(signal=signal, now=now)


def flooded(count: int, state: GateState | None = None, strategy: str = "hasty") -> GateState:
    state = state or a_state(POLICY)
    for number in range(count):
        state, record = decided(state, POLICY, a_denied(number, strategy=strategy))
        assert record.decision.verdict is Verdict.DENIED
    return state


def is_one_too_many(state: GateState, request: Request) -> bool:
    return is_withheld(decide(request, state, POLICY, SPELLING), state, POLICY)


def test_so_many_denials_of_a_strategy_are_written_down_within_a_window() -> None:
    assert not is_one_too_many(flooded(2), a_denied(9))
    assert is_one_too_many(flooded(3), a_denied(9))
    assert is_one_too_many(flooded(3), a_denied(9, action=Action.EXIT))
    assert not is_one_too_many(flooded(3), a_denied(9, strategy="patient"))
    assert not is_one_too_many(flooded(3), a_denied(9, now=NOW + 10 * SECOND))


def test_strategies_that_are_only_names_may_together_fill_no_more_than_four() -> None:
    state = a_state(POLICY)
    for name in range(4):
        state = flooded(3, state, f"name-{name}")

    assert is_one_too_many(state, a_denied(9, strategy="another"))


def test_the_last_denial_that_is_written_down_pauses_the_strategy_and_no_other() -> None:
    before, after = flooded(2), flooded(3)
    cause = after.causes[0]

    assert before.causes == ()
    assert (cause.code, cause.strategy, cause.until) == ("strategy_throttled", "hasty", NOW + 30 * SECOND)
    assert throttled(after.causes, "hasty", NOW + 29 * SECOND)
    assert not throttled(after.causes, "hasty", NOW + 30 * SECOND)
    assert not throttled(after.causes, "patient", NOW)


def test_a_paused_strategy_still_exits_and_what_is_approved_is_never_withheld() -> None:
    state = flooded(3, a_state(POLICY, positions={BTC: ("0.1", "50000")}))
    entry = decide(a_request(signal=a_signal(strategy="hasty")), state, POLICY, SPELLING)
    leaving = decide(a_request(signal=a_signal(strategy="hasty", action=Action.EXIT)), state, POLICY, SPELLING)

    assert "strategy_is_enabled" in {found.rule for found in entry.decision.failures}
    assert leaving.decision.verdict is Verdict.APPROVED
    assert not is_withheld(leaving, state, POLICY)


def test_what_the_gate_asks_in_its_own_name_is_always_written_down() -> None:
    state = flooded(3)
    own = decide(
        a_request(signal=a_denied(9, action=Action.EXIT).signal, purpose=Purpose.PROTECTIVE, now=NOW),
        state,
        POLICY,
        SPELLING,
    )

    assert own.decision.verdict is Verdict.DENIED
    assert not is_withheld(own, state, POLICY)
    assert evolve(state, own).history.denials == state.history.denials


def test_an_operator_who_resumes_a_strategy_lets_it_begin_anew() -> None:
    state = flooded(3)
    resumed = evolve(state, received(subjects.CONTROL_RESUME, b"", 1, state, NOW))

    assert resumed.causes == ()
    assert not is_one_too_many(resumed, a_denied(9))


def test_a_sum_changes_nothing_that_decides() -> None:
    state = flooded(3)
    record = DenialsWithheld(strategies={"hasty": 5}, others=0, rules={"signal_is_fresh": 5}, since=NOW, at=NOW)

    assert evolve(state, record) == state
