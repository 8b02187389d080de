"""The table of subjects is complete and consistent."""

import pytest

from gpt_trader.contracts import subjects
from gpt_trader.contracts.subjects import DURABLES, HISTORY, ROUTES, STREAMS, Zone, route_of, seen_by

NAMES = {stream.name for stream in STREAMS}


def test_every_stream_that_a_route_names_exists() -> None:
    assert {route.stream for route in ROUTES if route.stream} | {"ALERTS"} == NAMES


def test_only_the_gate_publishes_approvals() -> None:
    publishers = {route.publisher for route in ROUTES if route.pattern.startswith(("intents.", "decisions.", "state."))}

    assert publishers == {Zone.GATE}


def test_only_the_operator_commands() -> None:
    assert route_of(subjects.CONTROL_KILL).publisher is Zone.OPERATOR


@pytest.mark.parametrize("durable", DURABLES, ids=lambda durable: f"{durable.stream}-{durable.name}")
def test_a_durable_reads_only_what_its_zone_may_read(durable: subjects.Durable) -> None:
    assert durable.stream in NAMES
    patterns = [route for route in ROUTES if route.stream == durable.stream]
    assert any(durable.zone in route.readers for route in patterns)


def test_history_names_streams_that_exist() -> None:
    assert all(streams <= NAMES for streams in HISTORY.values())


def test_the_executor_reads_back_what_it_was_told_and_what_it_said_and_nothing_else() -> None:
    assert HISTORY[Zone.EXECUTOR] == {"INTENTS", "CONTROL", "ORDERS", "FILLS"}


def test_others_read_stored_subjects_after_they_are_on_disk() -> None:
    assert seen_by(Zone.LEARNING, "fills.>") == "pub.fills.>"
    assert seen_by(Zone.GATE, "fills.>") == "fills.>"
    assert seen_by(Zone.STRATEGY, "ticks.>") == "ticks.>"
    assert seen_by(Zone.EXECUTOR, "state.trading") == "state.trading"


def test_an_undeclared_subject_is_refused() -> None:
    with pytest.raises(KeyError, match="no route declares"):
        route_of("surprise.x")
