"""What an operator can order. A kill needs no payload that parses: any bytes kill."""

from typing import Annotated

from pydantic import Field

from gpt_trader.contracts.message import Amount, Command, Product


class OperatorCommand(Command):
    """Fields every command may carry; an empty payload means all defaults."""

    reason: Annotated[str, Field(max_length=400)] = ""
    operator: Annotated[str, Field(max_length=64)] = ""


class Reset(OperatorCommand):
    """Clears the kill latch; the state after it is the worst of what else still holds.

    With a reason it also excuses the orders that it names by the venue's ids, as causes list them: they halt no more.
    """

    orders: tuple[str, ...] = ()


class Pause(OperatorCommand):
    """No entries for a time, for one product or all."""

    product: Product | None = None
    minutes: Annotated[int, Field(ge=1, le=10080)] = 60


class Resume(OperatorCommand):
    """Clears pauses and reduce-only causes that an operator may clear; never a kill."""

    product: Product | None = None


class ReduceOnly(OperatorCommand):
    """Only what shrinks a position may be sent, until resumed."""


class Adopt(OperatorCommand):
    """Takes over the venue's totals named here, as the operator saw them; refused while entries are allowed."""

    reason: Annotated[str, Field(min_length=1, max_length=400)]
    books: dict[str, Amount]


class Flatten(OperatorCommand):
    """Cancel all orders, then close positions with bounded slippage; works while halted."""

    product: Product | None = None
