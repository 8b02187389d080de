"""What the feedback store keeps: one row per thing that happened, identified so that a redelivery adds nothing."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.orders import Fill, OrderEvent


class Kind(StrEnum):
    """The tables of the store; closed trades and counterfactuals are learned, the others are recorded."""

    DECISION = "decisions"
    ORDER = "orders"
    FILL = "fills"
    CLOSED_TRADE = "closed_trades"
    COUNTERFACTUAL = "counterfactuals"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """Where a message stands among its kind: the server's time first, so that a recreated stream still sorts after."""

    stored_at: datetime
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record; `payload` is the message's JSON as it came, so that no digit of a decimal can change."""

    kind: Kind
    row_id: str
    product: str
    strategy: str
    occurred_at: datetime
    place: Place
    payload: str

    @property
    def day(self) -> date:
        """The UTC day whose file keeps the row."""
        return self.occurred_at.date()


def decision_row(decision: Decision, payload: str, place: Place) -> Row:
    """Record a verdict under its own id."""
    return Row(
        kind=Kind.DECISION,
        row_id=decision.decision_id,
        product=decision.product,
        strategy=decision.signal.strategy,
        occurred_at=decision.decided_at,
        place=place,
        payload=payload,
    )


def order_row(event: OrderEvent, payload: str, place: Place) -> Row:
    """Record one step of an order; the order's id and revision name it."""
    return Row(
        kind=Kind.ORDER,
        row_id=f"{event.client_order_id}:{event.revision}",
        product=event.product,
        strategy=event.strategy,
        occurred_at=event.occurred_at,
        place=place,
        payload=payload,
    )


def fill_row(fill: Fill, payload: str, place: Place) -> Row:
    """Record an execution under the venue's entry id."""
    return Row(
        kind=Kind.FILL,
        row_id=fill.fill_id,
        product=fill.product,
        strategy=fill.strategy,
        occurred_at=fill.occurred_at,
        place=place,
        payload=payload,
    )
