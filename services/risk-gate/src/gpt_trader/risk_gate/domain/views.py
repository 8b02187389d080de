"""What the gate tells the world of its state."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.account import AccountSnapshot, Cash, MarginSummary, OpenOrder, Position, TradingState
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.risk_gate.domain.exposure import worst_case
from gpt_trader.risk_gate.domain.groups import by_cluster, correlated
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import unrealized, value
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import standing, without_expired

Correlations = Mapping[str, Mapping[str, Decimal]]
"""Known coefficients of each product with each other."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the fold does not know: creates whose end is open, the journal's length and the hash of its last record."""

    in_flight: int
    records: int
    head: str


def trading_state(state: GateState, sequence: int, shell: Standing, now: datetime) -> TradingState:
    """Say whether and how trading may go on, with every cause that holds, also those of single products."""
    return TradingState(
        status=standing(state.causes, None, now).status,
        causes=without_expired(state.causes, now),
        epoch=state.epoch,
        sequence=sequence,
        creates_in_flight=shell.in_flight,
        decisions=state.decisions,
        records=shell.records,
        head_hash=shell.head,
        published_at=now,
    )


def account(
    state: GateState,
    policy: Policy,
    marks: Mapping[str, Decimal],
    correlations: Correlations,
    now: datetime,
    *,
    is_reconciled: bool,
) -> AccountSnapshot:
    """Mark the books to the last ticks; a product without a fresh mark is shown at cost, and never reconciled."""
    held = {name: holding for name, holding in state.portfolio.holdings.items() if holding.quantity}
    priced = {name: marks.get(name, holding.average_price) for name, holding in held.items()}
    valuation = value(state.portfolio, priced, policy.quote_currency)
    equity = ZERO if valuation is None else valuation.equity
    worths = {} if valuation is None else valuation.worths
    exposure = worst_case(worths, state.approvals, priced)
    start = state.day_start(equity, now)
    peak = equity if state.peak_equity is None else max(state.peak_equity, equity)
    return AccountSnapshot(
        equity=equity,
        cash=_cash(state, policy, state.approvals.spot.cash),
        positions=_positions(state, marks),
        open_orders=_open_orders(state),
        exposure=exposure.total - exposure.reserved,
        worst_case_exposure=exposure.total,
        net_exposure=exposure.net,
        cluster_exposures=by_cluster(exposure, policy.exposure),
        correlated_exposure=max(
            (correlated(name, exposure, correlations.get(name, {})) for name in exposure.by_product), default=ZERO
        ),
        realized_pnl=sum((holding.realized for holding in state.portfolio.holdings.values()), ZERO),
        unrealized_pnl=unrealized(state.portfolio, worths),
        fees=sum((holding.fees for holding in state.portfolio.holdings.values()), ZERO),
        funding=state.funding,
        transfers=state.portfolio.transfers,
        income=state.portfolio.income,
        opening_equity=state.opening_equity,
        day_start_equity=start,
        day_pnl=equity - start,
        peak_equity=peak,
        drawdown=(peak - equity) / peak if peak > ZERO else ZERO,
        fills=state.fills,
        is_reconciled=is_reconciled and all(name in marks for name in held),
        differences=state.differences,
        margin=_margin(state),
        published_at=now,
    )


def _cash(state: GateState, policy: Policy, reserved: Decimal) -> tuple[Cash, ...]:
    return tuple(
        Cash(currency=currency, total=total, reserved=reserved if currency == policy.quote_currency else ZERO)
        for currency, total in sorted(state.portfolio.cash.items())
    )


def _positions(state: GateState, marks: Mapping[str, Decimal]) -> tuple[Position, ...]:
    """Show every product ever held: a flat one still has its realized result."""
    return tuple(
        Position(
            product=product,
            quantity=holding.quantity,
            contracts=_contracts(state, product, holding.quantity),
            average_entry_price=holding.average_price,
            mark=marks.get(product),
            unrealized_pnl=holding.quantity * marks.get(product, holding.average_price) - holding.cost,
            realized_pnl=holding.realized,
            fees=holding.fees,
            strategy=holding.strategy,
            stop_price=holding.stop_price,
            target_price=holding.target_price,
            opened_at=holding.opened_at,
        )
        for product, holding in sorted(state.portfolio.holdings.items())
    )


def _contracts(state: GateState, product: str, quantity: Decimal) -> Decimal | None:
    terms = None if state.futures is None else state.futures.terms.get(product)
    return None if terms is None else quantity / terms.contract_size


def _margin(state: GateState) -> MarginSummary | None:
    seen = state.futures
    if seen is None:
        return None
    return MarginSummary(
        wallet=seen.cash,
        initial=seen.initial,
        maintenance=seen.maintenance,
        buffer=seen.buffer,
        window=seen.window.value,
        window_ends_at=seen.window_ends_at,
        funding=state.funding,
    )


def _open_orders(state: GateState) -> tuple[OpenOrder, ...]:
    return tuple(
        OpenOrder(
            client_order_id=kept.client_order_id,
            venue_order_id=kept.venue_order_id,
            product=kept.product,
            side=kept.side,
            purpose=kept.purpose,
            quantity=kept.quantity,
            filled_quantity=kept.counted,
            limit_price=kept.limit_price,
            status=kept.status or OrderStatus.SUBMITTING,
        )
        for kept in state.approvals.values()
    )
