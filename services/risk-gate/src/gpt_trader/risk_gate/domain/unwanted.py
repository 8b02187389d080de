"""Entries that rest at the venue though nothing, or not so much, may be entered any more."""

from datetime import datetime

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.domain.maker import exceeds
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import allows, standing


def unwanted(state: GateState, now: datetime) -> frozenset[ClientOrderId]:
    """Name the resting entries that could still fill: the trading state allows none (I5), or their wish lacks less."""
    return frozenset(
        kept.client_order_id
        for kept in state.approvals.values()
        if kept.purpose.is_entry
        and kept.form.rests
        and (not allows(standing(state.causes, kept.product, now).status, Purpose.ENTRY) or exceeds(state.makers, kept))
    )
