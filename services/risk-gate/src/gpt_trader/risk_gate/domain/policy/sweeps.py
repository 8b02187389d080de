"""What is watched while nothing is asked: losses, markets, the venue's health, working orders (RG2-RG11, C25)."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from gpt_trader.risk_gate.domain.policy.fields import HIGHER, LOWER, Bps, Count, Money, Seconds, Section, Share


class LossBands(Section):
    """RG2, RG3: the levels around `limits.daily_loss_*` and `limits.drawdown_fraction`, as shares of equity."""

    daily_warn_fraction: Annotated[Share, LOWER]
    """of equity at the start of the UTC day: a warning (RG2)"""
    daily_halt_fraction: Annotated[Share, LOWER]
    """of equity at the start of the UTC day: halted until a reset"""
    weekly_warn_fraction: Annotated[Share, LOWER]
    """of equity at the start of the ISO week: a warning"""
    weekly_fraction: Annotated[Share, LOWER]
    """of equity at the start of the ISO week: reduce-only until Monday 00:00 UTC"""
    drawdown_warn_fraction: Annotated[Share, LOWER]
    """fall from peak equity: a warning (RG3)"""


class BreakerRules(Section):
    """RG5, RG8, RG9: when a product's market, or what is held of it, takes no entries; warnings begin at `warn_share`.

    Multiples and shares are of the product's own medians, worth nothing before `volatility_samples` of them. A median
    may be tiny: nothing trips below a floor, nor while the book has `depth_enough_notional` in any case.
    """

    warn_share: Annotated[Share, LOWER]
    """share of a limit of a market or of the venue at which a warning begins"""
    pause_seconds: Annotated[Seconds, HIGHER]
    """least length of a restriction for a market or a weight"""
    volatility_multiple: Annotated[Money, LOWER]
    """of the market's own median volatility: the product pauses (RG5)"""
    volatility_samples: Annotated[Count, LOWER]
    """values that the median of volatility needs"""
    move_fraction: Annotated[Share, LOWER]
    """high to low within five minutes: the product pauses (RG5)"""
    volatility_floor: Annotated[Share, LOWER]
    """volatility below which no multiple of a median trips"""
    spread_multiple: Annotated[Money, LOWER]
    """of the market's own median spread: the product pauses (RG9)"""
    spread_floor_bps: Annotated[Bps, LOWER]
    """spread below which no multiple of a median trips, which may be a single tick"""
    depth_share: Annotated[Share, HIGHER]
    """of the market's own median depth, thinner side within `prices.depth_within_bps`: below it the product pauses"""
    depth_enough_notional: Annotated[Money, HIGHER]
    """a side of the book with this much is never thin"""
    concentration_fraction: Annotated[Share, LOWER]
    """of equity held in one product, at its mark: it takes no entries (RG8)"""
    correlation: Annotated[Share, LOWER]
    """coefficient from which on two held products move together (RG8)"""
    correlated_fraction: Annotated[Share, LOWER]
    """of equity held in products that move together: reduce-only"""


class VenueHealthRules(Section):
    """RG6: the share of requests that may fail within a window of real time, once there were enough of them."""

    window_seconds: Annotated[Seconds, Field(ge=timedelta(seconds=1))]
    """real time over which requests to the venue are counted (RG6)"""
    min_requests: Annotated[Count, LOWER]
    """fewer requests in the window say nothing"""
    error_fraction: Annotated[Share, LOWER]
    """share of requests that fails (429, 5xx, no answer): entries blocked"""
    halt_fraction: Annotated[Share, LOWER]
    """share of requests that fails: nothing is sent until the venue answers again"""
    budget_fraction: Annotated[Share, LOWER]
    """share of the rate budget that is spent: entries blocked"""
    pause_seconds: Annotated[Seconds, HIGHER]
    """least length of what the venue's health restricts"""


class WorkingRules(Section):
    """RG11, C25: how long an order may work unfilled, and how much of a product may fill within a second."""

    unfilled_seconds: Annotated[Seconds, LOWER]
    """an order that works longer is told of (RG11)"""
    cancels_unfilled: bool
    """whether such an order is cancelled, too"""
    fills_per_second: Annotated[Count, LOWER]
    """more fills of a product within a second: its orders are cancelled, it pauses (C25)"""
    notional_per_second: Annotated[Money, LOWER]
    """more filled of a product within a second: its orders are cancelled, it pauses (C25)"""
    burst_pause_seconds: Annotated[Seconds, HIGHER]
    """pause of a product that filled too fast"""
