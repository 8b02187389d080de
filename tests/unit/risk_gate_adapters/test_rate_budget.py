"""Who may send how much, and who goes first."""

from dataclasses import dataclass
from decimal import Decimal

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


def test_figures_beyond_all_numbers_end_nothing() -> None:
    budget = a_budget(Elapsed())
    endless = "9" * 5000

    budget.learn(200, {"x-ratelimit-limit": endless, "x-ratelimit-remaining": endless})
    budget.learn(429, {"retry-after": endless})

    assert budget.allows(Priority.READ) is False


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


@pytest.mark.parametrize(("asked", "seconds"), [("7", 7), ("3600", 30), ("0", 1), ("soon", 1)])
def test_reads_pause_as_long_as_the_venue_asks_within_reason(asked: str, seconds: int) -> None:
    elapsed = Elapsed()
    budget = a_budget(elapsed)

    budget.learn(429, {"retry-after": asked})

    elapsed.seconds += seconds - 0.1
    assert not budget.allows(Priority.READ)
    assert budget.allows(Priority.CANCEL)
    elapsed.seconds += 0.2
    assert budget.allows(Priority.READ)


def test_of_the_hour_entries_leave_half_exits_a_tenth_and_cancels_are_never_held_back() -> None:
    elapsed = Elapsed(7000.0)
    budget = a_budget(elapsed, per_second=1000.0, burst=1000.0, per_hour=200)

    taken = [exhausted_by(budget, priority) for priority in (Priority.ENTRY, Priority.READ, Priority.EXIT)]
    used = budget.most_used()
    cancels = [budget.take(Priority.CANCEL) for _ in range(300)]

    assert taken == [100, 0, 80]
    assert used == Decimal("0.9")
    assert all(cancels)


def test_what_is_more_than_an_hour_ago_counts_no_more_and_before_it_all_does() -> None:
    elapsed = Elapsed(30.0)
    budget = a_budget(elapsed, per_second=1000.0, burst=1000.0, per_hour=200)
    first = exhausted_by(budget, Priority.ENTRY)
    elapsed.seconds += 1800
    between = exhausted_by(budget, Priority.ENTRY)
    elapsed.seconds += 1800
    hour = exhausted_by(budget, Priority.ENTRY)
    elapsed.seconds += 60

    assert (first, between, hour, exhausted_by(budget, Priority.ENTRY)) == (100, 0, 0, 100)


@given(st.lists(st.tuples(st.sampled_from(Priority), st.floats(0, 900)), max_size=80))
def test_no_hour_has_more_requests_than_the_venue_grants_but_for_cancels(steps: list[tuple[Priority, float]]) -> None:
    elapsed = Elapsed()
    budget = a_budget(elapsed, per_hour=20)

    sent: list[float] = []
    for priority, pause in steps:
        elapsed.seconds += pause
        if priority is not Priority.CANCEL and budget.take(priority):
            sent.append(elapsed.seconds)

    assert all(sum(start <= one < start + 3600 for one in sent) <= 18 for start in sent)


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


@pytest.mark.parametrize("priority", list(Priority))
def test_a_limit_of_one_leaves_nobody_without_requests_for_ever(priority: Priority) -> None:
    budget = a_budget(Elapsed())
    budget.learn(200, {"x-ratelimit-limit": "1"})

    assert exhausted_by(budget, priority) == 1
