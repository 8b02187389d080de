"""What executions make of the books, and what they tell about the trades behind them."""

from dataclasses import replace

from gpt_trader.contracts.orders import Fill, FillKind
from gpt_trader.risk_gate.domain import portfolio as books
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.exposure import Approval
from gpt_trader.risk_gate.domain.fold.orders import settled
from gpt_trader.risk_gate.domain.history import Closing, Filled, noted
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.maker import executed
from gpt_trader.risk_gate.domain.portfolio import Holding, Portfolio
from gpt_trader.risk_gate.domain.state import GateState


def filled(state: GateState, record: records.FillReported) -> GateState:
    """Count a fill in the books, note what it realized, and tell its approval."""
    fill = record.fill
    state = replace(state, fills_sequence=max(record.sequence, state.fills_sequence))
    if fill.fill_id in state.portfolio.fill_ids:
        return state
    if record.is_slippage:
        slippages = noted(state.history.slippages, record.at, fill.product)
        state = replace(state, history=replace(state.history, slippages=slippages))
    if fill.kind is FillKind.FILL:
        state = replace(state, history=state.history.with_fill(_burst_part(fill, record)))
    if fill.kind is FillKind.FILL:
        state = replace(state, makers=executed(state.makers, fill.client_order_id, fill.quantity))
    approval = state.approvals.get(fill.client_order_id)
    before = state.portfolio.holdings.get(fill.product, Holding())
    state = replace(_closed(state, record), portfolio=books.evolve(state.portfolio, fill), fills=state.fills + 1)
    now = state.portfolio.holdings.get(fill.product, before)
    state = replace(state, performance=state.performance.after(fill.product, before, now))
    if approval is None or fill.kind is not FillKind.FILL or not approval.explains(fill):
        return state
    state = replace(state, portfolio=_with_plan(state.portfolio, approval))
    return settled(state, replace(approval, counted=approval.counted + fill.quantity))


def _burst_part(fill: Fill, record: records.FillReported) -> Filled:
    notional = fill.quantity * fill.price
    return Filled(at=record.at, occurred_at=fill.occurred_at, product=fill.product, notional=notional)


def _closed(state: GateState, record: records.FillReported) -> GateState:
    """Note what a fill realizes, if it closes anything; cooldowns run from when we learned of it.

    One that comes late must not stand in for a later one that was counted before it.
    """
    fill = record.fill
    holding = state.portfolio.holdings.get(fill.product, Holding())
    if fill.kind is not FillKind.FILL or holding.quantity * fill.side.sign >= ZERO:
        return state
    is_stop = holding.stop_price is not None and (fill.price - holding.stop_price) * fill.side.sign >= ZERO
    closing = Closing(
        client_order_id=fill.client_order_id,
        product=fill.product,
        pnl=books.realized_by(state.portfolio, fill),
        is_stop=is_stop,
        at=record.at,
    )
    return replace(state, history=state.history.with_closing(closing))


def _with_plan(portfolio: Portfolio, approval: Approval) -> Portfolio:
    """Give the position what its entry planned: strategy, stop and target."""
    holding = portfolio.holdings[approval.product]
    if not approval.purpose.is_entry or not holding.quantity:
        return portfolio
    planned = replace(
        holding,
        strategy=approval.strategy,
        stop_price=approval.stop_price,
        target_price=approval.target_price,
    )
    return replace(portfolio, holdings={**portfolio.holdings, approval.product: planned})
