"""What a denial, a report or a fill does to the trading state: each guard's trip is a cause, with its end."""

from datetime import datetime, timedelta

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.decisions import CheckResult, Outcome
from gpt_trader.contracts.orders import Fill, FillKind, OrderEvent, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.checks.table import is_infrastructure
from gpt_trader.risk_gate.domain.exposure import Approval
from gpt_trader.risk_gate.domain.history import Moment, later_than
from gpt_trader.risk_gate.domain.increments import BPS, ZERO
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode


def of_decision(
    request: Request, checks: tuple[CheckResult, ...], state: GateState, policy: Policy
) -> tuple[Cause, ...]:
    """Pause a product whose mark is stale or whose orders repeat; go reduce-only when the world keeps failing."""
    failed = {found.rule for found in checks if found.outcome is Outcome.FAILED}
    now, product = request.now, request.signal.product
    causes: tuple[Cause, ...] = ()
    if "mark_is_fresh" in failed:
        until = now + policy.marks.stale_pause_seconds
        causes = (*causes, paused(CauseCode.STALE_MARK, "the mark is stale or missing", product, now, until))
    if "order_is_not_repeating" in failed:
        until = now + policy.repeats.pause_seconds
        causes = (*causes, paused(CauseCode.REPEATED_ORDER, request.signal.strategy, product, now, until))
    if request.purpose.is_entry and is_infrastructure(checks):
        window = policy.escalation.denials_window_seconds
        count = len(later_than(state.history.infrastructure_denials, now - window)) + 1
        if count >= policy.escalation.infrastructure_denials:
            causes = (*causes, reduce_only(CauseCode.INFRASTRUCTURE, f"{count} denials within {window}", now))
    return causes


def of_report(event: OrderEvent, state: GateState, policy: Policy, now: datetime) -> tuple[Cause, ...]:
    """Pause a product whose orders keep being rejected; an order nobody approved halts."""
    if event.client_order_id not in state.known_orders:
        return (unapproved(event.client_order_id, now),)
    if event.status is not OrderStatus.REJECTED:
        return ()
    rules = policy.escalation
    count = _count(state.history.rejections, event.product, now - rules.rejections_window_seconds) + 1
    if count < rules.rejections:
        return ()
    until = now + rules.rejections_pause_seconds
    return (paused(CauseCode.REJECTIONS, f"{count} rejections: {event.reason}", event.product, now, until),)


def of_fill(fill: Fill, state: GateState, policy: Policy, now: datetime) -> tuple[Cause, ...]:
    """Pause a product that keeps slipping; a fill that no approval explains restricts trading."""
    if fill.client_order_id not in state.known_orders:
        return (unapproved(fill.client_order_id, now),)
    causes: tuple[Cause, ...] = ()
    approval = state.approvals.get(fill.client_order_id)
    if approval is not None and not approval.explains(fill):
        detail = f"{fill.side} of {fill.product} for {fill.client_order_id}: {approval.side} of {approval.product}"
        causes = (reduce_only(CauseCode.UNEXPLAINED_FILL, detail, now),)
    elif approval is not None and fill.kind is FillKind.FILL and approval.counted + fill.quantity > approval.quantity:
        causes = (reduce_only(CauseCode.UNEXPLAINED_FILL, f"overfilled {fill.client_order_id}", now),)
    if fill.kind is FillKind.CORRECTION and fill.trade_id not in state.portfolio.executions:
        causes = (*causes, reduce_only(CauseCode.UNEXPLAINED_FILL, f"correction of unknown {fill.trade_id}", now))
    if fill.side is Side.SELL and state.portfolio.quantity(fill.product) < fill.quantity:
        causes = (*causes, reduce_only(CauseCode.UNEXPLAINED_FILL, f"sold more than held of {fill.product}", now))
    rules = policy.escalation
    if has_slipped(fill, approval, policy):
        count = _count(state.history.slippages, fill.product, now - rules.slippage_window_seconds) + 1
        if count >= rules.slippage_breaches:
            until = now + rules.slippage_pause_seconds
            causes = (*causes, paused(CauseCode.SLIPPAGE, f"{count} breaches", fill.product, now, until))
    return causes


def has_slipped(fill: Fill, approval: Approval | None, policy: Policy) -> bool:
    """Whether a fill was worse than the mark at approval by more than the limit."""
    if approval is None or fill.kind is not FillKind.FILL or approval.mark <= ZERO or not approval.explains(fill):
        return False
    worse_by = (fill.price - approval.mark) * fill.side.sign / approval.mark * BPS
    return worse_by > policy.escalation.slippage_bps


def unapproved(client_order_id: str, now: datetime) -> Cause:
    """Halt: somebody trades with our key."""
    detail = f"order {client_order_id or '(without client id)'} was never approved"
    return halted(CauseCode.UNAPPROVED_ORDER, detail, now)


def halted(code: CauseCode, detail: str, now: datetime) -> Cause:
    """Nothing but an operator's flatten, until an operator resets."""
    return Cause(code=code, status=TradingStatus.HALTED, detail=detail, product=None, since=now, until=None)


def reduce_only(code: CauseCode, detail: str, now: datetime) -> Cause:
    """Only what shrinks a position."""
    return Cause(code=code, status=TradingStatus.REDUCE_ONLY, detail=detail, product=None, since=now, until=None)


def paused(code: CauseCode, detail: str, product: str | None, now: datetime, until: datetime) -> Cause:
    """No entries until a time."""
    return Cause(code=code, status=TradingStatus.PAUSED, detail=detail, product=product, since=now, until=until)


def end_of_day(now: datetime) -> datetime:
    """Return the next UTC midnight."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _count(moments: tuple[Moment, ...], product: str, start: datetime) -> int:
    return sum(moment.product == product for moment in later_than(moments, start))
