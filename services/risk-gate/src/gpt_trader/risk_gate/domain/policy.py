"""The hard limits of the gate. There are no defaults: a missing limit is a startup failure.

Units are in the names: `_bps` is 1/100 %, `_fraction` is of one, `_notional` is in the quote currency. A `_seconds`
number of the file is held as a duration.
"""

from collections.abc import Mapping
from datetime import time, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from gpt_trader.contracts.market import Tier
from gpt_trader.contracts.message import Fraction, Name, NonNegative, Positive, Product, canonical, digest
from gpt_trader.risk_gate.domain.increments import BPS


def _duration(value: object) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number of seconds")  # noqa: TRY004 - pydantic collects ValueError only
    return timedelta(seconds=value)


def _exact(value: object) -> object:
    if isinstance(value, float):
        return str(value)
    return value


Seconds = Annotated[
    timedelta,
    BeforeValidator(_duration),
    Field(ge=timedelta(0)),
    PlainSerializer(lambda span: int(span.total_seconds()), return_type=int),
]
"""A duration, written as whole seconds."""
Number = BeforeValidator(_exact)
"""YAML reads 0.05 as a binary fraction; its shortest spelling is the number that was written."""
Share = Annotated[Fraction, Number]
Money = Annotated[Positive, Number]
Bps = Annotated[NonNegative, Number, Field(le=10000)]
Count = Annotated[int, Field(ge=1, strict=True)]


class Section(BaseModel):
    """Part of the policy: frozen, complete, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=False)


class SignalLimits(Section):
    """G1: how old a request may be and when it counts as the same again."""

    max_age_seconds: Seconds
    max_clock_skew_seconds: Seconds
    duplicate_window_seconds: Seconds


class MarkLimits(Section):
    """G4: how old the mark may be."""

    stale_seconds: Seconds
    stale_pause_seconds: Seconds
    hard_stale_seconds: Seconds


class HardLimits(Section):
    """G6: what no message, model or operator command can loosen."""

    max_order_notional: Money
    max_position_notional: Money
    max_leverage: Money
    daily_loss_fraction: Share
    daily_loss_notional: Money
    drawdown_fraction: Share
    max_open_orders: Count
    notional_per_minute: Money
    notional_per_hour: Money
    notional_per_day: Money


class Cluster(Section):
    """Products that move together, with the share of equity they may hold."""

    products: tuple[Product, ...]
    fraction: Share


class ExposureLimits(Section):
    """G7: shares of equity at risk, open orders counted at their worst."""

    per_asset_fraction: Share
    total_fraction: Share
    clusters: Mapping[Name, Cluster]


class SizingRules(Section):
    """SZ2-SZ4: how much of equity one entry takes before the caps."""

    tier_fractions: Mapping[Tier, Share]
    confidence_floor_fraction: Share
    min_order_notional: Annotated[NonNegative, Number]
    max_entry_notional: Money
    max_quantities: Mapping[Product, Money]


class PriceLimits(Section):
    """G9, G10: how far from the mark, how wide, how deep."""

    collar_bps: Bps
    crossing_bps: Bps
    spread_bps: Mapping[Tier, Bps]
    hard_spread_bps: Bps
    impact_bps: Bps
    depth_multiple: Money
    depth_within_bps: Annotated[int, Field(gt=0, strict=True)]


class FrequencyLimits(Section):
    """G11: how often."""

    trades_per_day: Count
    trades_per_hour: Count
    entries_per_hour: Count
    between_trades_seconds: Seconds
    per_product_seconds: Seconds
    messages_per_second: Count
    messages_per_minute: Count


class Cooldowns(Section):
    """G12: how long entries rest after an outcome."""

    consecutive_losses: Count
    consecutive_losses_seconds: Seconds
    after_loss_seconds: Seconds
    after_stop_seconds: Seconds
    after_win_seconds: Seconds


class RepeatLimits(Section):
    """G13: how often the same order may be approved within a window before the product pauses."""

    same_orders: Count
    window_seconds: Seconds
    pause_seconds: Seconds


class TradingWindow(Section):
    """G19: weekdays (1 = Monday) and UTC times between which entries are allowed; from = to means all day."""

    weekdays: frozenset[Annotated[int, Field(ge=1, le=7)]]
    from_utc: time
    to_utc: time


class Escalation(Section):
    """G22 and CB4: when denials, rejections and slippage change the trading state."""

    infrastructure_denials: Count
    denials_window_seconds: Seconds
    rejections: Count
    rejections_window_seconds: Seconds
    rejections_pause_seconds: Seconds
    slippage_bps: Bps
    slippage_breaches: Count
    slippage_window_seconds: Seconds
    slippage_pause_seconds: Seconds


class ApprovalTerms(Section):
    """On which terms an approval may become an order."""

    expiry_seconds: Seconds
    permit_collar_bps: Bps
    max_clock_offset_seconds: Seconds


class FlattenRules(Section):
    """CB2: how a position is closed in slices against the book."""

    depth_fraction: Share
    max_slices_without_progress: Count


class ReconcileRules(Section):
    """How far our books may be from the venue's, and how often, before entries stop."""

    quote_tolerance: Annotated[NonNegative, Number]
    base_tolerance_notional: Annotated[NonNegative, Number]
    mismatches: Count


class Profile(StrEnum):
    """Which shipped set of limits this is."""

    DEMO = "demo"
    DEV = "dev"
    CANARY = "canary"
    PROD = "prod"
    SPOT = "spot"


class Policy(Section):
    """Every limit of the gate."""

    profile: Profile
    quote_currency: Name
    worst_fee_bps: Bps
    signals: SignalLimits
    marks: MarkLimits
    limits: HardLimits
    exposure: ExposureLimits
    sizing: SizingRules
    prices: PriceLimits
    frequency: FrequencyLimits
    cooldowns: Cooldowns
    repeats: RepeatLimits
    window: TradingWindow
    escalation: Escalation
    approvals: ApprovalTerms
    flatten: FlattenRules
    reconcile: ReconcileRules

    @model_validator(mode="after")
    def _is_sane(self) -> Self:
        missing = {
            tier for tier in Tier if tier not in self.sizing.tier_fractions or tier not in self.prices.spread_bps
        }
        if missing:
            raise ValueError(f"sizing.tier_fractions and prices.spread_bps need every tier; missing {sorted(missing)}")
        if self.prices.crossing_bps > self.prices.collar_bps:
            raise ValueError("prices.crossing_bps must not exceed prices.collar_bps")
        if self.exposure.per_asset_fraction > self.exposure.total_fraction:
            raise ValueError("exposure.per_asset_fraction must not exceed exposure.total_fraction")
        if self.marks.hard_stale_seconds < self.marks.stale_seconds:
            raise ValueError("marks.hard_stale_seconds must not be below marks.stale_seconds")
        return self

    @cached_property
    def fee_rate(self) -> Decimal:
        """The worst fee as a fraction of notional."""
        return self.worst_fee_bps / BPS

    def document(self) -> str:
        """Return the canonical text that the journal records and `version` names."""
        return canonical(self.model_dump(mode="json")).decode()

    def version(self) -> str:
        """Return a short hash of the content: equal limits have equal versions, whatever the file looks like."""
        return digest(self.document().encode())[:12]
