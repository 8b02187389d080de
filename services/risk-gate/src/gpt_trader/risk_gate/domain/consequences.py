"""What a denial, a report or a fill does to the trading state: each guard's trip is a cause, with its end."""

from datetime import datetime, timedelta

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.decisions import CheckResult, Outcome
from gpt_trader.contracts.market import is_future
from gpt_trader.contracts.orders import Fill, FillKind, OrderEvent, OrderStatus, is_post_only_refusal
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.checks.table import is_infrastructure
from gpt_trader.risk_gate.domain.denials import is_wish
from gpt_trader.risk_gate.domain.exposure import Approval, terms_of
from gpt_trader.risk_gate.domain.history import Moment, later_than
from gpt_trader.risk_gate.domain.increments import BPS, ZERO
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode

_TOO_MANY_ENTRIES = "it wanted one entry more than it may make within an hour or a day"
_THROTTLES = frozenset({"strategy_enters_rarely_in_a_day", "strategy_enters_rarely_in_an_hour"})


def of_decision(
    request: Request, checks: tuple[CheckResult, ...], state: GateState, policy: Policy
) -> tuple[Cause, ...]:
    """Pause a product whose mark is stale or whose orders repeat; go reduce-only when the world keeps failing."""
    failed = {found.rule for found in checks if found.outcome is Outcome.FAILED}
    now, product = request.now, request.signal.product
    causes: tuple[Cause, ...] = ()
    if "mark_is_fresh" in failed and request.market.spec is not None:
        until = now + policy.marks.stale_pause_seconds
        causes = (*causes, paused(CauseCode.STALE_MARK, "the mark is stale or missing", product, now, until))
    if "order_is_not_repeating" in failed:
        until = now + policy.repeats.pause_seconds
        causes = (*causes, paused(CauseCode.REPEATED_ORDER, request.signal.strategy, product, now, until))
    if failed & _THROTTLES and "strategy_is_enabled" not in failed:
        causes = (*causes, _throttled(request.signal.strategy, _TOO_MANY_ENTRIES, now, None))
    causes = (*causes, *_of_flood(request, is_denied=bool(failed), state=state, policy=policy))
    if is_worlds_fault(request, checks):
        window = policy.escalation.denials_window_seconds
        count = len(later_than(state.history.infrastructure_denials, now - window)) + 1
        if count >= policy.escalation.infrastructure_denials:
            causes = (*causes, reduce_only(CauseCode.INFRASTRUCTURE, f"{count} denials within {window}", now))
    if request.preview is not None and request.preview.refusals:
        count = state.preview_failures + 1
        if count >= policy.preview.failures_in_a_row:
            detail = f"{count} previews in a row failed: {', '.join(request.preview.refusals)}"
            causes = (*causes, reduce_only(CauseCode.PREVIEWS, detail, now))
    return causes


def is_worlds_fault(request: Request, checks: tuple[CheckResult, ...]) -> bool:
    """Whether an entry failed for what the gate relies on; that nobody lists a product is the fault of the wish."""
    return request.purpose.is_entry and request.market.spec is not None and is_infrastructure(checks)


def of_report(event: OrderEvent, state: GateState, policy: Policy, now: datetime) -> tuple[Cause, ...]:
    """Pause a product whose orders keep being rejected; an order nobody approved halts."""
    if event.client_order_id not in state.known_orders:
        return _unapproved(event.client_order_id, state, now)
    if event.status is not OrderStatus.REJECTED or is_post_only_refusal(event.reason):
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
        return _unapproved(fill.client_order_id, state, now)
    causes: tuple[Cause, ...] = ()
    approval = state.approvals.get(fill.client_order_id)
    if terms_of(fill.client_order_id, fill.product, fill.side) not in state.known_terms:
        detail = f"{fill.side} of {fill.product} is not what was approved as {fill.client_order_id}"
        causes = (reduce_only(CauseCode.UNEXPLAINED_FILL, detail, now),)
    elif approval is not None and fill.kind is FillKind.FILL and approval.counted + fill.quantity > approval.most:
        causes = (reduce_only(CauseCode.UNEXPLAINED_FILL, f"overfilled {fill.client_order_id}", now),)
    if fill.kind is FillKind.CORRECTION and fill.trade_id not in state.portfolio.executions:
        causes = (*causes, reduce_only(CauseCode.UNEXPLAINED_FILL, f"correction of unknown {fill.trade_id}", now))
    if (
        fill.side is Side.SELL
        and not is_future(fill.product)
        and state.portfolio.quantity(fill.product) < fill.quantity
    ):
        causes = (*causes, reduce_only(CauseCode.UNEXPLAINED_FILL, f"sold more than held of {fill.product}", now))
    rules = policy.escalation
    if has_slipped(fill, approval, policy):
        count = _count(state.history.slippages, fill.product, now - rules.slippage_window_seconds) + 1
        if count >= rules.slippage_breaches:
            until = now + rules.slippage_pause_seconds
            causes = (*causes, paused(CauseCode.SLIPPAGE, f"{count} breaches", fill.product, now, until))
    return causes


def has_slipped(fill: Fill, approval: Approval | None, policy: Policy) -> bool:
    """Whether a fill was worse than the mark at approval, or than a stop's own price, by more than the limit."""
    if approval is None or fill.kind is not FillKind.FILL or approval.mark <= ZERO or not approval.explains(fill):
        return False
    expected = approval.trigger_price or approval.mark
    worse_by = (fill.price - expected) * fill.side.sign / expected * BPS
    return worse_by > policy.escalation.slippage_bps


def _of_flood(request: Request, *, is_denied: bool, state: GateState, policy: Policy) -> tuple[Cause, ...]:
    """Pause a strategy that is denied again and again (reliability C06)."""
    strategy, now, rules = request.signal.strategy, request.now, policy.escalation
    if not is_denied or not is_wish(request.purpose, request.follows):
        return ()
    count = _count(state.history.denials, strategy, now - rules.strategy_denials_window_seconds) + 1
    if count < rules.strategy_denials:
        return ()
    detail = f"{count} of its signals were denied within {rules.strategy_denials_window_seconds}"
    return (_throttled(strategy, detail, now, now + rules.strategy_denials_pause_seconds),)


def _throttled(strategy: str, detail: str, now: datetime, until: datetime | None) -> Cause:
    """No entries of a strategy until a time, or until a person resumes it (reliability C07)."""
    return Cause(
        code=CauseCode.STRATEGY_THROTTLED,
        status=TradingStatus.PAUSED,
        detail=detail,
        product=None,
        strategy=strategy,
        since=now,
        until=until,
    )


def _unapproved(client_order_id: str, state: GateState, now: datetime) -> tuple[Cause, ...]:
    """Halt on the executor's word, unless the venue's own word halts already and names the orders."""
    if any(cause.code == CauseCode.UNAPPROVED_ORDER for cause in state.causes):
        return ()
    detail = f"order {client_order_id or '(without client id)'} was never approved"
    return (halted(CauseCode.UNAPPROVED_ORDER, detail, now),)


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


def end_of_week(now: datetime) -> datetime:
    """Return the next Monday, 00:00 UTC."""
    return end_of_day(now) + timedelta(days=6 - now.weekday())


def _count(moments: tuple[Moment, ...], about: str, start: datetime) -> int:
    return sum(moment.about == about for moment in later_than(moments, start))
