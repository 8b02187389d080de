"""How often and when orders may be made (G11-G13, G19)."""

from datetime import time
from typing import Annotated

from pydantic import Field

from gpt_trader.risk_gate.domain.policy.fields import FEWER, HIGHER, LOWER, Count, Seconds, Section


class FrequencyLimits(Section):
    """G11: how often."""

    trades_per_day: Annotated[Count, LOWER]
    """orders since UTC midnight before entries stop (G11)"""
    trades_per_hour: Annotated[Count, LOWER]
    """orders within an hour"""
    entries_per_hour: Annotated[Count, LOWER]
    """entries within an hour"""
    strategy_entries_per_day: Annotated[Count, LOWER]
    """entries of one strategy since UTC midnight; one more switches it off until resume (C07)"""
    strategy_entries_per_hour: Annotated[Count, LOWER]
    """entries of one strategy within an hour; one more switches it off until resume (C07)"""
    between_trades_seconds: Annotated[Seconds, HIGHER]
    """rest after any order"""
    per_product_seconds: Annotated[Seconds, HIGHER]
    """rest after an entry of that product"""
    messages_per_second: Annotated[Count, LOWER]
    """approvals of any ordinary kind within a second (C06)"""
    messages_per_minute: Annotated[Count, LOWER]
    """approvals of any ordinary kind within a minute"""


class Cooldowns(Section):
    """G12: how long entries rest after an outcome."""

    consecutive_losses: Annotated[Count, LOWER]
    """losses in a row after which entries rest (G12)"""
    consecutive_losses_seconds: Annotated[Seconds, HIGHER]
    """how long entries rest after so many losses in a row"""
    after_loss_seconds: Annotated[Seconds, HIGHER]
    """rest of a product after a loss"""
    after_stop_seconds: Annotated[Seconds, HIGHER]
    """rest of a product after a stop"""
    after_win_seconds: Annotated[Seconds, HIGHER]
    """rest of a product after a win"""


class RepeatLimits(Section):
    """G13: how often the same order may be approved within a window before the product pauses."""

    same_orders: Annotated[Count, LOWER]
    """same strategy, product and side within the window before the product pauses (G13)"""
    window_seconds: Annotated[Seconds, HIGHER]
    """window in which the same orders are counted"""
    pause_seconds: Annotated[Seconds, HIGHER]
    """pause of a product that was ordered too often"""


class TradingWindow(Section):
    """G19: weekdays (1 = Monday) and UTC times between which entries are allowed; from = to means all day."""

    weekdays: Annotated[frozenset[Annotated[int, Field(ge=1, le=7)]], FEWER]
    """days on which entries are allowed, 1 = Monday (G19)"""
    from_utc: time
    """first moment of the day's entries; equal to `window.to_utc` = all day"""
    to_utc: time
    """end of the day's entries"""
