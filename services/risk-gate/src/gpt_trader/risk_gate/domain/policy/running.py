"""What holds while orders live: escalation, terms of approvals, flatten, reconciliation (G22, CB2, CB4)."""

from typing import Annotated

from pydantic import Field

from gpt_trader.contracts.message import NonNegative
from gpt_trader.risk_gate.domain.history import MOST_MOMENTS
from gpt_trader.risk_gate.domain.policy.fields import HIGHER, LOWER, Bps, Count, Number, Seconds, Section, Share

Few = Annotated[Count, Field(le=MOST_MOMENTS)]
"""No more than are remembered: a higher limit would never be reached."""


class Escalation(Section):
    """G22 and CB4: when denials, rejections and slippage change the trading state."""

    infrastructure_denials: Annotated[Few, LOWER]
    """denials for want of data before reduce-only (G22)"""
    denials_window_seconds: Annotated[Seconds, HIGHER]
    """window in which such denials are counted"""
    strategy_denials: Annotated[Few, LOWER]
    """denied signals of one strategy before it pauses; what is more is counted and summed up, not recorded (C06)"""
    strategy_denials_window_seconds: Annotated[Seconds, HIGHER]
    """window in which the denied signals of a strategy are counted"""
    strategy_denials_pause_seconds: Annotated[Seconds, HIGHER]
    """pause of a strategy that was denied too often; its exits go on"""
    rejections: Annotated[Few, LOWER]
    """rejections by the venue before the product pauses (CB4)"""
    rejections_window_seconds: Annotated[Seconds, HIGHER]
    """window in which rejections are counted"""
    rejections_pause_seconds: Annotated[Seconds, HIGHER]
    """pause of a product that the venue rejected too often"""
    slippage_bps: Annotated[Bps, LOWER]
    """a fill worse than the mark at approval by more is a breach"""
    slippage_breaches: Annotated[Few, LOWER]
    """such fills before the product pauses (CB4)"""
    slippage_window_seconds: Annotated[Seconds, HIGHER]
    """window in which such fills are counted"""
    slippage_pause_seconds: Annotated[Seconds, HIGHER]
    """pause of a product after too much slippage"""


class ApprovalTerms(Section):
    """On which terms an approval may become an order."""

    expiry_seconds: Annotated[Seconds, LOWER]
    """life of an approval"""
    permit_collar_bps: Annotated[Bps, LOWER]
    """how far the mark may have moved when the order leaves"""
    max_clock_offset_seconds: Annotated[Seconds, LOWER]
    """real time our clock may differ from the venue's before reduce-only"""


class FlattenRules(Section):
    """CB2: how a position is closed in slices against the book."""

    depth_fraction: Share
    """of the visible depth, size of one slice of a flatten (CB2)"""
    max_slices_without_progress: Count
    """slices that closed nothing before the flatten of a product gives up"""


class ReconcileRules(Section):
    """How far our books may be from the venue's, and how often, before entries stop."""

    quote_tolerance: Annotated[NonNegative, Number, LOWER]
    """difference of cash that counts as equal"""
    base_tolerance_notional: Annotated[NonNegative, Number, LOWER]
    """difference of a holding, at its mark, that counts as equal"""
    mismatches: Annotated[Count, LOWER]
    """differences in a row before reduce-only"""
    halt_fraction: Share
    """of equity: a difference worth more halts instead"""
    order_drifts: Count
    """looks in a row in which an order is open on one side only, before trading is paused"""
