"""Which fault strikes what, and when: from order, time and seed alone."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.exchange_sim.domain.faults.board import FaultBoard
from gpt_trader.exchange_sim.domain.faults.fault import Fault, Scenario
from gpt_trader.exchange_sim.domain.faults.kinds import KINDS, FaultKind

CREATE = "POST /orders"
KINDS_THAT_STRIKE = [FaultKind.HTTP_429, FaultKind.LOST_REPLY, FaultKind.REJECT_401_ONCE]


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def board_of(*faults: dict[str, Any]) -> FaultBoard:
    board = FaultBoard()
    board.arm([Fault.model_validate(fault) for fault in faults], seconds(0))
    return board


def strikes(board: FaultBoard, times: list[float], kind: FaultKind = FaultKind.HTTP_429) -> list[bool]:
    return [board.strike(kind, board.occasion(CREATE, "BTC-USD", "BUY"), seconds(at)) is not None for at in times]


@pytest.mark.parametrize(
    ("terms", "struck"),
    [
        ({}, [True, False, False, False]),
        ({"times": 2}, [True, True, False, False]),
        ({"times": -1}, [True, True, True, True]),
        ({"after": 2}, [False, False, True, False]),
        ({"at_s": 2, "times": -1}, [False, False, True, True]),
        ({"at_s": 1, "for_s": 1, "times": -1}, [False, True, False, False]),
        ({"match": "GET"}, [False, False, False, False]),
        ({"match": "orders", "product": "BTC-USD", "side": "BUY"}, [True, False, False, False]),
        ({"product": "ETH-USD"}, [False, False, False, False]),
        ({"side": "SELL"}, [False, False, False, False]),
    ],
)
def test_a_fault_strikes_where_and_when_it_says(terms: dict[str, Any], struck: list[bool]) -> None:
    assert strikes(board_of({"kind": "http_429", **terms}), [0, 1, 2, 3]) == struck


def test_what_lasts_begins_and_ends_with_its_time_or_when_it_is_disarmed() -> None:
    board = board_of({"kind": "maintenance", "at_s": 1, "for_s": 1}, {"kind": "no_idempotency"})

    first = [(fault.kind, holds) for fault, holds in board.pass_time(seconds(0))]
    second = [(fault.kind, holds) for fault, holds in board.pass_time(seconds(1))]
    board.disarm()
    third = {(fault.kind, holds) for fault, holds in board.pass_time(seconds(1.5))}

    assert first == [(FaultKind.NO_IDEMPOTENCY, True)]
    assert second == [(FaultKind.MAINTENANCE, True)]
    assert third == {(FaultKind.MAINTENANCE, False), (FaultKind.NO_IDEMPOTENCY, False)}
    assert not board.armed
    assert [firing.phase for firing in board.fired] == ["began", "began", "ended", "ended"]


def test_a_chance_is_drawn_anew_each_time_and_from_the_seed() -> None:
    runs = [
        strikes(board_of({"kind": "http_429", "times": -1, "probability": "0.3", "seed": seed}), [0] * 400)
        for seed in (1, 1, 2)
    ]

    assert runs[0] == runs[1] != runs[2]
    assert 80 < sum(runs[0]) < 160


FAULTS = st.builds(
    lambda kind, after, times, probability, seed: Fault(
        kind=kind, after=after, times=times, probability=Decimal(probability) / 10, seed=seed
    ),
    st.sampled_from(KINDS_THAT_STRIKE),
    st.integers(0, 3),
    st.sampled_from([-1, 1, 2, 3]),
    st.integers(1, 10),
    st.integers(0, 9),
)
OCCASIONS = st.lists(st.tuples(st.sampled_from(KINDS_THAT_STRIKE), st.sampled_from(["GET /a", "POST /b"])), max_size=60)


@given(faults=st.lists(FAULTS, max_size=6), occasions=OCCASIONS)
def test_a_recorded_run_happens_again_on_the_same_occasions(
    faults: list[Fault], occasions: list[tuple[FaultKind, str]]
) -> None:
    def run(board: FaultBoard, pause: int) -> list[bool]:
        return [
            board.strike(kind, board.occasion(target), seconds(number * pause)) is not None
            for number, (kind, target) in enumerate(occasions)
        ]

    first, again = FaultBoard(), FaultBoard()
    first.arm(faults, seconds(0))
    struck = run(first, 1)
    again.repeat(first.fired)

    assert run(again, 7) == struck
    assert [(one.target, one.ordinal, one.fault) for one in again.fired] == [
        (one.target, one.ordinal, one.fault) for one in first.fired
    ]


def test_sockets_and_silences_are_repeated_at_the_same_time() -> None:
    first = board_of({"kind": "ws_drop", "match": "user", "at_s": 3}, {"kind": "stale_feed", "at_s": 1, "for_s": 2})
    for at in (0.5, 1, 3.5):
        first.pass_time(seconds(at))
    first.strike(FaultKind.WS_DROP, first.occasion("user: ticker:BTC-USD"), seconds(4))
    again = FaultBoard()
    again.repeat(first.fired)

    again.pass_time(seconds(1.1))
    assert again.held(FaultKind.STALE_FEED)
    again.pass_time(seconds(3.6))
    assert not again.held(FaultKind.STALE_FEED)
    early = again.strike(FaultKind.WS_DROP, again.occasion("user: ticker:BTC-USD"), seconds(3.9))
    late = again.strike(FaultKind.WS_DROP, again.occasion("user: ticker:BTC-USD"), seconds(4.1))
    assert (early, late is not None) == (None, True)


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_kind_is_described_with_an_example_that_is_valid(kind: FaultKind) -> None:
    example = Fault.model_validate({"kind": kind, **KINDS[kind].example})

    assert KINDS[kind].meaning
    assert Fault.model_validate_json(example.model_dump_json(exclude_defaults=True)) == example


def test_faults_of_a_scenario_draw_from_seeds_of_their_own() -> None:
    scenario = Scenario.model_validate({"seed": 5, "faults": [{"kind": "http_429"}, {"kind": "http_429", "seed": 1}]})

    assert [fault.seed for fault in scenario.ordered()] == [5, 1]
