"""What a strategy asks for. A signal does not trade; the gate decides."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gpt_trader.contracts.forms import OrderAsked
from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.message import Evidence, Fraction, Instant, Message, Name, Positive, Product


class Side(StrEnum):
    """Direction of an order."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for buy, -1 for sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The side that closes what this side opened."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Action(StrEnum):
    """Enter increases the absolute position, exit only reduces it."""

    ENTER = "enter"
    EXIT = "exit"


class Signal(Message):
    """A strategy's request to enter or exit a position; sized and judged by the gate.

    Without an `order` the policy's style decides on the form.
    """

    signal_id: Annotated[SignalId, Field(min_length=1, max_length=128)]
    strategy: Name
    product: Product
    action: Action
    side: Side
    confidence: Fraction
    reference_price: Positive
    stop_price: Positive | None
    target_price: Positive | None
    reason: Annotated[str, Field(min_length=1, max_length=400)]
    evidence: Evidence
    parameters_version: Annotated[str, Field(max_length=64)]
    caused_by: Annotated[str, Field(max_length=200)]
    created_at: Instant
    expires_at: Instant
    order: OrderAsked | None = None


class NoTrade(Message):
    """Why a strategy did nothing in a cycle."""

    strategy: Name
    product: Product
    reason: Annotated[str, Field(min_length=1, max_length=400)]
    evidence: Evidence
    decided_at: Instant
