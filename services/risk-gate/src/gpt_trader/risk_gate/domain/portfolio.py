"""Cash and positions as a fold over fills: average cost, exact quantities, each fill counted once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from gpt_trader.contracts.orders import Fill, FillKind
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.increments import ZERO, currencies
from gpt_trader.risk_gate.domain.seen import Ids, SeenIds


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Net quantity of one product and what it cost; fees are kept apart from the cost."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    strategy: str = ""
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    opened_at: datetime | None = None

    @property
    def average_price(self) -> Decimal:
        """Average entry price; zero for a flat holding."""
        return self.cost / self.quantity if self.quantity else ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What one trade of the venue did, kept so that a correction can take it back."""

    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    is_restated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """Everything that fills have made of the opening balances. `executions` is keyed by the venue's trade id."""

    cash: Mapping[str, Decimal] = field(default_factory=dict)
    holdings: Mapping[str, Holding] = field(default_factory=dict)
    executions: Mapping[str, Execution] = field(default_factory=dict)
    fill_ids: Ids = field(default_factory=SeenIds)

    def quantity(self, product: str) -> Decimal:
        """Return the net quantity held; zero if never traded."""
        holding = self.holdings.get(product)
        return holding.quantity if holding else ZERO


KEPT_EXECUTIONS = 256
"""How many trades back a correction can reach; an older one is a fill the books cannot explain."""


def evolve(portfolio: Portfolio, fill: Fill) -> Portfolio:
    """Count a fill once, whatever its kind; a fill seen before changes nothing."""
    if fill.fill_id in portfolio.fill_ids:
        return portfolio
    counted = replace(portfolio, fill_ids=portfolio.fill_ids.with_id(fill.fill_id))
    stated = Execution(side=fill.side, quantity=fill.quantity, price=fill.price, fee=fill.fee)
    match fill.kind:
        case FillKind.FILL:
            known = counted.executions.get(fill.trade_id)
            if known is not None and known.is_restated:
                return counted
            return _remembered(_applied(counted, fill, stated), fill.trade_id, stated)
        case FillKind.REVERSAL:
            undone = counted.executions.get(fill.trade_id, stated)
            return _forgotten(_reverted(counted, fill, undone), fill.trade_id)
        case FillKind.CORRECTION:
            before = counted.executions.get(fill.trade_id)
            cleared = _reverted(counted, fill, before) if before else counted
            restated = replace(stated, is_restated=True)
            return _remembered(_applied(cleared, fill, restated), fill.trade_id, restated)
        case _:
            assert_never(fill.kind)


def realized_by(portfolio: Portfolio, fill: Fill) -> Decimal:
    """Return what an execution would realize, net of its fee, if it closes part of a holding; zero if it opens."""
    holding = portfolio.holdings.get(fill.product)
    if holding is None or holding.quantity * fill.side.sign >= 0:
        return ZERO
    closed = min(fill.quantity, abs(holding.quantity))
    return (fill.price - holding.average_price) * closed * -fill.side.sign - fill.fee


def _applied(portfolio: Portfolio, fill: Fill, execution: Execution) -> Portfolio:
    holding = portfolio.holdings.get(fill.product) or Holding(strategy=fill.strategy, opened_at=fill.occurred_at)
    return _with(portfolio, fill, _traded(holding, execution, fill), _flow(execution))


def _reverted(portfolio: Portfolio, fill: Fill, execution: Execution) -> Portfolio:
    """Take an execution back as if it had never been: same price, opposite quantity, fee returned."""
    opposite = Execution(
        side=execution.side.opposite, quantity=execution.quantity, price=execution.price, fee=-execution.fee
    )
    holding = portfolio.holdings.get(fill.product) or Holding(strategy=fill.strategy, opened_at=fill.occurred_at)
    quantity = holding.quantity + opposite.quantity * opposite.side.sign
    cost = holding.cost + opposite.quantity * opposite.price * opposite.side.sign
    is_consistent = quantity != 0 and cost * quantity > 0
    traded = (
        replace(holding, quantity=quantity, cost=cost, fees=holding.fees + opposite.fee)
        if is_consistent
        else _traded(holding, opposite, fill)
    )
    return _with(portfolio, fill, traded, _flow(opposite))


def _traded(holding: Holding, execution: Execution, fill: Fill) -> Holding:
    signed = execution.quantity * execution.side.sign
    quantity = holding.quantity + signed
    fees = holding.fees + execution.fee
    if holding.quantity * signed >= 0:
        opened_at = holding.opened_at if holding.quantity else fill.occurred_at
        cost = holding.cost + signed * execution.price
        return replace(holding, quantity=quantity, cost=cost, fees=fees, opened_at=opened_at)
    if abs(signed) < abs(holding.quantity):
        removed = holding.cost * execution.quantity / abs(holding.quantity)
        realized = holding.realized - signed * execution.price - removed
        return replace(holding, quantity=quantity, cost=holding.cost - removed, fees=fees, realized=realized)
    realized = holding.realized + holding.quantity * execution.price - holding.cost
    return replace(
        holding,
        quantity=quantity,
        cost=quantity * execution.price,
        fees=fees,
        realized=realized,
        stop_price=None,
        target_price=None,
        opened_at=fill.occurred_at if quantity else None,
    )


def _flow(execution: Execution) -> Decimal:
    return -execution.quantity * execution.price * execution.side.sign - execution.fee


def _with(portfolio: Portfolio, fill: Fill, holding: Holding, flow: Decimal) -> Portfolio:
    _, quote = currencies(fill.product)
    return replace(
        portfolio,
        cash={**portfolio.cash, quote: portfolio.cash.get(quote, ZERO) + flow},
        holdings={**portfolio.holdings, fill.product: holding},
    )


def _remembered(portfolio: Portfolio, trade_id: str, execution: Execution) -> Portfolio:
    kept = {**portfolio.executions, trade_id: execution}
    if len(kept) > KEPT_EXECUTIONS:
        del kept[next(iter(kept))]
    return replace(portfolio, executions=kept)


def _forgotten(portfolio: Portfolio, trade_id: str) -> Portfolio:
    return replace(portfolio, executions={key: kept for key, kept in portfolio.executions.items() if key != trade_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """The portfolio at marks; in the quote currency."""

    equity: Decimal
    gross: Decimal
    unrealized: Decimal


def value(portfolio: Portfolio, marks: Mapping[str, Decimal], quote_currency: str) -> Valuation | None:
    """Mark the portfolio; None if a held product has no mark, for then its worth is unknown."""
    equity = portfolio.cash.get(quote_currency, ZERO)
    gross = unrealized = ZERO
    for product, holding in portfolio.holdings.items():
        if not holding.quantity:
            continue
        mark = marks.get(product)
        if mark is None:
            return None
        worth = holding.quantity * mark
        equity += worth
        gross += abs(worth)
        unrealized += worth - holding.cost
    return Valuation(equity=equity, gross=gross, unrealized=unrealized)
