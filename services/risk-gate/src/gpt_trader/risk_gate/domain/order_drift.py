"""Our open orders against the venue's (RG10): one that only one side knows, several looks in a row, pauses trading."""

from datetime import datetime

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.risk_gate.domain.exposure import terms_of
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import CauseRaised, OrdersCompared, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.sweeps.conditions import restricts
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import VenueOrder

_RESTING = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


def orders_compared(
    state: GateState, orders: tuple[VenueOrder, ...], policy: Policy, now: datetime
) -> tuple[Record, ...]:
    """Count each order that is open on one side only; the books of orders are never corrected by sending any."""
    drifting = _drifting(state, orders)
    if not drifting and not state.order_drifts:
        return ()
    record = OrdersCompared(drifting=drifting, at=now)
    limit = policy.reconcile.order_drifts
    lasting = [key for key in drifting if state.order_drifts.get(key, 0) + 1 >= limit]
    if not lasting or restricts(state, CauseCode.ORDER_DRIFT, now):
        return (record,)
    return (
        record,
        CauseRaised(cause=_paused(f"open on one side only in {limit} looks: {', '.join(lasting)}", now), at=now),
    )


def _drifting(state: GateState, orders: tuple[VenueOrder, ...]) -> tuple[str, ...]:
    listed = {order.client_order_id for order in orders}
    only_ours = {key for key, kept in state.approvals.items() if kept.status in _RESTING and key not in listed}
    only_theirs = {
        order.client_order_id
        for order in orders
        if order.client_order_id not in state.approvals
        and terms_of(order.client_order_id, order.product, order.side) in state.known_terms
    }
    return tuple(sorted(only_ours | only_theirs))


def _paused(detail: str, now: datetime) -> Cause:
    return Cause(
        code=CauseCode.ORDER_DRIFT, status=TradingStatus.PAUSED, detail=detail, product=None, since=now, until=None
    )
