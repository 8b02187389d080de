"""What time alone changes: the day rolls, equity peaks, approvals run out unused."""

from datetime import datetime

from gpt_trader.risk_gate.domain.fold.worth import is_day_wrong
from gpt_trader.risk_gate.domain.records import ApprovalVoided, Marked
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.sweeps.view import SweepView


def marked(view: SweepView) -> tuple[Marked, ...]:
    """Keep a valuation that begins a day or is a new peak."""
    state, equity = view.state, view.equity
    if equity is None:
        return ()
    today = view.now.date()
    is_new_day = state.day is None or state.day < today or is_day_wrong(state.day, today)
    is_notable = is_new_day or state.peak_equity is None or equity > state.peak_equity
    return (Marked(equity=equity, marks=view.marks, at=view.now),) if is_notable else ()


def run_out(state: GateState, now: datetime) -> tuple[ApprovalVoided, ...]:
    """Void approvals that expired without a permit: none can be issued any more, so nothing can come of them."""
    return tuple(
        ApprovalVoided(client_order_id=key, reason="expired without a permit", at=now)
        for key, kept in state.approvals.items()
        if kept.is_stored and kept.permitted_at is None and now >= kept.expires_at
    )
