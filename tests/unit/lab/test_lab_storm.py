"""Storms in short: the real services hold, a seed repeats, and a missing protection is noticed."""

from collections.abc import Iterator
from functools import cache

import pytest
import structlog

from gpt_trader.lab.storm.protections import PROTECTIONS
from gpt_trader.lab.storm.shrink import shrunk
from gpt_trader.lab.storm.storm import Outcome, Plan, run, run_all
from gpt_trader.runtime import logs

pytestmark = pytest.mark.timeout(120)
SEEDS = 25


@pytest.fixture(autouse=True, scope="module")
def _quickly() -> Iterator[None]:
    """Log nothing."""
    before = structlog.get_config()
    logs.silence()
    yield
    structlog.configure(**before)


@cache
def first_caught(without: str) -> Outcome:
    plans = (Plan(seed=seed, weakness=PROTECTIONS[without]) for seed in range(150))
    return run_all(plans, lambda outcome: not outcome.violations)[-1]


def test_no_invariant_breaks_in_any_of_the_first_seeds() -> None:
    outcomes = run_all((Plan(seed=seed) for seed in range(SEEDS)), lambda _outcome: True)

    assert [one.violations for one in outcomes if one.violations] == []
    assert sum(one.orders for one in outcomes) > SEEDS // 3
    assert sum(one.crashes for one in outcomes) > SEEDS // 3


def test_a_longer_storm_holds_more_orders() -> None:
    outcome = run(Plan(seed=1, length=4))

    assert outcome.violations == ()
    assert outcome.approved > run(Plan(seed=1)).approved


def test_a_seed_repeats_event_by_event() -> None:
    first: list[tuple[float, str]] = []
    again: list[tuple[float, str]] = []

    outcome = run(Plan(seed=16, tell=lambda at, text: first.append((at, text))))

    assert run(Plan(seed=16, tell=lambda at, text: again.append((at, text)))) == outcome
    assert outcome.struck
    assert again == first


@pytest.mark.parametrize("without", ["gate-sync", "permit-once", "silence-is-unknown"])
def test_a_missing_protection_is_noticed(without: str) -> None:
    assert first_caught(without).violations


def test_a_failing_schedule_is_cut_down_to_the_faults_it_needs() -> None:
    weakness = PROTECTIONS["gate-sync"]
    found = first_caught(weakness.name)

    short = shrunk(Plan(seed=found.seed, weakness=weakness), found, most_runs=12)

    assert short.violations[0].invariant == found.violations[0].invariant
    assert len(short.struck) < len(found.struck)
    repeated = run(Plan(seed=found.seed, weakness=weakness, only=frozenset(short.struck)))
    assert repeated.violations == short.violations
