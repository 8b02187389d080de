"""Positions and cash from the executions themselves, beside what the gate's books and the venue say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.contracts.account import AccountSnapshot
from gpt_trader.contracts.market import is_future, quote_currency_of
from gpt_trader.contracts.orders import Fill, FillKind

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One currency or contract: the gate's total, the one that the fills give, and the venue's, if it differs."""

    name: str
    gate: Decimal
    rebuilt: Decimal
    venue: Decimal

    @property
    def is_even(self) -> bool:
        """Whether nothing is to be explained."""
        return self.gate == self.rebuilt == self.venue


def rebuilt(account: AccountSnapshot, counted: Sequence[Fill], published: Sequence[Fill]) -> tuple[Line, ...]:
    """Take back what the gate counted in the window, and apply what the executor published in it instead.

    Both are the same as long as every execution was counted once: what is left are lost and doubled ones.
    """
    before, now = _moved(counted), _moved(published)
    venue = {one.currency: one.venue for one in account.differences}
    gate = {one.currency: one.total for one in account.cash}
    for position in account.positions:
        gate[_name(position.product)] = position.quantity
    return tuple(
        Line(
            name=name,
            gate=gate.get(name, _ZERO),
            rebuilt=gate.get(name, _ZERO) - before.get(name, _ZERO) + now.get(name, _ZERO),
            venue=venue.get(name, gate.get(name, _ZERO)),
        )
        for name in sorted({*gate, *before, *now, *venue})
    )


def _moved(fills: Sequence[Fill]) -> dict[str, Decimal]:
    """Add up what executions did to each currency; of one trade the last word counts."""
    moved: dict[str, Decimal] = {}
    for fill in _standing(fills):
        base, quote = _name(fill.product), quote_currency_of(fill.product)
        signed = fill.quantity * fill.side.sign
        paid = fill.fee if is_future(fill.product) else signed * fill.price + fill.fee
        moved[base] = moved.get(base, _ZERO) + signed
        moved[quote] = moved.get(quote, _ZERO) - paid
    return moved


def _standing(fills: Iterable[Fill]) -> list[Fill]:
    latest: dict[tuple[str, str], Fill] = {}
    for fill in {one.fill_id: one for one in fills}.values():
        known = latest.get((fill.trade_id, fill.client_order_id))
        if known is None or known.kind is FillKind.FILL:
            latest[fill.trade_id, fill.client_order_id] = fill
    return [fill for fill in latest.values() if fill.kind is not FillKind.REVERSAL]


def _name(product: str) -> str:
    return product if is_future(product) else product.partition("-")[0]
