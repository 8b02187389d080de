"""The limit price: marketable, inside the collar, rounded toward less risk."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.market import ProductSpec, Tick
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.increments import BPS, ONE, ceil_to, floor_to
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.policy.orders import PriceLimits


def limit_price(side: Side, tick: Tick, mark: Decimal, spec: ProductSpec, limits: PriceLimits) -> Decimal:
    """Return a price that crosses the touch by at most `crossing_bps` and leaves the mark by at most `collar_bps`."""
    crossing = limits.crossing_bps / BPS
    collar = limits.collar_bps[spec.tier] / BPS
    if side is Side.BUY:
        return floor_to(min(tick.ask * (ONE + crossing), mark * (ONE + collar)), spec.price_increment)
    return ceil_to(max(tick.bid * (ONE - crossing), mark * (ONE - collar)), spec.price_increment)


def worst_price(side: Side, price: Decimal, mark: Decimal) -> Decimal:
    """Return what a unit may count for: a buy costs up to its limit, what is sold short is worth the mark."""
    return price if side is Side.BUY else max(price, mark)


def stop_trigger(side: Side, price: Decimal, spec: ProductSpec) -> Decimal:
    """Round a stop's price so that it triggers rather earlier than later."""
    return (ceil_to if side is Side.SELL else floor_to)(price, spec.price_increment)


def stop_limit(side: Side, trigger: Decimal, spec: ProductSpec, policy: Policy) -> Decimal:
    """Return the worst price that a triggered stop takes: never price-insensitive (C24)."""
    band = policy.protection.stop_limit_bps / BPS
    if side is Side.SELL:
        return ceil_to(trigger * (ONE - band), spec.price_increment)
    return floor_to(trigger * (ONE + band), spec.price_increment)


def distance_bps(price: Decimal, mark: Decimal) -> Decimal:
    """Return how far a price is from the mark, in basis points of the mark."""
    return abs(price - mark) / mark * BPS


@dataclass(frozen=True, slots=True)
class Mark:
    """What a tick says a product is worth, with the earlier and the later of the venue's time and ours."""

    price: Decimal
    older: datetime
    newer: datetime


def mark_of(tick: Tick) -> Mark:
    """Return the mark of a tick."""
    times = tick.occurred_at, tick.received_at
    return Mark(tick.mid, min(times), max(times))


def mark_age(tick: Tick, now: datetime, policy: Policy) -> timedelta:
    """Take the older of the venue's time and ours: a replayed tick is old however late it came.

    One from the future by more than the clocks' skew has a negative age, and is as useless.
    """
    older, newer = tick.occurred_at, tick.received_at
    if newer < older:
        older, newer = newer, older
    ahead = now - newer
    return ahead if ahead < -policy.signals.max_clock_skew_seconds else now - older


def is_fresh(tick: Tick, now: datetime, policy: Policy, limit: timedelta) -> bool:
    """Whether a tick still says where the market is."""
    older, newer = tick.occurred_at, tick.received_at
    if newer < older:
        older, newer = newer, older
    return newer - now <= policy.signals.max_clock_skew_seconds and now - older <= limit
