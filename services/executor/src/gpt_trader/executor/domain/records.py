"""What the journal holds: each record is something that happened, in the order in which it was acted on."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.message import Hash, Instant, Message, NonNegative
from gpt_trader.contracts.orders import Fill, OrderEvent, OrderStatus


class Opened(Message):
    """The journal begins: nothing is known of orders approved before, and fills count from here."""

    kind: Literal["opened"] = "opened"
    at: Instant


class EpochSeen(Message):
    """A gate claimed this epoch; intents of an earlier one are void."""

    kind: Literal["epoch_seen"] = "epoch_seen"
    epoch: int
    at: Instant


class LinkSeen(Message):
    """A message of the gate was believed in this place of the intents stream: the next one must name its hash."""

    kind: Literal["link_seen"] = "link_seen"
    stream_sequence: int
    payload_sha256: Hash
    at: Instant


class IntentSeen(Message):
    """A verified approval: from here on we owe exactly one terminal report."""

    kind: Literal["intent_seen"] = "intent_seen"
    intent: ApprovedIntent
    at: Instant


class Recalled(Message):
    """A verified approval that this journal lacks: what the bus holds of it was said before, and is not said again.

    `said` is the newest step of it on the bus; None = nobody reported anything.
    """

    kind: Literal["recalled"] = "recalled"
    intent: ApprovedIntent
    said: OrderEvent | None
    fills: tuple[Fill, ...]
    reason: str
    permit_before: Instant
    at: Instant


class CancelWanted(Message):
    """The gate wants the order gone; it is asked for until the order is terminal."""

    kind: Literal["cancel_wanted"] = "cancel_wanted"
    client_order_id: ClientOrderId
    at: Instant


class Submitting(Message):
    """The one attempt is about to be made. No permit can be issued after `permit_before` (real time)."""

    kind: Literal["submitting"] = "submitting"
    client_order_id: ClientOrderId
    permit_before: Instant
    at: Instant


class Accepted(Message):
    """The venue took the order."""

    kind: Literal["accepted"] = "accepted"
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    at: Instant


class Rejected(Message):
    """The venue refused the order definitively."""

    kind: Literal["rejected"] = "rejected"
    client_order_id: ClientOrderId
    reason: str
    at: Instant


class Abandoned(Message):
    """No permit was or will be issued, so the order can never exist."""

    kind: Literal["abandoned"] = "abandoned"
    client_order_id: ClientOrderId
    reason: str
    at: Instant


class Unclear(Message):
    """The order may or may not exist; only the venue's listing can tell."""

    kind: Literal["unclear"] = "unclear"
    client_order_id: ClientOrderId
    reason: str
    permit_before: Instant
    at: Instant


class Absent(Message):
    """A complete listing, started after every permit had run out, does not have the order."""

    kind: Literal["absent"] = "absent"
    client_order_id: ClientOrderId
    listing_started: Instant
    at: Instant


class Observed(Message):
    """What the venue says of the order: `ending` = its terminal status, if it has one."""

    kind: Literal["observed"] = "observed"
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    ending: OrderStatus | None
    filled_quantity: NonNegative
    reason: str
    occurred_at: Instant
    at: Instant


class Filled(Message):
    """An execution that was not known before."""

    kind: Literal["filled"] = "filled"
    fill: Fill
    at: Instant

    @property
    def client_order_id(self) -> ClientOrderId:
        """The order it belongs to."""
        return self.fill.client_order_id


class Reported(Message):
    """These reports are stored on the bus and need not be repeated."""

    kind: Literal["reported"] = "reported"
    message_ids: tuple[str, ...]


OrderRecord = (
    CancelWanted | Submitting | Accepted | Rejected | Abandoned | Unclear | Absent | Observed | Filled
)  # fmt: skip
"""A step of one order that exists already."""
Record = Opened | EpochSeen | LinkSeen | IntentSeen | Recalled | OrderRecord | Reported

_RECORD: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


def parse(payload: object) -> Record:
    """Read a journal entry's payload back; raises pydantic.ValidationError."""
    return _RECORD.validate_python(payload)
