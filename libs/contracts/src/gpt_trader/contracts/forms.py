"""The forms an order may have, how long each lives, and what a signal may wish for."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gpt_trader.contracts.message import Message


class TimeInForce(StrEnum):
    """How long an order works at the venue."""

    GTD = "gtd"
    IOC = "ioc"
    FOK = "fok"
    GTC = "gtc"


class OrderForm(StrEnum):
    """What kind of order, and how long it works; a venue's adapter knows what the venue calls it.

    A market order has no limit price: it is known, so that it can be refused by name, and is never sent.
    """

    MARKET_IOC = "market_ioc"
    LIMIT_IOC = "limit_ioc"
    LIMIT_FOK = "limit_fok"
    LIMIT_GTD = "limit_gtd"
    LIMIT_GTC = "limit_gtc"
    STOP_LIMIT_GTD = "stop_limit_gtd"
    STOP_LIMIT_GTC = "stop_limit_gtc"
    BRACKET_GTD = "bracket_gtd"
    BRACKET_GTC = "bracket_gtc"
    TWAP_GTD = "twap_gtd"

    @property
    def time_in_force(self) -> TimeInForce:
        """How long an order of this type works."""
        return TimeInForce(self.value.rpartition("_")[2])

    @property
    def rests(self) -> bool:
        """Whether what does not execute at once stays at the venue."""
        return self.time_in_force in {TimeInForce.GTD, TimeInForce.GTC}


class OrderAsked(Message):
    """The form that a signal wishes for its order; the gate says whether it may have it, and prices it.

    `life_seconds` is that of a form with an end. `is_attached` wishes for take-profit and stop on the same order.
    """

    form: OrderForm
    post_only: bool = False
    life_seconds: Annotated[int, Field(ge=1, le=86400)] | None = None
    is_attached: bool = False
