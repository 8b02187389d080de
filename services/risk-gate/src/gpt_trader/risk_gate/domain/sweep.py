"""What time alone changes: the day rolls, equity peaks or falls too far, approvals run out unused."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.risk_gate.domain.consequences import end_of_day, halted, reduce_only
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import value
from gpt_trader.risk_gate.domain.records import ApprovalVoided, CauseCleared, CauseRaised, Marked, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode, holds

_FATE_UNKNOWN = frozenset({None, OrderStatus.SUBMITTING, OrderStatus.UNKNOWN})


def swept(state: GateState, policy: Policy, marks: Mapping[str, Decimal], now: datetime) -> tuple[Record, ...]:
    """Return what has to be recorded now; nothing, most of the time."""
    valuation = value(state.portfolio, marks, policy.quote_currency)
    equity = None if valuation is None else valuation.equity
    return (*run_out(state, now), *_valued(state, policy, equity, marks, now))


def run_out(state: GateState, now: datetime) -> tuple[ApprovalVoided, ...]:
    """Void approvals that expired without a permit: none can be issued any more, so nothing can come of them."""
    return tuple(
        ApprovalVoided(client_order_id=key, reason="expired without a permit", at=now)
        for key, kept in state.approvals.items()
        if kept.is_stored and kept.permitted_at is None and now >= kept.expires_at
    )


def unresolved(state: GateState, since: datetime, now: datetime) -> tuple[Record, ...]:
    """Go reduce-only while a create let out before `since` has no known fate: the books may lack its fills."""
    silent = [
        key
        for key, kept in state.approvals.items()
        if kept.permitted_at is not None and kept.permitted_at <= since and kept.status in _FATE_UNKNOWN
    ]
    if bool(silent) is restricts(state, CauseCode.UNRESOLVED_ORDER, now):
        return ()
    if silent:
        detail = f"nothing is known of what became of {', '.join(silent)}"
        return (CauseRaised(cause=reduce_only(CauseCode.UNRESOLVED_ORDER, detail, now), at=now),)
    return (CauseCleared(code=CauseCode.UNRESOLVED_ORDER, product=None, reason="all are known", at=now),)


def followed(state: GateState, code: CauseCode, detail: str, now: datetime, *, is_present: bool) -> tuple[Record, ...]:
    """Halt while a kill switch is set; once it is gone a plain kill remains, which a reset may end."""
    if is_present is restricts(state, code, now):
        return ()
    if is_present:
        return (CauseRaised(cause=halted(code, detail, now), at=now),)
    return (
        CauseRaised(cause=halted(CauseCode.KILL, f"{detail}, and is gone now", now), at=now),
        CauseCleared(code=code, product=None, reason="it is gone", at=now),
    )


def restricts(state: GateState, code: CauseCode, now: datetime) -> bool:
    """Whether a cause of this code holds."""
    return any(cause.code == code and holds(cause, now) for cause in state.causes)


def _valued(
    state: GateState, policy: Policy, equity: Decimal | None, marks: Mapping[str, Decimal], now: datetime
) -> tuple[Record, ...]:
    if equity is None:
        return ()
    is_notable = state.day != now.date() or state.peak_equity is None or equity > state.peak_equity
    marked = (Marked(equity=equity, marks=marks, at=now),) if is_notable else ()
    return (*marked, *_loss(state, policy, equity, now), *_drawdown(state, policy, equity, now))


def _loss(state: GateState, policy: Policy, equity: Decimal, now: datetime) -> tuple[Record, ...]:
    """Reduce only for the rest of the UTC day; nobody can lift it."""
    start = state.day_start_equity
    if start is None or state.day != now.date() or restricts(state, CauseCode.DAILY_LOSS, now):
        return ()
    limit = min(start * policy.limits.daily_loss_fraction, policy.limits.daily_loss_notional)
    if start - equity < limit:
        return ()
    return (_raised(CauseCode.DAILY_LOSS, TradingStatus.REDUCE_ONLY, f"lost {start - equity} of {limit}", now),)


def _drawdown(state: GateState, policy: Policy, equity: Decimal, now: datetime) -> tuple[Record, ...]:
    peak = state.peak_equity
    if not peak:
        return ()
    is_deep = (peak - equity) / peak >= policy.limits.drawdown_fraction
    is_restricted = restricts(state, CauseCode.DRAWDOWN, now)
    if is_deep and not is_restricted:
        return (_raised(CauseCode.DRAWDOWN, TradingStatus.PAUSED, f"equity {equity} from {peak}", now),)
    if is_restricted and not is_deep:
        return (CauseCleared(code=CauseCode.DRAWDOWN, product=None, reason="equity recovered", at=now),)
    return ()


def _raised(code: CauseCode, status: TradingStatus, detail: str, now: datetime) -> CauseRaised:
    until = end_of_day(now) if code is CauseCode.DAILY_LOSS else None
    cause = Cause(code=code, status=status, detail=detail, product=None, since=now, until=until)
    return CauseRaised(cause=cause, at=now)
