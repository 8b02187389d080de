"""The whole story of one id: from what the market showed to what the fills made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import Fill, OrderEvent

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Everything recorded that a story can be put together from."""

    decisions: Sequence[Decision]
    intents: Sequence[ApprovedIntent]
    orders: Sequence[OrderEvent]
    fills: Sequence[Fill]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """One decision with what led to it and what followed; `steps` are all decisions of a wish that took several."""

    decision: Decision
    intent: ApprovedIntent | None
    orders: tuple[OrderEvent, ...]
    fills: tuple[Fill, ...]

    earlier: tuple[Fill, ...] = ()
    steps: tuple[Decision, ...] = ()

    @property
    def realized(self) -> Decimal | None:
        """What closing with these fills made over the average cost of what was held, less their fees; None = opened."""
        held = cost = made = Decimal(0)
        is_closing = False
        for fill in (*self.earlier, *self.fills):
            signed = fill.quantity * fill.side.sign
            if held * signed >= 0:
                held, cost = held + signed, cost + signed * fill.price
                continue
            closed = min(fill.quantity, abs(held))
            share = cost * closed / abs(held)
            if fill in self.fills:
                is_closing = True
                made += closed * fill.price * -fill.side.sign - share - fill.fee
            left = signed + closed * -fill.side.sign
            held, cost = held + closed * fill.side.sign + left, cost - share + left * fill.price
        return made if is_closing else None

    @property
    def cash_flow(self) -> Decimal:
        """Quote currency received minus paid, fees included."""
        return sum((-fill.side.sign * fill.quantity * fill.price - fill.fee for fill in self.fills), Decimal(0))


def chain_of(wanted: str, records: Records) -> Chain | None:
    """Find the decision that an id belongs to: of a signal, decision, intent, order (ours or the venue's) or fill."""
    decision = _decision_of(wanted, records)
    if decision is None:
        return None
    intent = _first(intent for intent in records.intents if intent.decision_id == decision.decision_id)
    together = _steps_of(decision, records)
    if intent is None:
        return Chain(decision=decision, intent=None, orders=(), fills=(), steps=together)
    own = intent.client_order_id
    steps = sorted((event for event in records.orders if event.client_order_id == own), key=lambda e: e.revision)
    fills = tuple(fill for fill in records.fills if fill.client_order_id == own)
    return Chain(
        decision=decision,
        intent=intent,
        orders=tuple(steps),
        fills=fills,
        earlier=_earlier(fills, records.fills),
        steps=together,
    )


def _steps_of(decision: Decision, records: Records) -> tuple[Decision, ...]:
    """Find all orders of the wish that a decision belongs to: a further step is caused by the signal it began with."""
    if decision.step is None:
        return ()
    wish = _wish_of(decision)
    return tuple(one for one in records.decisions if one.step is not None and _wish_of(one) == wish)


def _wish_of(decision: Decision) -> str:
    return decision.signal.signal_id if decision.step == 1 else decision.signal.caused_by


def _earlier(fills: Sequence[Fill], known: Sequence[Fill]) -> tuple[Fill, ...]:
    """Find the product's executions before these: what they closed was opened there."""
    if not fills:
        return ()
    begun = min(fill.occurred_at for fill in fills)
    return tuple(fill for fill in known if fill.product == fills[0].product and fill.occurred_at < begun)


def _decision_of(wanted: str, records: Records) -> Decision | None:
    for decision in records.decisions:
        if wanted in {decision.decision_id, decision.signal.signal_id, decision.intent_id}:
            return decision
    own = _first(event.client_order_id for event in records.orders if wanted == event.venue_order_id)
    own = own or _first(fill.client_order_id for fill in records.fills if wanted in {fill.fill_id, fill.trade_id})
    intent = _first(intent for intent in records.intents if intent.client_order_id in {wanted, own})
    if intent is None:
        return None
    return _first(decision for decision in records.decisions if decision.decision_id == intent.decision_id)


def _first(found: Iterable[T]) -> T | None:
    return next(iter(found), None)
