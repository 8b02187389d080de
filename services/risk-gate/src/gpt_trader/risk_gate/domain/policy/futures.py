"""What futures may be held, and how far from liquidation (G8, RG4, RG12)."""

from typing import Annotated

from gpt_trader.risk_gate.domain.policy.fields import HIGHER, LOWER, Money, Seconds, Section, Share


class FuturesLimits(Section):
    """G8, RG4, RG12: caps of exposure and leverage, margin and its windows, expiry.

    `maintenance_fraction` is maintenance margin over initial margin, `buffer_fraction` the liquidation buffer below
    which positions are only reduced, `buffer_recovered_fraction` the one up to which the gate reduces them itself.
    """

    is_allowed: Annotated[bool, LOWER]
    """whether futures may be entered at all; spot: false"""
    max_leverage: Annotated[Money, LOWER]
    """worst-case notional of futures over the dollars that back them"""
    exposure_fraction: Annotated[Share, LOWER]
    """of equity, all futures together at their worst"""
    position_fraction: Annotated[Share, LOWER]
    """of equity, one contract at its worst"""
    maintenance_fraction: Annotated[Share, HIGHER]
    """maintenance margin over initial margin"""
    buffer_fraction: Annotated[Share, HIGHER]
    """liquidation buffer below which positions are only reduced, and no entry may lead"""
    buffer_recovered_fraction: Annotated[Share, HIGHER]
    """liquidation buffer up to which the gate reduces by itself"""
    reduce_after_seconds: Annotated[Seconds, LOWER]
    """below the liquidation buffer for so long, the gate reduces by itself"""
    window_lead_seconds: Annotated[Seconds, HIGHER]
    """before higher margin rates begin, they count already"""
    no_entry_before_expiry_seconds: Annotated[Seconds, HIGHER]
    """before a contract expires it takes no entries"""
    close_before_expiry_seconds: Annotated[Seconds, HIGHER]
    """before a contract expires the gate closes it"""
    stale_seconds: Annotated[Seconds, LOWER]
    """age of the venue's word on margin at which futures take no entries"""
    funding_price_fraction: Annotated[Share, LOWER]
    """how far from its price now a contract may have been when funding was paid; any other gap is no funding"""
