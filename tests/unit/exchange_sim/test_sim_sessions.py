"""Market time of US futures: sessions, margin windows, settlement and expiry over clock changes."""

from datetime import UTC, datetime, timedelta

import pytest

from gpt_trader.exchange_sim.domain.contracts import contract_of
from gpt_trader.exchange_sim.domain.sessions import (
    MarginWindow,
    margin_window_at,
    next_settlement,
    session_at,
    sweep_time,
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "is_open", "opens_at", "closes_at"),
    [
        ("2026-11-20T21:59", True, "2026-11-13T23:00", "2026-11-20T22:00"),
        ("2026-11-20T22:00", False, "2026-11-20T23:00", "2026-11-27T22:00"),
        ("2026-11-20T23:00", True, "2026-11-20T23:00", "2026-11-27T22:00"),
        ("2026-07-03T21:30", False, "2026-07-03T22:00", "2026-07-10T21:00"),
        ("2026-03-08T12:00", True, "2026-03-06T23:00", "2026-03-13T21:00"),
        ("2026-10-31T12:00", True, "2026-10-30T22:00", "2026-11-06T22:00"),
    ],
)
def test_trading_pauses_on_friday_from_five_to_six_in_new_york(
    *, now: str, is_open: bool, opens_at: str, closes_at: str
) -> None:
    session = session_at(utc(now))

    assert (session.is_open, session.opens_at, session.closes_at) == (is_open, utc(opens_at), utc(closes_at))


@pytest.mark.parametrize(
    ("now", "window", "ends"),
    [
        ("2026-11-18T12:59", MarginWindow.OVERNIGHT, "2026-11-18T13:00"),
        ("2026-11-18T13:00", MarginWindow.INTRADAY, "2026-11-18T21:00"),
        ("2026-11-18T21:00", MarginWindow.OVERNIGHT, "2026-11-19T13:00"),
        ("2026-11-20T21:00", MarginWindow.WEEKEND, "2026-11-23T13:00"),
        ("2026-11-22T10:00", MarginWindow.WEEKEND, "2026-11-23T13:00"),
        ("2026-11-23T06:00", MarginWindow.WEEKEND, "2026-11-23T13:00"),
        ("2026-07-01T12:00", MarginWindow.INTRADAY, "2026-07-01T20:00"),
    ],
)
def test_intraday_margin_is_eight_to_four_on_weekdays_in_new_york(now: str, window: MarginWindow, ends: str) -> None:
    assert margin_window_at(utc(now)) == (window, utc(ends))


def test_windows_follow_each_other_without_a_gap_for_a_year() -> None:
    at = utc("2026-01-01T00:00")
    while at < utc("2027-01-01T00:00"):
        window, ends = margin_window_at(at)
        assert timedelta() < ends - at <= timedelta(days=3)
        assert margin_window_at(ends - timedelta(seconds=1))[0] is window
        assert margin_window_at(ends)[0] is not window
        at = ends


def test_settlement_and_sweeps_skip_the_weekend() -> None:
    assert next_settlement(utc("2026-11-20T21:59")) == utc("2026-11-20T22:00")
    assert next_settlement(utc("2026-11-20T22:00")) == utc("2026-11-23T22:00")
    assert sweep_time(utc("2026-11-20T15:00")) == utc("2026-11-23T14:00")
    assert sweep_time(utc("2026-11-18T15:00")) == utc("2026-11-19T14:00")


def test_contracts_expire_at_four_in_london() -> None:
    assert contract_of("BIT-27NOV26-CDE").expiry == utc("2026-11-27T16:00")
    assert contract_of("BIT-26JUN26-CDE").expiry == utc("2026-06-26T15:00")
    assert contract_of("BIP-20DEC30-CDE").is_perpetual_style


@pytest.mark.parametrize("name", ["BTC-USD", "ZZZ-20DEC30-CDE", "BIP-20FOO30-CDE", "BIP-31FEB30-CDE"])
def test_an_impossible_contract_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        contract_of(name)
