"""What each approved order's purchase made in the end, from the journal's own fills at average cost.

A sale takes from every open purchase of its product in proportion. Together they then realize what average cost says,
and still each is told apart, so that all of them add up to the product's result.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext

from gpt_trader.contracts.ids import ClientOrderId, FillId, IntentId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import Fill, FillKind
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.records import (
    ApprovalVoided,
    DecisionMade,
    FillReported,
    Opened,
    OpeningPosition,
    OrderReported,
    Record,
)

ZERO = Decimal(0)
MONEY_STEP = Decimal("0.00000001")
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """All that was bought is sold again; `net` is what that made after the fees of both sides."""

    quantity: Decimal
    net: Decimal


@dataclass(frozen=True, slots=True)
class Unfilled:
    """The order ended without an execution."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """At the end of the journal the order still works, or what it bought is still held."""


Outcome = Closed | Unfilled | Unsettled


@dataclass(slots=True)
class Outcomes:
    """Takes the journal's records in order."""

    _opening: dict[str, OpeningPosition] = field(default_factory=dict)
    _fills: dict[tuple[ClientOrderId, str], Fill] = field(default_factory=dict)
    _fill_ids: set[FillId] = field(default_factory=set)
    _intents: dict[ClientOrderId, IntentId] = field(default_factory=dict)
    _ended: dict[IntentId, Decimal] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        """Note what concerns orders and money."""
        match record:
            case Opened():
                self._opening = {position.product: position for position in record.positions}
            case DecisionMade(intent=ApprovedIntent() as intent):
                self._intents[intent.client_order_id] = intent.intent_id
            case ApprovalVoided():
                self._ended[self._intents[record.client_order_id]] = ZERO
            case OrderReported() if record.event.status.is_terminal:
                self._ended[record.event.intent_id] = record.event.filled_quantity
            case FillReported():
                self._count(record.fill)
            case _:
                pass

    def by_intent(self) -> Mapping[IntentId, Outcome]:
        """Say of every approval what became of it up to the last record."""
        lots: dict[IntentId | None, list[_Lot]] = {}
        with localcontext(_EXACT):
            for product in dict.fromkeys(fill.product for fill in self._fills.values()):
                fills = (fill for fill in self._fills.values() if fill.product == product)
                for lot in _matched(self._opening.get(product), fills):
                    lots.setdefault(lot.intent_id, []).append(lot)
            return {
                intent_id: _outcome(lots.get(intent_id, []), self._ended.get(intent_id))
                for intent_id in self._intents.values()
            }

    def _count(self, fill: Fill) -> None:
        """Keep each execution once, as last stated, in its first place."""
        if fill.fill_id in self._fill_ids:
            return
        self._fill_ids.add(fill.fill_id)
        execution = (fill.client_order_id, fill.trade_id)
        if fill.kind is FillKind.REVERSAL:
            self._fills.pop(execution, None)
        else:
            self._fills[execution] = fill


@dataclass(slots=True)
class _Lot:
    """One purchase: what is left of it, and the cash that it cost and brought so far."""

    intent_id: IntentId | None
    quantity: Decimal
    remaining: Decimal
    cash: Decimal


def _matched(opening: OpeningPosition | None, fills: Iterable[Fill]) -> list[_Lot]:
    lots: list[_Lot] = []
    held = ZERO
    if opening is not None:
        held = opening.quantity
        lots.append(_Lot(intent_id=None, quantity=held, remaining=held, cash=-held * opening.mark))
    first_open = 0
    for fill in fills:
        if fill.side is Side.BUY:
            cost = fill.quantity * fill.price + fill.fee
            lots.append(_Lot(intent_id=fill.intent_id, quantity=fill.quantity, remaining=fill.quantity, cash=-cost))
        else:
            _sell(lots[first_open:], held, fill)
        held = max(held + fill.quantity * fill.side.sign, ZERO)
        first_open = first_open if held else len(lots)
    return lots


def _sell(lots: list[_Lot], held: Decimal, fill: Fill) -> None:
    """Take a sale from what is held, to the last digit if that is all; what is sold beyond belongs to nobody here."""
    for lot in lots:
        taken = lot.remaining if fill.quantity >= held else lot.remaining * fill.quantity / held
        lot.remaining -= taken
        lot.cash += taken * fill.price - fill.fee * taken / fill.quantity


def _outcome(lots: list[_Lot], reported: Decimal | None) -> Outcome:
    """Conclude once the order's end is known, all its reported executions are here, and all of it is sold."""
    bought = sum((lot.quantity for lot in lots), ZERO)
    if reported is None or reported > bought or any(lot.remaining for lot in lots):
        return Unsettled()
    if not lots:
        return Unfilled()
    return Closed(quantity=bought, net=sum((lot.cash for lot in lots), ZERO).quantize(MONEY_STEP))
