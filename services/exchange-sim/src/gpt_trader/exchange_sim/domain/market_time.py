"""New York and London clock time, by the daylight-saving rules in force since 2007."""

from datetime import UTC, date, datetime, time, timedelta, timezone

_HOUR = timedelta(hours=1)


def to_eastern(at: datetime) -> datetime:
    """Show an instant on a New York clock."""
    return at.astimezone(timezone(_eastern_offset(at)))


def from_eastern(day: date, hour: int) -> datetime:
    """Give the instant of a full hour on a New York clock; hours of a clock change are not asked for."""
    standard = datetime.combine(day, time(hour), timezone(-5 * _HOUR))
    return datetime.combine(day, time(hour), timezone(_eastern_offset(standard))).astimezone(UTC)


def from_london(day: date, hour: int) -> datetime:
    """Give the instant of a full hour on a London clock; hours of a clock change are not asked for."""
    is_summer = _last_sunday(day.year, 3) <= day < _last_sunday(day.year, 10)
    return datetime.combine(day, time(hour), timezone(_HOUR if is_summer else timedelta())).astimezone(UTC)


def _eastern_offset(at: datetime) -> timedelta:
    starts = datetime.combine(_first_sunday(at.year, 3) + timedelta(days=7), time(7), UTC)
    ends = datetime.combine(_first_sunday(at.year, 11), time(6), UTC)
    return -4 * _HOUR if starts <= at < ends else -5 * _HOUR


def _first_sunday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=6 - first.weekday())


def _last_sunday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)
