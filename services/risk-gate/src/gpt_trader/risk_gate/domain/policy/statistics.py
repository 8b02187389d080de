"""What is measured of markets and of strategies, and how it scales an entry (SZ1, SZ2, UN7)."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from gpt_trader.contracts.decisions import Regime
from gpt_trader.contracts.message import NonNegative
from gpt_trader.risk_gate.domain.increments import ONE
from gpt_trader.risk_gate.domain.policy.fields import LOWER, Count, Money, Number, Rule, Section, Share

_MOST_RETURNS = 240
"""What a series keeps at most."""

Returns = Annotated[int, Field(ge=4, le=_MOST_RETURNS, strict=True)]
"""A number of candle-to-candle returns."""
Multiplier = Annotated[NonNegative, Number, Field(le=2)]


class RegimeRules(Section):
    """When a market is called what: changes over the window, as fractions; a regime is left at a share of its entry."""

    window_returns: Returns
    """candles a regime looks back on; unknown below half of them"""
    bull_fraction: Share
    """rise over the window that is called bull"""
    bear_fraction: Share
    """fall over the window that is called bear"""
    crash_fraction: Share
    """fall from the window's highest close that is a crash"""
    leave_share: Share
    """share of a regime's figure at which it ends again"""


class StatisticsRules(Section):
    """Over how many returns volatility and correlation are measured, and how few are too few to say."""

    volatility_returns: Returns
    """candle-to-candle returns that volatility is measured over, at most 240"""
    correlation_returns: Returns
    """candle-to-candle returns that correlation is measured over, at most 240"""
    min_returns: Returns
    """fewer known returns make volatility and correlation unknown"""
    regime: RegimeRules

    def rules(self) -> tuple[Rule, ...]:
        """Say what has to hold between these numbers."""
        most = min(self.volatility_returns, self.correlation_returns)
        return ((self.min_returns <= most, "statistics.min_returns must not exceed the returns that are measured"),)


class KellyRules(Section):
    """SZ1: which part of Kelly's fraction, from how many closed trades on, and what is risked without an edge."""

    fraction: Annotated[Share, LOWER]
    """of Kelly's fraction, taken instead of the tier's where it is smaller (SZ1)"""
    min_trades: Count
    """closed trades of a strategy before its edge is measured; until then the tier's share holds"""
    min_win_rate: Share
    """below it there is no edge"""
    no_edge_fraction: Annotated[Share, LOWER]
    """of equity, what a strategy without an edge may still try"""


class ScalingRules(Section):
    """SZ2 and UN7: multipliers by regime, and the daily volatility above which entries shrink."""

    regimes: Annotated[Mapping[Regime, Multiplier], LOWER]
    """multiplier of an entry by the product's regime (SZ2, UN7); `unknown` at most 1, and every cap holds"""
    target_volatility: Annotated[Money, LOWER]
    """volatility a day above which entries shrink in proportion"""
    unknown_volatility_multiplier: Annotated[Share, LOWER]
    """multiplier while volatility is unknown"""

    def rules(self) -> tuple[Rule, ...]:
        """Say what has to hold between these numbers: what is not known never enlarges."""
        regimes = sorted(Regime)
        return (
            (sorted(self.regimes) == regimes, f"scaling.regimes needs every regime of {regimes}"),
            (self.regimes.get(Regime.UNKNOWN, ONE) <= ONE, "scaling.regimes must not be above 1 for unknown"),
        )
