"""Who closes a position when its strategy does not (RG13, FM2, UN1, ST5): the gate, on these terms."""

from collections.abc import Mapping

from gpt_trader.contracts.market import Tier
from gpt_trader.risk_gate.domain.policy.fields import Bps, Seconds, Section, Share


class ProtectionRules(Section):
    """Silence, grace and orphan seconds are real time: they measure processes, not the market."""

    strategy_silent_seconds: Seconds
    """real time without a heartbeat of strategy after which the gate runs the stops (FM2)"""
    stop_grace_seconds: Seconds
    """real time a stop may be reached without an exit before the gate acts, whoever lives"""
    default_stop_fraction: Share
    """stop of a position that came without one, from its entry price (ST5)"""
    max_hold_seconds: Mapping[Tier, Seconds]
    """longest hold per tier, then the gate closes the position (UN1); a tier that is not named has none"""
    flattens_abandoned: bool
    """whether the gate closes positions of a strategy that stays silent"""
    abandoned_seconds: Seconds
    """real time of silence after which it does"""
    orphan_seconds: Seconds
    """real time a position may be without price or product rules before the alarm (RG13)"""
    venue_stops: bool
    """whether each position has a stop-limit order resting at the venue"""
    stop_limit_bps: Bps
    """worst price of a triggered stop, from its stop price (C24)"""
