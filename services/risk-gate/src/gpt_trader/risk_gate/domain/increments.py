"""Exact rounding to a product's increments, and numbers in the form the venue accepts."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

ZERO = Decimal(0)
ONE = Decimal(1)
BPS = Decimal(10000)


def floor_to(value: Decimal, increment: Decimal) -> Decimal:
    """Return the largest multiple of `increment` that is not above `value`."""
    return (value / increment).to_integral_value(ROUND_FLOOR) * increment


def ceil_to(value: Decimal, increment: Decimal) -> Decimal:
    """Return the smallest multiple of `increment` that is not below `value`."""
    return (value / increment).to_integral_value(ROUND_CEILING) * increment


def plain(value: Decimal) -> str:
    """Write without exponent or trailing zeros: the venue refuses `1E-8`."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def base_currency_of(product: str) -> str:
    """Return the currency that a spot product is made of."""
    return product.partition("-")[0]
