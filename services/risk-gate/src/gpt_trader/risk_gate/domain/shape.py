"""How an order lives at the venue, apart from its size and price."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.ids import SignalId

STOPS = frozenset({OrderForm.STOP_LIMIT_GTC, OrderForm.STOP_LIMIT_GTD, OrderForm.BRACKET_GTC, OrderForm.BRACKET_GTD})
"""What waits for a trigger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The form of an order. `step` is its place among the orders of a wish that is made before it is taken.

    `life` is how long it was wished to work, `is_attached` whether take-profit and stop were wished on it.
    """

    form: OrderForm
    post_only: bool = False
    end_time: datetime | None = None
    life: timedelta | None = None
    is_attached: bool = False
    step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Follows:
    """That a request goes on with a wish: its step, the signal it began with, and what was approved and not filled."""

    number: int
    wish: SignalId
    left: Decimal
    arrival_mark: Decimal
