"""How the venue took requests: what counts as an error, for how long, and how much of the budget was spent."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from gpt_trader.risk_gate.adapters.budget import BudgetTerms, Priority, RateBudget
from gpt_trader.risk_gate.adapters.request_log import RequestLog


@dataclass(slots=True)
class Time:
    at: float = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.mark.parametrize(("status", "is_error"), [(200, 0), (400, 0), (403, 0), (404, 0), (408, 1), (429, 1), (503, 1)])
def test_a_refusal_is_no_error_but_no_answer_or_a_fault_of_theirs_is(status: int, is_error: int) -> None:
    log = RequestLog(elapsed=Time())
    log.answered(status)
    log.failed()

    assert log.counted(60) == (2, is_error + 1)


def test_only_the_window_counts() -> None:
    time = Time()
    log = RequestLog(elapsed=time)
    log.failed()
    time.at += 60
    log.answered(200)

    assert (log.counted(60), log.counted(61)) == ((1, 0), (2, 1))


def test_the_budget_tells_the_most_that_was_spent_since_it_was_last_asked() -> None:
    time = Time()
    budget = RateBudget(terms=BudgetTerms(per_second=10, burst=10, per_hour=10**6), elapsed=time)
    for _ in range(9):
        budget.take(Priority.CANCEL)
    time.at += 60

    assert [budget.most_used(), budget.most_used()] == [Decimal("0.9"), Decimal(0)]


def test_too_many_requests_spend_the_whole_budget() -> None:
    budget = RateBudget(terms=BudgetTerms(), elapsed=Time())
    budget.learn(429, {})

    assert budget.most_used() == 1
