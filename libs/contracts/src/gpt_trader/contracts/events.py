"""What the gate did and saw beside decisions, intents, reports and fills, which have messages of their own."""

from collections.abc import Mapping

from pydantic import Field, JsonValue

from gpt_trader.contracts.message import Message, Name


class GateEvent(Message):
    """One record of the gate's journal; `record` is its number there, `content` what it says.

    Kinds are those of the journal: `permit_logged`, `permit_answered`, `cause_raised`, `cause_cleared`, `reconciled`, …
    A cause that came with a record which has its own message (a decision, a report, a fill) is told as `cause_raised`
    under that record's number, so that one number may come more than once.
    """

    record: int = Field(ge=1)
    kind: Name
    content: Mapping[str, JsonValue]
