"""The limit price: marketable, inside the collar, rounded toward less risk."""

from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.market import ProductSpec, Tick
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.increments import BPS, ONE, ceil_to, floor_to
from gpt_trader.risk_gate.domain.policy import Policy, PriceLimits


def limit_price(side: Side, tick: Tick, mark: Decimal, spec: ProductSpec, limits: PriceLimits) -> Decimal:
    """Return a price that crosses the touch by at most `crossing_bps` and leaves the mark by at most `collar_bps`."""
    crossing = limits.crossing_bps / BPS
    collar = limits.collar_bps / BPS
    if side is Side.BUY:
        return floor_to(min(tick.ask * (ONE + crossing), mark * (ONE + collar)), spec.price_increment)
    return ceil_to(max(tick.bid * (ONE - crossing), mark * (ONE - collar)), spec.price_increment)


def distance_bps(price: Decimal, mark: Decimal) -> Decimal:
    """Return how far a price is from the mark, in basis points of the mark."""
    return abs(price - mark) / mark * BPS


def mark_age(tick: Tick, now: datetime, policy: Policy) -> timedelta:
    """Take the older of the venue's time and ours: a replayed tick is old however late it came.

    One from the future by more than the clocks' skew has a negative age, and is as useless.
    """
    ahead = now - max(tick.occurred_at, tick.received_at)
    is_early = ahead < -policy.signals.max_clock_skew_seconds
    return ahead if is_early else now - min(tick.occurred_at, tick.received_at)


def is_fresh(tick: Tick, now: datetime, policy: Policy, limit: timedelta) -> bool:
    """Whether a tick still says where the market is."""
    return -policy.signals.max_clock_skew_seconds <= mark_age(tick, now, policy) <= limit
