"""Fills folded into round trips: from flat to flat, at average cost, one book per strategy and product.

Cash is conserved exactly: what the closed trades and the open trip made, less what the open trip still costs, plus
what could not be matched, is the cash that the fills moved. Fees are taken as quote currency, as the venue charges.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal, localcontext
from typing import assert_never

from gpt_trader.contracts.orders import Fill, FillKind
from gpt_trader.contracts.signals import Side
from gpt_trader.learning.domain.attribution import ClosedTrade, Execution, Leg, closed_trade

ZERO = Decimal(0)
_EXACT = Context(prec=80)
_COST_STEP = Decimal("1e-12")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """The open round trip: `cost` is what the held quantity cost, `gross` what its partial exits made so far."""

    legs: tuple[Leg, ...] = ()
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    gross: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def realized(self) -> Decimal:
        """Profit of the parts already closed, less all fees paid so far."""
        with localcontext(_EXACT):
            return self.gross - self.fees


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmatched:
    """Sales of what these fills never bought (adopted balances) and retractions of what is already closed."""

    fills: int = 0
    proceeds: Decimal = ZERO
    fees: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """One strategy's account of one product."""

    trip: Trip = field(default_factory=Trip)
    unmatched: Unmatched = field(default_factory=Unmatched)


Step = tuple[Book, tuple[ClosedTrade, ...]]


def fold(book: Book, executions: Iterable[Execution]) -> Step:
    """Apply executions in their stored order and collect every trip that they close."""
    closed: list[ClosedTrade] = []
    for execution in executions:
        book, more = evolve(book, execution)
        closed.extend(more)
    return book, tuple(closed)


def evolve(book: Book, execution: Execution) -> Step:
    """Apply one execution; a reversal or correction rewrites the open trip as if the original had been right."""
    with localcontext(_EXACT):
        match execution.fill.kind:
            case FillKind.FILL:
                return _bought(book, execution) if execution.fill.side is Side.BUY else _sold(book, execution)
            case FillKind.REVERSAL:
                return _restated(book, execution.fill, None)
            case FillKind.CORRECTION:
                fill = execution.fill.model_copy(update={"kind": FillKind.FILL})
                return _restated(book, fill, replace(execution, fill=fill))
            case _:
                assert_never(execution.fill.kind)


def _bought(book: Book, execution: Execution) -> Step:
    fill, trip = execution.fill, book.trip
    grown = Trip(
        legs=(*trip.legs, Leg(execution=execution, quantity=fill.quantity, fee=fill.fee)),
        quantity=trip.quantity + fill.quantity,
        cost=trip.cost + fill.quantity * fill.price,
        gross=trip.gross,
        fees=trip.fees + fill.fee,
    )
    return replace(book, trip=grown), ()


def _sold(book: Book, execution: Execution) -> Step:
    fill, trip = execution.fill, book.trip
    matched = min(fill.quantity, trip.quantity)
    if matched == 0:
        return _set_aside(book, fill, fill.quantity, fill.fee), ()
    fee = _share(fill.fee, matched, fill.quantity)
    cost = _share(trip.cost, matched, trip.quantity)
    shrunk = Trip(
        legs=(*trip.legs, Leg(execution=execution, quantity=matched, fee=fee)),
        quantity=trip.quantity - matched,
        cost=trip.cost - cost,
        gross=trip.gross + matched * fill.price - cost,
        fees=trip.fees + fee,
    )
    book = replace(book, trip=shrunk)
    if matched < fill.quantity:
        book = _set_aside(book, fill, fill.quantity - matched, fill.fee - fee)
    if shrunk.quantity > 0:
        return book, ()
    return replace(book, trip=Trip()), (closed_trade(shrunk.legs, gross=shrunk.gross, fees=shrunk.fees),)


def _share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Part of an amount; the last part is the remainder itself, so that the parts add up to the whole."""
    return amount if part == whole else (amount * part / whole).quantize(_COST_STEP)


def _set_aside(book: Book, fill: Fill, quantity: Decimal, fee: Decimal) -> Book:
    unmatched = book.unmatched
    return replace(
        book,
        unmatched=Unmatched(
            fills=unmatched.fills + 1,
            proceeds=unmatched.proceeds + fill.side.sign * -1 * quantity * fill.price,
            fees=unmatched.fees + fee,
        ),
    )


def _restated(book: Book, fill: Fill, replacement: Execution | None) -> Step:
    """Fold the open trip again with the replacement in the original's place; what is closed is not reopened."""
    executions = [leg.execution for leg in book.trip.legs]
    at = next((index for index, one in enumerate(executions) if _is_original_of(fill, one.fill)), None)
    if at is None:
        return replace(book, unmatched=replace(book.unmatched, fills=book.unmatched.fills + 1)), ()
    executions[at : at + 1] = [] if replacement is None else [replacement]
    return fold(replace(book, trip=Trip()), executions)


def _is_original_of(restating: Fill, fill: Fill) -> bool:
    return fill.trade_id == restating.trade_id and fill.client_order_id == restating.client_order_id
