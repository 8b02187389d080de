"""Whether the venue is asked about an order before it is made (G16)."""

from typing import Annotated

from gpt_trader.risk_gate.domain.policy.fields import HIGHER, LOWER, Count, Section


class PreviewRules(Section):
    """G16: `is_asked` costs one request to the venue for each order that everything else lets through."""

    is_asked: Annotated[bool, HIGHER]
    """ask the venue about each entry and exit that everything else allows; its no, or no answer within 2 s, denies
    that order"""
    failures_in_a_row: Annotated[Count, LOWER]
    """previews refused or unanswered in a row before reduce-only"""
