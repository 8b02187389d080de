"""One release everywhere: one server that was left on old code cost Knight Capital $460 million in 45 minutes."""

from collections.abc import Mapping
from datetime import datetime

from gpt_trader.contracts.subjects import Zone
from gpt_trader.risk_gate.domain.consequences import reduce_only
from gpt_trader.risk_gate.domain.records import CauseCleared, CauseRaised, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.sweeps.conditions import restricts
from gpt_trader.risk_gate.domain.trading_state import CauseCode

IN_THE_ORDERS_PATH = (Zone.STRATEGY, Zone.EXECUTOR, Zone.MARKET_DATA)
"""Whose release has to be the gate's: what they say becomes an order, or is its price."""
_SHOWN = 64


Heard = Mapping[Zone, Mapping[int, str]]
"""The release that each process of a zone runs, by its shard."""


def differing(heard: Heard, own: str) -> Mapping[Zone, str]:
    """Return who said last that it, or one of its shards, runs another release, and which."""
    others = {zone: sorted(set(heard.get(zone, {}).values()) - {own}) for zone in IN_THE_ORDERS_PATH}
    return {zone: releases[0] for zone, releases in others.items() if releases}


def compared(state: GateState, heard: Heard, own: str, now: datetime) -> tuple[Record, ...]:
    """Go reduce-only for another release; it ends when each service was heard, since the gate's start, to run ours."""
    code = CauseCode.MIXED_VERSIONS
    others, is_restricted = differing(heard, own), restricts(state, code, now)
    if others and not is_restricted:
        named = ", ".join(f"{zone} runs {release[:_SHOWN]}" for zone, release in others.items())
        return (CauseRaised(cause=reduce_only(code, f"{named}; the gate runs {own}", now), at=now),)
    if is_restricted and not others and len(heard) == len(IN_THE_ORDERS_PATH):
        return (CauseCleared(code=code, product=None, reason=f"all run {own}", at=now),)
    return ()
