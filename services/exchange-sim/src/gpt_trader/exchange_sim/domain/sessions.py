"""When US futures trade, which margin applies and when accounts are settled; bank holidays are not known."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from gpt_trader.exchange_sim.domain.market_time import from_eastern, to_eastern

_FRIDAY = 4
_DAY = timedelta(days=1)
_CLOSE_HOUR = 17
_OPEN_HOUR = 18
_INTRADAY_HOUR = 8
_OVERNIGHT_HOUR = 16
_SWEEP_HOUR = 9


class MarginWindow(StrEnum):
    """The venue's margin windows; only INTRADAY can have the lower rates."""

    INTRADAY = "FCM_MARGIN_WINDOW_TYPE_INTRADAY"
    OVERNIGHT = "FCM_MARGIN_WINDOW_TYPE_OVERNIGHT"
    WEEKEND = "FCM_MARGIN_WINDOW_TYPE_WEEKEND"
    TRANSITION = "FCM_MARGIN_WINDOW_TYPE_TRANSITION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The session that is open, or the next one; maintenance is the pause after or before it."""

    is_open: bool
    opens_at: datetime
    closes_at: datetime
    maintenance_start: datetime
    maintenance_end: datetime


def session_at(now: datetime) -> Session:
    """Trade around the clock but for Friday 17:00 to 18:00 in New York."""
    today = to_eastern(now).date()
    friday = today + (_FRIDAY - today.weekday()) % 7 * _DAY
    if now >= from_eastern(friday, _OPEN_HOUR):
        friday += 7 * _DAY
    pause, reopening = from_eastern(friday, _CLOSE_HOUR), from_eastern(friday, _OPEN_HOUR)
    is_open = now < pause
    return Session(
        is_open=is_open,
        opens_at=from_eastern(friday - 7 * _DAY, _OPEN_HOUR) if is_open else reopening,
        closes_at=pause if is_open else from_eastern(friday + 7 * _DAY, _CLOSE_HOUR),
        maintenance_start=pause,
        maintenance_end=reopening,
    )


def margin_window_at(now: datetime) -> tuple[MarginWindow, datetime]:
    """Name the window and when it ends: intraday is 8:00 to 16:00 in New York on weekdays."""
    local = to_eastern(now)
    today = local.date()
    if _is_business_day(today) and local.hour < _INTRADAY_HOUR:
        is_weekend = today.weekday() == 0
        return MarginWindow.WEEKEND if is_weekend else MarginWindow.OVERNIGHT, from_eastern(today, _INTRADAY_HOUR)
    if _is_business_day(today) and local.hour < _OVERNIGHT_HOUR:
        return MarginWindow.INTRADAY, from_eastern(today, _OVERNIGHT_HOUR)
    window = MarginWindow.WEEKEND if today.weekday() >= _FRIDAY else MarginWindow.OVERNIGHT
    return window, from_eastern(_business_day_after(today), _INTRADAY_HOUR)


def next_settlement(after: datetime) -> datetime:
    """Daily settlement: weekdays at 17:00 in New York."""
    today = to_eastern(after).date()
    at = from_eastern(today, _CLOSE_HOUR)
    return at if _is_business_day(today) and at > after else from_eastern(_business_day_after(today), _CLOSE_HOUR)


def next_funding(after: datetime) -> datetime:
    """Funding of perpetual-style contracts: every full hour."""
    return after.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def sweep_time(asked_at: datetime) -> datetime:
    """Begin a sweep in the morning of the next business day."""
    return from_eastern(_business_day_after(to_eastern(asked_at).date()), _SWEEP_HOUR)


def _is_business_day(day: date) -> bool:
    return day.weekday() <= _FRIDAY


def _business_day_after(day: date) -> date:
    day += _DAY
    while not _is_business_day(day):
        day += _DAY
    return day
