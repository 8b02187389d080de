"""What the journal holds: every input the gate acted on, and all that it decided; the state is their fold."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from gpt_trader.contracts.account import Cause
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.message import Amount, Hash, Instant, Message, Product
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.risk_gate.domain.permits import PermitOutcome


class PolicyAdopted(Message):
    """From here on these limits hold."""

    kind: Literal["policy_adopted"] = "policy_adopted"
    version: str
    document: str
    at: Instant


class OpeningPosition(Message):
    """A position that was there before us, taken over at its mark."""

    product: Product
    quantity: Amount
    mark: Amount


class Opened(Message):
    """The first books: the venue's balances at the first start."""

    kind: Literal["opened"] = "opened"
    cash: Mapping[str, Amount]
    positions: tuple[OpeningPosition, ...]
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
    is_infrastructure: bool
    decision: Decision
    intent: ApprovedIntent | None
    raised: tuple[Cause, ...]


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
    """A step in an order's life, as the executor told it; `sequence` is its place in the ORDERS stream."""

    kind: Literal["order_reported"] = "order_reported"
    event: OrderEvent
    sequence: int
    raised: tuple[Cause, ...]
    at: Instant


class FillReported(Message):
    """An execution, as the executor told it; `sequence` is its place in the FILLS stream."""

    kind: Literal["fill_reported"] = "fill_reported"
    fill: Fill
    sequence: int
    is_slippage: bool
    raised: tuple[Cause, ...]
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


class CommandReceived(Message):
    """An operator's order, whatever its bytes; `sequence` is its place in the CONTROL stream."""

    kind: Literal["command_received"] = "command_received"
    subject: str
    payload: str
    sequence: int
    note: str
    raised: tuple[Cause, ...]
    cleared: tuple[Cause, ...]
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


class Marked(Message):
    """The portfolio was valued: a new day began, or equity reached a new peak."""

    kind: Literal["marked"] = "marked"
    equity: Amount
    marks: Mapping[str, Amount]
    at: Instant


class Reconciled(Message):
    """Our books against the venue's balances."""

    kind: Literal["reconciled"] = "reconciled"
    is_equal: bool
    detail: str
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
    | CommandReceived
    | CommandsLost
    | FlattenEnded
    | Marked
    | Reconciled,
    Field(discriminator="kind"),
]

_RECORD: TypeAdapter[Record] = TypeAdapter(Record)


def parse(payload: object) -> Record:
    """Read a journal entry's payload; raises pydantic.ValidationError for one this version does not know."""
    return _RECORD.validate_python(payload)
