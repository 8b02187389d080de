"""The hard limits of the gate. There are no defaults: a missing limit is a startup failure.

Units are in the names: `_bps` is 1/100 %, `_fraction` is of one, `_notional` is in the quote currency. A `_seconds`
number of the file is held as a duration.
"""

from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Self

from pydantic import model_validator

from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.market import Tier
from gpt_trader.contracts.message import Name, canonical, digest
from gpt_trader.risk_gate.domain.increments import BPS, ZERO
from gpt_trader.risk_gate.domain.policy.execution import BRACKET_BAND_BPS, BRACKETS, ExecutionRules
from gpt_trader.risk_gate.domain.policy.fields import HIGHER, Bps, Rule, Section
from gpt_trader.risk_gate.domain.policy.futures import FuturesLimits
from gpt_trader.risk_gate.domain.policy.orders import (
    ExposureLimits,
    HardLimits,
    MarkLimits,
    PriceLimits,
    SignalLimits,
    SizingRules,
)
from gpt_trader.risk_gate.domain.policy.pace import Cooldowns, FrequencyLimits, RepeatLimits, TradingWindow
from gpt_trader.risk_gate.domain.policy.preview import PreviewRules
from gpt_trader.risk_gate.domain.policy.protection import ProtectionRules
from gpt_trader.risk_gate.domain.policy.running import ApprovalTerms, Escalation, FlattenRules, ReconcileRules
from gpt_trader.risk_gate.domain.policy.statistics import KellyRules, ScalingRules, StatisticsRules
from gpt_trader.risk_gate.domain.policy.sweeps import BreakerRules, LossBands, VenueHealthRules, WorkingRules


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
    """which shipped set this is"""
    quote_currency: Name
    """currency of equity; products quoted in another are not entered"""
    worst_fee_bps: Annotated[Bps, HIGHER]
    """fee that sizing and reservations assume; a tier that pays more takes no entries (G14)"""
    signals: SignalLimits
    marks: MarkLimits
    limits: HardLimits
    exposure: ExposureLimits
    sizing: SizingRules
    kelly: KellyRules
    scaling: ScalingRules
    statistics: StatisticsRules
    prices: PriceLimits
    frequency: FrequencyLimits
    cooldowns: Cooldowns
    repeats: RepeatLimits
    window: TradingWindow
    escalation: Escalation
    approvals: ApprovalTerms
    execution: ExecutionRules
    preview: PreviewRules
    flatten: FlattenRules
    reconcile: ReconcileRules
    losses: LossBands
    breakers: BreakerRules
    venue_health: VenueHealthRules
    working: WorkingRules
    protection: ProtectionRules
    futures: FuturesLimits

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        """Refuse limits that contradict each other, all at once; each sentence begins with the key to look at."""
        tiers = sorted(Tier)
        marks, futures, exposure = self.marks, self.futures, self.exposure
        rules = (
            (sorted(self.sizing.tier_fractions) == tiers, f"sizing.tier_fractions needs every tier of {tiers}"),
            (sorted(self.prices.spread_bps) == tiers, f"prices.spread_bps needs every tier of {tiers}"),
            (sorted(self.prices.collar_bps) == tiers, f"prices.collar_bps needs every tier of {tiers}"),
            *self.statistics.rules(),
            *self.scaling.rules(),
            *self.exposure.rules(),
            *self.execution.rules(),
            *self._agreements(),
            (
                self.prices.crossing_bps <= min(self.prices.collar_bps.values(), default=ZERO),
                "prices.crossing_bps must not exceed prices.collar_bps",
            ),
            (
                exposure.per_asset_fraction <= exposure.total_fraction,
                "exposure.per_asset_fraction must not exceed exposure.total_fraction",
            ),
            (
                futures.buffer_fraction <= futures.buffer_recovered_fraction,
                "futures.buffer_recovered_fraction must not be below futures.buffer_fraction",
            ),
            (
                futures.close_before_expiry_seconds <= futures.no_entry_before_expiry_seconds,
                "futures.no_entry_before_expiry_seconds must not be below futures.close_before_expiry_seconds",
            ),
            (
                marks.stale_seconds <= marks.hard_stale_seconds,
                "marks.hard_stale_seconds must not be below marks.stale_seconds",
            ),
        )
        broken = [sentence for holds, sentence in rules if not holds]
        if broken:
            raise ValueError("\n".join(broken))
        return self

    def _agreements(self) -> tuple[Rule, ...]:
        """Say what sections demand of one another."""
        return (
            (
                not self.protection.venue_stops or OrderForm.STOP_LIMIT_GTC in self.execution.forms,
                "execution.forms must name stop_limit_gtc while protection.venue_stops is true",
            ),
            (
                not BRACKETS & set(self.execution.forms) or self.protection.stop_limit_bps >= BRACKET_BAND_BPS,
                f"execution.forms names a bracket, whose stop has {BRACKET_BAND_BPS} bps (protection.stop_limit_bps)",
            ),
        )

    @cached_property
    def fee_rate(self) -> Decimal:
        """The worst fee as a fraction of notional."""
        return self.worst_fee_bps / BPS

    def document(self) -> str:
        """Return the canonical text that the journal records and `version` names."""
        return canonical(self.model_dump(mode="json")).decode()

    def version(self) -> str:
        """Return a short hash of the content: equal limits have equal versions, whatever the file looks like."""
        return version_of(self.document())


def version_of(document: str) -> str:
    """Return the version of limits by their canonical text."""
    return digest(document.encode())[:12]
