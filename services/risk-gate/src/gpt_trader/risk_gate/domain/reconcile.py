"""Our books against the venue's: the first balances are adopted, later ones must agree."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from gpt_trader.risk_gate.domain.consequences import reduce_only, unapproved
from gpt_trader.risk_gate.domain.exposure import terms_of
from gpt_trader.risk_gate.domain.increments import ZERO, currencies
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import CauseRaised, Opened, OpeningPosition, Reconciled, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import Balance, VenueOrder


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
    """Compare the folded books with the venue's; the same disagreement twice in a row restricts trading."""
    differences = _differences(state, balances, marks, policy)
    detail = ", ".join(differences) or "equal"
    record = Reconciled(is_equal=not differences, detail=detail, at=now)
    if not differences or state.mismatches + 1 < policy.reconcile.mismatches:
        return (record,)
    return (record, CauseRaised(cause=reduce_only(CauseCode.BALANCE_MISMATCH, detail, now), at=now))


def foreign(state: GateState, orders: tuple[VenueOrder, ...], now: datetime) -> tuple[CauseRaised, ...]:
    """Halt for each order at the venue that this gate never approved, or not like this."""
    return tuple(
        CauseRaised(cause=unapproved(order.client_order_id or order.venue_order_id, now), at=now)
        for order in orders
        if not _is_ours(order, state)
    )


def _is_ours(order: VenueOrder, state: GateState) -> bool:
    if terms_of(order.client_order_id, order.product, order.side) not in state.known_terms:
        return False
    approval = state.approvals.get(order.client_order_id)
    return approval is None or order.quantity <= approval.quantity


def _differences(
    state: GateState, balances: tuple[Balance, ...], marks: Mapping[str, Decimal], policy: Policy
) -> tuple[str, ...]:
    """Compare per currency; one that we neither trade nor adopted is not ours to judge."""
    quote = policy.quote_currency
    at_venue = {balance.currency: balance.total for balance in balances}
    found: list[str] = []
    ours = state.portfolio.cash.get(quote, ZERO)
    if abs(at_venue.get(quote, ZERO) - ours) > policy.reconcile.quote_tolerance:
        found.append(f"{quote}: ours {ours}, venue {at_venue.get(quote, ZERO)}")
    for product, holding in state.portfolio.holdings.items():
        base, _ = currencies(product)
        theirs = at_venue.get(base, ZERO)
        mark = marks.get(product, holding.average_price)
        if abs(theirs - holding.quantity) * mark > policy.reconcile.base_tolerance_notional:
            found.append(f"{base}: ours {holding.quantity}, venue {theirs}")
    return tuple(found)
