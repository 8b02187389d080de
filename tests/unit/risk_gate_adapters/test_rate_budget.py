"""Who may send how much, and who goes first."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.risk_gate.adapters.budget import BudgetTerms, Priority, RateBudget


@dataclass
class Elapsed:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def a_budget(elapsed: Elapsed, **terms: float) -> RateBudget:
    return RateBudget(terms=BudgetTerms(**{"per_second": 10.0, "burst": 10.0, **terms}), elapsed=elapsed)


def exhausted_by(budget: RateBudget, priority: Priority) -> int:
    taken = 0
    while budget.take(priority):
        taken += 1
    return taken


def test_each_priority_leaves_its_reserve_to_the_higher_ones() -> None:
    budget = a_budget(Elapsed())

    taken = [exhausted_by(budget, priority) for priority in (Priority.READ, Priority.ENTRY, Priority.EXIT)]

    assert taken == [6, 2, 2]


def test_the_bucket_fills_again_with_time_and_never_over() -> None:
    elapsed = Elapsed()
    budget = a_budget(elapsed)
    exhausted_by(budget, Priority.CANCEL)

    elapsed.seconds += 0.5
    half = exhausted_by(budget, Priority.CANCEL)
    elapsed.seconds += 60

    assert (half, exhausted_by(budget, Priority.CANCEL)) == (5, 10)


def test_the_venues_lower_count_is_believed_and_its_higher_one_is_not() -> None:
    budget = a_budget(Elapsed())

    budget.learn(200, {"x-ratelimit-remaining": "3"})
    budget.learn(200, {"x-ratelimit-remaining": "900"})

    assert exhausted_by(budget, Priority.CANCEL) == 3


def test_a_lower_limit_of_the_venue_shrinks_the_reserves_with_it() -> None:
    budget = a_budget(Elapsed(), burst=100.0)

    budget.learn(200, {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "10"})

    assert exhausted_by(budget, Priority.READ) == 6


def test_each_429_in_a_row_pauses_reads_longer_and_cancels_only_until_the_next_token() -> None:
    elapsed = Elapsed()
    budget = a_budget(elapsed)

    budget.learn(429, {})
    elapsed.seconds += 0.9
    assert not budget.allows(Priority.READ)
    assert budget.allows(Priority.CANCEL)
    elapsed.seconds += 0.2
    assert budget.allows(Priority.READ)

    budget.learn(429, {})
    elapsed.seconds += 1.5
    assert not budget.allows(Priority.READ)
    elapsed.seconds += 0.6
    assert budget.allows(Priority.READ)


async def test_waiting_gives_up_when_it_would_be_too_late() -> None:
    budget = a_budget(Elapsed(), per_second=0.1)
    exhausted_by(budget, Priority.CANCEL)

    assert not await budget.wait(Priority.CANCEL, at_most_seconds=1.0)


@given(st.lists(st.tuples(st.sampled_from(Priority), st.floats(0, 2)), max_size=60))
def test_no_schedule_sends_more_than_burst_and_rate_allow(steps: list[tuple[Priority, float]]) -> None:
    elapsed = Elapsed()
    budget = a_budget(elapsed)

    sent = 0
    for priority, pause in steps:
        elapsed.seconds += pause
        sent += budget.take(priority)

    assert sent <= 10 + 10 * elapsed.seconds + 1e-6


@pytest.mark.parametrize("priority", Priority)
def test_asking_takes_nothing(priority: Priority) -> None:
    budget = a_budget(Elapsed())

    assert all(budget.allows(priority) for _ in range(100))
