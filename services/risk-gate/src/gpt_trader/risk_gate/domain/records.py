"""What the journal holds: every input the gate acted on, and all that it decided; the state is their fold."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from gpt_trader.contracts.account import Cause
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import ApprovedIntent, CancelIntent, Purpose
from gpt_trader.contracts.message import Amount, Hash, Instant, Message, Name, Product
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.risk_gate.domain.book_records import (
    Adopted,
    AdoptionEnded,
    ContractSettled,
    ExternalFillSeen,
    FundingPaid,
    InquiryEnded,
    MarginSeen,
    Marked,
    Opened,
    OpeningPosition,
    OrdersCompared,
    Reconciled,
    StrangerSeen,
    TransferSeen,
)
from gpt_trader.risk_gate.domain.checks.case import Preview
from gpt_trader.risk_gate.domain.order_records import AmendAsked, AmendEnded
from gpt_trader.risk_gate.domain.permits import PermitOutcome
from gpt_trader.risk_gate.domain.shape import Follows

__all__ = [
    "Adopted",
    "AdoptionEnded",
    "AmendAsked",
    "AmendEnded",
    "ApprovalVoided",
    "CancelAsked",
    "CauseCleared",
    "CauseRaised",
    "CommandReceived",
    "CommandsLost",
    "ContractSettled",
    "DecisionMade",
    "DenialsWithheld",
    "EpochClaimed",
    "ExternalFillSeen",
    "FillReported",
    "FlattenEnded",
    "FundingPaid",
    "InquiryEnded",
    "IntentStored",
    "MarginSeen",
    "Marked",
    "Opened",
    "OpeningPosition",
    "OrderReported",
    "OrdersCompared",
    "PermitAnswered",
    "PermitLogged",
    "PolicyAdopted",
    "Reconciled",
    "Record",
    "StrangerSeen",
    "TransferSeen",
    "parse",
]


class PolicyAdopted(Message):
    """From here on these limits hold."""

    kind: Literal["policy_adopted"] = "policy_adopted"
    version: str
    document: str
    at: Instant


class EpochClaimed(Message):
    """Until a later claim this process is the only gate."""

    kind: Literal["epoch_claimed"] = "epoch_claimed"
    epoch: int
    intents_sequence: int
    intents_head: Hash
    at: Instant


class DecisionMade(Message):
    """A verdict with all that it was made from, and the causes it raised."""

    kind: Literal["decision_made"] = "decision_made"
    purpose: Purpose
    marks: Mapping[str, Amount]
    is_in_universe: bool
    slice_quantity: Amount | None
    stop_price: Amount | None = None
    follows: Follows | None = None
    preview: Preview | None = None
    is_infrastructure: bool
    decision: Decision
    intent: ApprovedIntent | None
    raised: tuple[Cause, ...]


class CancelAsked(Message):
    """The bus has our request to cancel an order on disk; the chain of intents goes on from it."""

    kind: Literal["cancel_asked"] = "cancel_asked"
    intent: CancelIntent
    payload_sha256: Hash
    at: Instant


class IntentStored(Message):
    """The bus has the intent on disk; the chain of intents goes on from it."""

    kind: Literal["intent_stored"] = "intent_stored"
    client_order_id: ClientOrderId
    stream_sequence: int
    payload_sha256: Hash
    at: Instant


class ApprovalVoided(Message):
    """An approval that can never become an order: not stored, or expired without a permit."""

    kind: Literal["approval_voided"] = "approval_voided"
    client_order_id: ClientOrderId
    reason: str
    at: Instant


class PermitLogged(Message):
    """The one permit of an approval; on disk before the order leaves."""

    kind: Literal["permit_logged"] = "permit_logged"
    client_order_id: ClientOrderId
    body_sha256: Hash
    origin_ns: int | None
    at: Instant


class PermitAnswered(Message):
    """The create that a permit let out is no longer in flight."""

    kind: Literal["permit_answered"] = "permit_answered"
    client_order_id: ClientOrderId
    outcome: PermitOutcome
    at: Instant


class OrderReported(Message):
    """A step in an order's life, as the executor told it; `sequence` is its place in the ORDERS stream.

    With `evidence` it was concluded from the venue's own lists, because nobody told it.
    """

    kind: Literal["order_reported"] = "order_reported"
    event: OrderEvent
    sequence: int
    raised: tuple[Cause, ...]
    evidence: str = ""
    at: Instant


class FillReported(Message):
    """An execution, as the executor told it; `sequence` is its place in the FILLS stream.

    With `evidence` the venue's own list told it, and nobody else.
    """

    kind: Literal["fill_reported"] = "fill_reported"
    fill: Fill
    sequence: int
    is_slippage: bool
    raised: tuple[Cause, ...]
    evidence: str = ""
    at: Instant


class CauseRaised(Message):
    """Something restricts trading from now on."""

    kind: Literal["cause_raised"] = "cause_raised"
    cause: Cause
    at: Instant


class CauseCleared(Message):
    """Something restricts trading no longer."""

    kind: Literal["cause_cleared"] = "cause_cleared"
    code: str
    product: Product | None
    reason: str
    at: Instant


class DenialsWithheld(Message):
    """So many denials were not written down one by one, by strategy and by the rules that failed.

    `others` are those of strategies that are not named, for anybody can invent names.
    """

    kind: Literal["denials_withheld"] = "denials_withheld"
    strategies: Mapping[Name, int]
    others: int
    rules: Mapping[str, int]
    since: Instant
    at: Instant


class CommandReceived(Message):
    """An operator's order, whatever its bytes; `sequence` is its place in the CONTROL stream.

    `acknowledged` are strangers' orders that it accepts, `books` the venue's totals that it wants adopted.
    """

    kind: Literal["command_received"] = "command_received"
    subject: str
    payload: str
    sequence: int
    note: str
    raised: tuple[Cause, ...]
    cleared: tuple[Cause, ...]
    acknowledged: tuple[str, ...] = ()
    books: Mapping[str, Amount] | None = None
    reason: str = ""
    at: Instant


class FlattenEnded(Message):
    """What an operator's flatten could close is closed, or it was never begun; `sequence` is that of its command."""

    kind: Literal["flatten_ended"] = "flatten_ended"
    sequence: int
    reason: str
    at: Instant


class CommandsLost(Message):
    """The CONTROL stream ends before commands that were obeyed: its numbers begin anew, and a kill may be gone."""

    kind: Literal["commands_lost"] = "commands_lost"
    raised: tuple[Cause, ...]
    at: Instant


Record = Annotated[
    PolicyAdopted
    | Opened
    | EpochClaimed
    | DecisionMade
    | IntentStored
    | ApprovalVoided
    | PermitLogged
    | PermitAnswered
    | OrderReported
    | FillReported
    | CauseRaised
    | CauseCleared
    | DenialsWithheld
    | CommandReceived
    | CommandsLost
    | FlattenEnded
    | Marked
    | Reconciled
    | TransferSeen
    | Adopted
    | AdoptionEnded
    | StrangerSeen
    | ExternalFillSeen
    | OrdersCompared
    | CancelAsked
    | AmendAsked
    | AmendEnded
    | MarginSeen
    | FundingPaid
    | ContractSettled
    | InquiryEnded,
    Field(discriminator="kind"),
]

_RECORD: TypeAdapter[Record] = TypeAdapter(Record)


def parse(payload: object) -> Record:
    """Read a journal entry's payload; raises pydantic.ValidationError for one this version does not know."""
    return _RECORD.validate_python(payload)
