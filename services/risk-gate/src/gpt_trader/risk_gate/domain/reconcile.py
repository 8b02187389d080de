"""Our books against the venue's: the first balances are adopted, later ones must agree."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.account import Difference
from gpt_trader.contracts.market import is_future
from gpt_trader.risk_gate.domain.consequences import halted, reduce_only
from gpt_trader.risk_gate.domain.increments import ONE, ZERO, base_currency_of
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import value
from gpt_trader.risk_gate.domain.records import CauseRaised, Opened, OpeningPosition, Reconciled, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import Balance


def opening(balances: tuple[Balance, ...], marks: Mapping[str, Decimal], policy: Policy, now: datetime) -> Opened:
    """Adopt what was there before us: cash, and a position per currency whose product has a mark."""
    quote = policy.quote_currency
    positions = tuple(
        OpeningPosition(product=product, quantity=balance.total, mark=marks[product])
        for balance in balances
        if balance.total > ZERO and (product := f"{balance.currency}-{quote}") in marks
    )
    cash = sum((balance.total for balance in balances if balance.currency == quote), ZERO)
    return Opened(cash={quote: cash}, positions=positions, at=now)


def unpriced(balances: tuple[Balance, ...], marks: Mapping[str, Decimal], policy: Policy) -> tuple[str, ...]:
    """Name the products of balances that have no mark yet."""
    quote = policy.quote_currency
    products = (f"{balance.currency}-{quote}" for balance in balances if balance.total > ZERO)
    return tuple(product for product in products if product != f"{quote}-{quote}" and product not in marks)


def compared(
    state: GateState, balances: tuple[Balance, ...], marks: Mapping[str, Decimal], policy: Policy, now: datetime
) -> tuple[Record, ...]:
    """Compare the folded books with the venue's; the same disagreement twice in a row restricts trading.

    One that is worth more than a share of equity halts: then somebody else may hold the key, or the books are gone.
    """
    differences = differing(state, balances, marks, policy)
    detail = ", ".join(f"{one.currency}: ours {one.ours}, venue {one.venue}" for one in differences) or "equal"
    record = Reconciled(is_equal=not differences, detail=detail, differences=differences, at=now)
    if not differences or state.mismatches + 1 < policy.reconcile.mismatches:
        return (record,)
    if _is_large(state, differences, marks, policy):
        return (record, CauseRaised(cause=halted(CauseCode.BALANCE_DRIFT, detail, now), at=now))
    return (record, CauseRaised(cause=reduce_only(CauseCode.BALANCE_MISMATCH, detail, now), at=now))


def differing(
    state: GateState, balances: tuple[Balance, ...], marks: Mapping[str, Decimal], policy: Policy
) -> tuple[Difference, ...]:
    """Compare per currency; one that we neither trade nor adopted is not ours to judge."""
    quote = policy.quote_currency
    at_venue = {balance.currency: balance.total for balance in balances}
    found: list[Difference] = []
    ours = state.portfolio.cash.get(quote, ZERO)
    if abs(at_venue.get(quote, ZERO) - ours) > policy.reconcile.quote_tolerance:
        found.append(Difference(currency=quote, ours=ours, venue=at_venue.get(quote, ZERO)))
    for product, holding in state.portfolio.holdings.items():
        base = product if is_future(product) else base_currency_of(product)
        theirs = at_venue.get(base, ZERO)
        if abs(theirs - holding.quantity) * _mark(state, product, marks) > policy.reconcile.base_tolerance_notional:
            found.append(Difference(currency=base, ours=holding.quantity, venue=theirs))
    unknown = (
        one
        for one in balances
        if is_future(one.currency) and one.total and one.currency not in state.portfolio.holdings
    )
    return (*found, *(Difference(currency=one.currency, ours=ZERO, venue=one.total) for one in unknown))


def _is_large(
    state: GateState, differences: tuple[Difference, ...], marks: Mapping[str, Decimal], policy: Policy
) -> bool:
    quote, held = policy.quote_currency, state.portfolio.holdings
    products = {product_of(one.currency, quote) for one in differences if one.currency != quote}
    if products - marks.keys() - held.keys():
        return True  # nobody can say what it is worth
    valuation = value(state.portfolio, {product: _mark(state, product, marks) for product in held}, quote)
    apart = sum(
        (
            abs(one.venue - one.ours)
            * (ONE if one.currency == quote else _mark(state, product_of(one.currency, quote), marks))
            for one in differences
        ),
        ZERO,
    )
    return valuation is None or apart > policy.reconcile.halt_fraction * max(valuation.equity, ZERO)


def product_of(currency: str, quote: str) -> str:
    """Name the product whose position a total of the books is; a future is a total of its own."""
    return currency if is_future(currency) else f"{currency}-{quote}"


def _mark(state: GateState, product: str, marks: Mapping[str, Decimal]) -> Decimal:
    """Price a product at its last mark; without one, at what it cost."""
    mark = marks.get(product)
    return state.portfolio.holdings[product].average_price if mark is None else mark
