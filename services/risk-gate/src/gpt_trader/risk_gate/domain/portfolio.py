"""Cash and positions as a fold over fills: average cost, exact quantities, each fill counted once.

Spot is paid for in full. A future moves no notional: what a fill realizes, minus its fee, is all that cash sees.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from gpt_trader.contracts.market import is_future, quote_currency_of
from gpt_trader.contracts.orders import Fill, FillKind
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.increments import ZERO
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
    """Everything that fills and transfers have made of the opening balances; `executions` is keyed by trade id.

    In the quote currency, `transfers` is the worth of what came in by no trade, less what went, `income` that of
    interest and rewards, less fees that no trade caused.
    """

    cash: Mapping[str, Decimal] = field(default_factory=dict)
    holdings: Mapping[str, Holding] = field(default_factory=dict)
    executions: Mapping[str, Execution] = field(default_factory=dict)
    fill_ids: Ids = field(default_factory=SeenIds)
    transfers: Decimal = ZERO
    income: Decimal = ZERO

    def quantity(self, product: str) -> Decimal:
        """Return the net quantity held; zero if never traded."""
        holding = self.holdings.get(product)
        return holding.quantity if holding else ZERO

    def closable(self) -> Iterator[tuple[str, Holding]]:
        """Give each position that an order may close; spot below zero is an error of the books, and nothing is owed."""
        for product, holding in self.holdings.items():
            if holding.quantity > ZERO or (holding.quantity and is_future(product)):
                yield product, holding


TRANSFERRED = "transfer"
"""The strategy of a position that no strategy of ours opened."""

_COST_STEP = Decimal("1e-12")
"""Costs are divided to this step, so that every later sum is exact: what one part lacks, the last part has."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Money that came in (or out, negative) by no trade, worth `mark` each; cash has no product and the mark 1."""

    currency: str
    product: str | None
    amount: Decimal
    mark: Decimal

    @property
    def worth(self) -> Decimal:
        """Its value in the quote currency."""
        return self.amount * self.mark


def moved(portfolio: Portfolio, movement: Movement, at: datetime) -> Portfolio:
    """Count a movement as neither a profit nor a loss; what leaves realizes what it had gained until then."""
    return _shifted(replace(portfolio, transfers=portfolio.transfers + movement.worth), movement, at)


def earned(portfolio: Portfolio, movement: Movement, at: datetime) -> Portfolio:
    """Count a movement as profit, or as a loss where it is negative."""
    return _shifted(replace(portfolio, income=portfolio.income + movement.worth), movement, at)


def _shifted(portfolio: Portfolio, movement: Movement, at: datetime) -> Portfolio:
    """Move cash or a position. Contracts take the cost they are held at along: cash less that cost is all they are."""
    currency, product = movement.currency, movement.product
    if product is None:
        return replace(
            portfolio, cash={**portfolio.cash, currency: portfolio.cash.get(currency, ZERO) + movement.amount}
        )
    holding = portfolio.holdings.get(product, Holding())
    if not holding.quantity:
        holding = replace(holding, strategy=TRANSFERRED, stop_price=None, target_price=None)
    side = Side.BUY if movement.amount > ZERO else Side.SELL
    execution = Execution(side=side, quantity=abs(movement.amount), price=movement.mark, fee=ZERO)
    traded = _traded(holding, execution, at)
    cash = dict(portfolio.cash)
    if is_future(product):
        quote = quote_currency_of(product)
        cash[quote] = cash.get(quote, ZERO) + traded.cost - holding.cost
    return replace(portfolio, cash=cash, holdings={**portfolio.holdings, product: traded})


def realized_by(portfolio: Portfolio, fill: Fill) -> Decimal:
    """Return what an execution would realize, net of its fee, if it closes part of a holding; zero if it opens."""
    holding = portfolio.holdings.get(fill.product)
    if holding is None or holding.quantity * fill.side.sign >= 0:
        return ZERO
    closed = min(fill.quantity, abs(holding.quantity))
    return (fill.price - holding.average_price) * closed * -fill.side.sign - fill.fee


def _applied(portfolio: Portfolio, fill: Fill, execution: Execution) -> Portfolio:
    holding = portfolio.holdings.get(fill.product) or Holding(strategy=fill.strategy, opened_at=fill.occurred_at)
    return _with(portfolio, fill, _traded(holding, execution, fill.occurred_at), _flow(execution))


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
        else _traded(holding, opposite, fill.occurred_at)
    )
    return _with(portfolio, fill, traded, _flow(opposite))


def _traded(holding: Holding, execution: Execution, at: datetime) -> Holding:
    signed = execution.quantity * execution.side.sign
    quantity = holding.quantity + signed
    fees = holding.fees + execution.fee
    if holding.quantity * signed >= 0:
        opened_at = holding.opened_at if holding.quantity else at
        cost = holding.cost + signed * execution.price
        return replace(holding, quantity=quantity, cost=cost, fees=fees, opened_at=opened_at)
    if abs(signed) < abs(holding.quantity):
        removed = (holding.cost * execution.quantity / abs(holding.quantity)).quantize(_COST_STEP)
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
        opened_at=at if quantity else None,
    )


def _flow(execution: Execution) -> Decimal:
    return -execution.quantity * execution.price * execution.side.sign - execution.fee


def _with(portfolio: Portfolio, fill: Fill, holding: Holding, flow: Decimal) -> Portfolio:
    """Book what a fill left. For a future the notional that `flow` pays comes back with the cost it is held at."""
    quote = quote_currency_of(fill.product)
    if is_future(fill.product):
        before = portfolio.holdings.get(fill.product)
        flow += holding.cost - (before.cost if before else ZERO)
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


@dataclass(frozen=True, slots=True)
class Valuation:
    """The portfolio at marks; in the quote currency. `worths` is what each held product's notional is at its mark."""

    equity: Decimal
    worths: Mapping[str, Decimal]


def value(portfolio: Portfolio, marks: Mapping[str, Decimal], quote_currency: str) -> Valuation | None:
    """Mark the portfolio; None if a held product has no mark, for then its worth is unknown."""
    equity = portfolio.cash.get(quote_currency, ZERO)
    worths = {}
    for product, holding in portfolio.holdings.items():
        if not holding.quantity:
            continue
        mark = marks.get(product)
        if mark is None:
            return None
        worths[product] = worth = holding.quantity * mark
        equity += worth - holding.cost if is_future(product) else worth
    return Valuation(equity, worths)


def unrealized(portfolio: Portfolio, worths: Mapping[str, Decimal]) -> Decimal:
    """Return what positions have gained or lost since they were opened."""
    return sum((worth - portfolio.holdings[product].cost for product, worth in worths.items()), ZERO)
