from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.runtime.clock import ClockSettings, ScaledClock, SteadyClock, SystemClock, clock_of

ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
START = datetime(2025, 6, 1, tzinfo=UTC)


def a_clock(rate: str = "10") -> ScaledClock:
    return ScaledClock(origin=ORIGIN, start=START, rate=Decimal(rate))


def test_a_scaled_clock_starts_at_its_start() -> None:
    assert a_clock().at(ORIGIN) == START


def test_trading_time_passes_rate_times_as_fast() -> None:
    assert a_clock("10").at(ORIGIN + timedelta(seconds=6)) == START + timedelta(minutes=1)
    assert a_clock("0.5").stretch(timedelta(seconds=1)) == timedelta(milliseconds=500)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)), st.integers(1, 1000))
def test_scaling_is_exact_to_the_microsecond(passed: timedelta, rate: int) -> None:
    clock = a_clock(str(rate))

    assert clock.at(ORIGIN + passed) - START == passed * rate


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=4)), st.decimals("0.01", "1000", places=2))
def test_time_never_runs_backwards(passed: timedelta, rate: Decimal) -> None:
    clock = ScaledClock(origin=ORIGIN, start=START, rate=rate)

    assert clock.at(ORIGIN + passed + timedelta(microseconds=1)) >= clock.at(ORIGIN + passed)


def test_two_processes_with_the_same_settings_agree() -> None:
    settings = ClockSettings(clock_origin=ORIGIN, clock_start=START, clock_rate=Decimal(60))
    wall = ORIGIN + timedelta(seconds=90)

    one, other = clock_of(settings), clock_of(ClockSettings.model_validate_json(settings.model_dump_json()))

    assert isinstance(one, ScaledClock)
    assert isinstance(other, ScaledClock)
    assert one.at(wall) == other.at(wall)


def test_without_settings_time_is_real() -> None:
    assert clock_of(ClockSettings()) == SystemClock()


def test_the_system_clock_is_aware_and_unscaled() -> None:
    clock = SystemClock()

    assert clock.now().tzinfo is UTC
    assert clock.stretch(timedelta(seconds=3)) == timedelta(seconds=3)


@pytest.mark.parametrize(
    "half",
    [{"clock_origin": ORIGIN}, {"clock_start": START}, {"clock_rate": Decimal(2)}],
    ids=["origin", "start", "rate"],
)
def test_half_a_scaled_clock_is_refused(half: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="clock_"):
        ClockSettings.model_validate(half)


def test_a_steady_clock_goes_on_evenly_whoever_sets_the_machines_clock() -> None:
    counted = [100.0]
    clock = SteadyClock.made(SystemClock(), elapsed=lambda: counted[0])
    before = clock.now()

    counted[0] += 90

    assert clock.now() - before == timedelta(seconds=90)
    assert clock.wall() == clock.now()
    assert timedelta(seconds=-91) < clock.drift() < timedelta(seconds=-89), "the machine's clock did not move with it"


def test_a_steady_clock_runs_at_the_rate_of_the_one_it_took_over_from() -> None:
    counted = [0.0]
    clock = SteadyClock.made(
        ScaledClock(origin=SystemClock().now(), start=START, rate=Decimal(10)), elapsed=lambda: counted[0]
    )
    before = clock.now()

    counted[0] += 6

    assert clock.now() - before == timedelta(minutes=1)
    assert clock.stretch(timedelta(seconds=6)) == timedelta(minutes=1)
