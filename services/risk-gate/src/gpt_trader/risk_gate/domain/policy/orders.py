"""What one order may be: its signal, its size, its price, and what it adds to (G1, G4, G6, G7, G9, G10, SZ2-SZ4)."""

from collections.abc import Mapping
from functools import cached_property
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from gpt_trader.contracts.market import Tier
from gpt_trader.contracts.message import Name, NonNegative, Product
from gpt_trader.risk_gate.domain.policy.fields import (
    HIGHER,
    LOWER,
    Bps,
    Count,
    Money,
    Number,
    Rule,
    Seconds,
    Section,
    Share,
)


class SignalLimits(Section):
    """G1: how old a request may be and when it counts as the same again."""

    max_age_seconds: Annotated[Seconds, LOWER]
    """oldest signal that is judged (G1)"""
    max_clock_skew_seconds: Annotated[Seconds, LOWER]
    """how far a signal or price may lie in the future"""
    duplicate_window_seconds: Annotated[Seconds, HIGHER]
    """within it the same content is a duplicate"""


class MarkLimits(Section):
    """G4: how old the mark may be."""

    stale_seconds: Annotated[Seconds, LOWER]
    """age of a mark above which entries are denied and the product pauses (G4); also the oldest book (G10)"""
    stale_pause_seconds: Annotated[Seconds, HIGHER]
    """pause of a product whose mark was stale"""
    hard_stale_seconds: Annotated[Seconds, LOWER]
    """age of a mark above which it does not value the portfolio: all entries are denied while its product is held"""


class HardLimits(Section):
    """G6: what no message, model or operator command can loosen."""

    max_order_notional: Annotated[Money, LOWER]
    """one order, fee included (G6)"""
    max_position_notional: Annotated[Money, LOWER]
    """one product, open orders at their worst"""
    max_leverage: Annotated[Money, LOWER]
    """worst-case exposure over equity"""
    daily_loss_fraction: Annotated[Share, LOWER]
    """of equity at the start of the UTC day: reduce-only until its end"""
    daily_loss_notional: Annotated[Money, LOWER]
    """loss of the UTC day as an amount; the smaller of it and `limits.daily_loss_fraction` holds"""
    drawdown_fraction: Annotated[Share, LOWER]
    """fall from peak equity that blocks entries until a reset"""
    max_open_orders: Annotated[Count, LOWER]
    """orders approved and not over"""
    notional_per_minute: Annotated[Money, LOWER]
    """entries approved within a minute"""
    notional_per_hour: Annotated[Money, LOWER]
    """entries approved within an hour"""
    notional_per_day: Annotated[Money, LOWER]
    """entries approved within a day"""
    order_fraction: Annotated[Share, LOWER]
    """of equity, one order"""
    volume_fraction: Annotated[Money, LOWER]
    """of what the market traded in the last five minutes (of the day's mean if nothing was), one order; may be above
    1"""


class Cluster(Section):
    """Products that move together, with the share of equity they may hold."""

    products: tuple[Product, ...]
    fraction: Annotated[Share, LOWER]


class ExposureLimits(Section):
    """G7: shares of equity at risk, open orders counted at their worst."""

    per_asset_fraction: Annotated[Share, LOWER]
    """of equity in one product (G7)"""
    total_fraction: Annotated[Share, LOWER]
    """of equity in all products together, open orders at their worst (G7)"""
    correlated_fraction: Annotated[Share, LOWER]
    """of equity in what moves with a product, itself included: each other product counts at its measured
    correlation, an unknown one whole"""
    default_cluster_fraction: Annotated[Share, LOWER]
    """of equity in everything that is in no cluster, together"""
    clusters: Mapping[Name, Cluster]
    """per name: `products` that move together and their `fraction` of equity"""

    @cached_property
    def clustered(self) -> Mapping[str, Cluster]:
        """The cluster of each product that is in one."""
        return {product: cluster for cluster in self.clusters.values() for product in cluster.products}

    def rules(self) -> tuple[Rule, ...]:
        """Say what has to hold: were a product in two clusters, their order would decide, and no version shows it."""
        named = sorted(product for cluster in self.clusters.values() for product in cluster.products)
        twice = sorted({one for one, following in pairwise(named) if one == following})
        return ((not twice, f"exposure.clusters names {', '.join(twice)} twice"),)


class SizingRules(Section):
    """SZ2-SZ4: how much of equity one entry takes before the caps."""

    tier_fractions: Annotated[Mapping[Tier, Share], LOWER]
    """of equity, what one entry takes before the caps"""
    confidence_floor_fraction: Annotated[Share, LOWER]
    """share of the tier's fraction that is taken at confidence 0; all of it at 1"""
    min_order_notional: Annotated[NonNegative, Number, HIGHER]
    """smaller entries are denied"""
    max_entry_notional: Annotated[Money, LOWER]
    """cap of one entry"""
    max_quantities: Annotated[Mapping[Product, Money], LOWER]
    """cap of one entry per product; a product that is not named has none (SZ4)"""


class PriceLimits(Section):
    """G9, G10: how far from the mark, how wide, how deep."""

    collar_bps: Annotated[Mapping[Tier, Bps], LOWER]
    """how far limit and reference price may be from the mark, per tier (G9)"""
    period_collar_bps: Annotated[Bps, LOWER]
    """how far the limit price may be from the median of the last 60 s"""
    trade_distance_bps: Annotated[Bps, LOWER]
    """how far the last trade may be from the mid"""
    jump_sigmas: Annotated[Money, LOWER]
    """standard deviations of one minute that the mark may be from the median of the last 60 s"""
    jump_floor_bps: Annotated[Bps, LOWER]
    """distance from that median that is allowed however calm the market, and all that is while its volatility is
    unknown"""
    crossing_bps: Annotated[Bps, LOWER]
    """how far a limit may cross the touch"""
    spread_bps: Annotated[Mapping[Tier, Bps], LOWER]
    """widest spread of an entry per tier"""
    hard_spread_bps: Annotated[Bps, LOWER]
    """widest spread of anything ordinary"""
    impact_bps: Annotated[Bps, LOWER]
    """an entry must walk the book by less (G10)"""
    depth_multiple: Annotated[Money, HIGHER]
    """depth that an entry needs, in orders of its size (G10)"""
    depth_within_bps: Annotated[int, Field(gt=0, strict=True)]
    """distance of the mid within which depth is measured"""
