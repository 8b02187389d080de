"""What shrinks or stretches an entry before the caps: measured edge, confidence, regime, volatility (SZ1, SZ2, UN7)."""

from decimal import Decimal

from gpt_trader.contracts.decisions import MarketStatistics, Regime
from gpt_trader.contracts.market import ProductSpec
from gpt_trader.risk_gate.domain.increments import ONE
from gpt_trader.risk_gate.domain.performance import Tally
from gpt_trader.risk_gate.domain.policy.statistics import KellyRules, ScalingRules

Factor = tuple[Decimal, str]
"""A number and what it was taken from."""

_FIVE_MINUTES_A_DAY = 288
_DIGITS = Decimal("1E-8")


def kelly_fraction(tally: Tally, fixed: Decimal, rules: KellyRules) -> Factor:
    """Return the share of equity that measured trades justify, never above the fixed one.

    Too few trades: the fixed share. No edge, or too few wins: a share that keeps measuring and risks little.
    """
    if tally.trades < rules.min_trades:
        return fixed, f"off: {tally.trades} of {rules.min_trades} trades"
    edge = tally.kelly
    found = f"{tally.trades} trades, win rate {tally.win_rate.quantize(_DIGITS)}, f* {edge.quantize(_DIGITS)}"
    if edge <= 0 or tally.win_rate < rules.min_win_rate:
        return min(fixed, rules.no_edge_fraction), f"no edge: {found}"
    return min(fixed, (rules.fraction * edge).quantize(_DIGITS)), found


def confidence_factor(confidence: Decimal, floor: Decimal) -> Factor:
    """Go from the floor at confidence 0 to 1 at confidence 1."""
    return floor + (ONE - floor) * confidence, f"confidence {confidence}"


def regime_factor(statistics: MarketStatistics | None, rules: ScalingRules) -> Factor:
    """Return the multiplier of the product's regime."""
    regime = Regime.UNKNOWN if statistics is None else statistics.regime
    return rules.regimes[regime], regime.value


def volatility_factor(statistics: MarketStatistics | None, rules: ScalingRules) -> Factor:
    """Return target over realised volatility, at most 1: only ever smaller."""
    volatility = None if statistics is None else statistics.volatility
    if volatility is None:
        return rules.unknown_volatility_multiplier, "unknown volatility"
    detail = f"{volatility} a day, target {rules.target_volatility}"
    if volatility <= rules.target_volatility:
        return ONE, detail
    return (rules.target_volatility / volatility).quantize(_DIGITS), detail


def usual_volume(statistics: MarketStatistics | None, spec: ProductSpec) -> Decimal:
    """Notional traded in five minutes; where none was seen, the venue's mean over the day."""
    seen = None if statistics is None else statistics.volume_5m_notional
    return seen or spec.volume_24h_notional / _FIVE_MINUTES_A_DAY
