"""Books that were begun by a clock far ahead: the day is taken back, and no level becomes looser by it."""

from datetime import timedelta

import pytest
from gate_builders import NOW, D, a_state

from gpt_trader.risk_gate.domain.fold.worth import is_day_wrong
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.records import Marked
from gpt_trader.risk_gate.domain.state import GateState

DAY = timedelta(days=1)


def after_a_year_ahead(equity: str) -> GateState:
    ahead = evolve(a_state(), Marked(equity=D(equity), marks={}, at=NOW + 365 * DAY))
    assert ahead.day == (NOW + 365 * DAY).date()
    return ahead


@pytest.mark.parametrize(("ahead", "now"), [("90000", "100000"), ("100000", "90000")])
def test_a_day_that_a_wrong_clock_began_is_taken_back_at_the_higher_level(ahead: str, now: str) -> None:
    state = evolve(after_a_year_ahead(ahead), Marked(equity=D(now), marks={}, at=NOW))

    assert state.day == NOW.date()
    assert (state.day_start_equity, state.week_start_equity) == (D(100000), D(100000))


def test_after_that_days_begin_again_as_they_come() -> None:
    state = evolve(after_a_year_ahead("90000"), Marked(equity=D(95000), marks={}, at=NOW))

    tomorrow = evolve(state, Marked(equity=D(97000), marks={}, at=NOW + DAY))

    assert (tomorrow.day, tomorrow.day_start_equity) == ((NOW + DAY).date(), D(97000))


def test_a_clock_set_back_over_midnight_begins_no_day_twice() -> None:
    assert not is_day_wrong(NOW.date(), (NOW - DAY).date())
    state = evolve(a_state(at=NOW), Marked(equity=D(1), marks={}, at=NOW - DAY))

    assert state.day_start_equity == D(100000)
