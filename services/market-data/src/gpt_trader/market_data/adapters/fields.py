"""Values inside the venue's JSON, or `Malformed` naming the field."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from gpt_trader.market_data.ports import Malformed

Json = Any
"""Foreign data before it is read; it does not leave the adapters."""


def field(holder: Json, name: str, where: str) -> Json:
    """Return what an object holds under a name; None if nothing."""
    if not isinstance(holder, dict):
        raise Malformed(where, holder, "must be an object")
    return holder.get(name)


def entries(holder: Json, name: str, where: str) -> list[Json]:
    """Return a list inside an object."""
    return elements(field(holder, name, where), f"{where}.{name}")


def elements(value: Json, where: str) -> list[Json]:
    """Return a value that must be a list."""
    if not isinstance(value, list):
        raise Malformed(where, value, "must be a list")
    return value


def text(holder: Json, name: str, where: str) -> str:
    """Return a text that is not empty."""
    value = field(holder, name, where)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{where}.{name}", value, "must be text")
    return value


def flag(holder: Json, name: str, where: str) -> bool:
    """Return a truth value; one that is absent is not set."""
    value = field(holder, name, where)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise Malformed(f"{where}.{name}", value, "must be true or false")


def amount(holder: Json, name: str, where: str) -> Decimal:
    """Return an exact amount of at least zero; the venue writes amounts as text."""
    value = field(holder, name, where)
    if not isinstance(value, str):
        raise Malformed(f"{where}.{name}", value, "must be a decimal number as text")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise Malformed(f"{where}.{name}", value, "must be a decimal number") from error
    if not number.is_finite() or number < 0:
        raise Malformed(f"{where}.{name}", value, "must be finite and at least 0")
    return number


def positive(holder: Json, name: str, where: str) -> Decimal:
    """Return an exact amount of more than zero."""
    number = amount(holder, name, where)
    if not number:
        raise Malformed(f"{where}.{name}", number, "must be more than 0")
    return number


def instant(holder: Json, name: str, where: str) -> datetime:
    """Read RFC 3339 with up to nanoseconds, of which microseconds are kept."""
    value = text(holder, name, where)
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise Malformed(f"{where}.{name}", value, "must be an RFC 3339 time") from error
    if at.tzinfo is None:
        raise Malformed(f"{where}.{name}", value, "must name its UTC offset")
    return at.astimezone(UTC)


def unix_seconds(holder: Json, name: str, where: str) -> datetime:
    """Return a time that the venue writes as seconds since 1970."""
    value = field(holder, name, where)
    if not isinstance(value, str) or not value.isdecimal():
        raise Malformed(f"{where}.{name}", value, "must be whole UNIX seconds as text")
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise Malformed(f"{where}.{name}", value, "is no time of this era") from error
