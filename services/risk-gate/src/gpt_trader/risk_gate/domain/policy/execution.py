"""EX1, EX2, EX5: in which forms orders may go, how a wish is made before it is taken, and what may be amended."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.market import Tier
from gpt_trader.risk_gate.domain.policy.fields import FEWER, LOWER, Bps, Rule, Seconds, Section

LONGEST_ENTRY = timedelta(seconds=120)
"""The dead-man rule (C17): what may add risk ends at the venue by itself this soon after the gate is gone."""

BRACKETS = frozenset({OrderForm.BRACKET_GTC, OrderForm.BRACKET_GTD})
BRACKET_BAND_BPS = 500
"""How far beyond its trigger the venue itself puts the limit of a bracket's stop (C24)."""


def _ordered(forms: tuple[OrderForm, ...]) -> tuple[OrderForm, ...]:
    """Give equal lists one spelling, for the policy's version is its hash."""
    return tuple(sorted(set(forms)))


class Style(StrEnum):
    """How an entry that wishes for no form begins."""

    TAKER = "taker"
    MAKER_FIRST = "maker_first"


class ExecutionRules(Section):
    """Orders of the gate's own (stops, flatten) take; exits of a strategy take unless they wish for another form."""

    style: Style
    """how an entry begins whose signal wishes for no form: `taker` crosses the touch within the collar, `maker_first`
    rests at the touch and takes only what is left (EX2)"""
    ttl_seconds: Annotated[Seconds, Field(ge=timedelta(seconds=1), le=timedelta(seconds=30))]
    """how long an order that makes rests before the next step; it ends at the venue by itself"""
    reprices: Annotated[int, Field(ge=0, le=1, strict=True), LOWER]
    """how often what is left is made again at the new touch before it is taken"""
    fallback_bps: Annotated[Mapping[Tier, Bps], LOWER]
    """how far from the mark at arrival what is left may be taken, per tier; beyond it, it is not"""
    forms: Annotated[tuple[OrderForm, ...], AfterValidator(_ordered), FEWER]
    """the kinds of orders that may be sent (EX1)"""
    entry_life_seconds: Annotated[Seconds, Field(le=LONGEST_ENTRY), LOWER]
    """longest life at the venue of what may add risk: it ends there by itself, also when nobody is left (C17)"""

    amends: bool
    """whether a resting stop whose position changes in size, or whose price comes nearer, is changed at the venue,
    instead of being taken back and placed again: it protects all the time (EX5)"""

    def rules(self) -> tuple[Rule, ...]:
        """Say what has to hold."""
        tiers = sorted(Tier)
        return (
            (sorted(self.fallback_bps) == tiers, f"execution.fallback_bps needs every tier of {tiers}"),
            (
                OrderForm.MARKET_IOC not in self.forms,
                "execution.forms must not name market_ioc: it has no price",
            ),
            (OrderForm.LIMIT_IOC in self.forms, "execution.forms must name limit_ioc: exits are made of it"),
            (
                self.style is Style.TAKER or OrderForm.LIMIT_GTD in self.forms,
                "execution.forms must name limit_gtd while execution.style is maker_first",
            ),
            (
                self.ttl_seconds <= self.entry_life_seconds,
                "execution.entry_life_seconds must not be below execution.ttl_seconds",
            ),
        )
