"""What the gate sends to the executor: the exact order it allows, once, signed and chained."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gpt_trader.contracts.forms import OrderForm, TimeInForce
from gpt_trader.contracts.ids import ClientOrderId, DecisionId, IntentId, SignalId, VenueOrderId
from gpt_trader.contracts.message import Command, Hash, Instant, Message, Name, NonNegative, Positive, Product
from gpt_trader.contracts.signals import Side


class Purpose(StrEnum):
    """Why an order is sent; flatten and protective exits skip the checks that SPEC G21 lists, nothing else does."""

    ENTRY = "entry"
    EXIT = "exit"
    PROTECTIVE = "protective"
    FLATTEN = "flatten"

    @property
    def is_entry(self) -> bool:
        """Whether the order may increase the absolute position."""
        return self is Purpose.ENTRY


class ApprovedIntent(Command):
    """The exact body the venue will see, and the terms on which it may be sent.

    `quantity` is in base currency; a future's body, like the venue's answers, counts contracts of `contract_size`.
    With a `stop_price` it is a stop: it waits at the venue until the last trade reaches that price; a bracket's
    `limit_price` is its take-profit. `arrival_mark` is what the product was worth when the wish arrived: slippage
    counts from it.
    """

    kind: Literal["approved"] = "approved"
    intent_id: IntentId
    client_order_id: ClientOrderId
    decision_id: DecisionId
    signal_id: SignalId
    strategy: Name
    epoch: Annotated[int, Field(ge=1)]
    stream_sequence: Annotated[int, Field(ge=1)]
    previous_hash: Hash
    product: Product
    side: Side
    purpose: Purpose
    quantity: Positive
    contract_size: Positive | None = None
    limit_price: Positive
    stop_price: Positive | None = None
    form: OrderForm
    post_only: bool
    end_time: Instant | None
    reserved_notional: NonNegative
    mark: Positive
    arrival_mark: Positive
    policy_version: str
    approved_at: Instant
    expires_at: Instant
    body: str
    body_sha256: Hash

    @property
    def time_in_force(self) -> TimeInForce:
        """How long it works at the venue."""
        return self.form.time_in_force


class CancelIntent(Command):
    """A request to cancel one open order; it can only reduce risk, so it needs no body binding."""

    kind: Literal["cancel"] = "cancel"
    intent_id: IntentId
    epoch: Annotated[int, Field(ge=1)]
    stream_sequence: Annotated[int, Field(ge=1)]
    previous_hash: Hash
    product: Product
    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId | None
    reason: str
    approved_at: Instant


class EpochClaim(Command):
    """A gate's claim to be the only one; published by compare-and-set on the intents stream."""

    kind: Literal["epoch"] = "epoch"
    epoch: Annotated[int, Field(ge=1)]
    holder: str
    stream_sequence: Annotated[int, Field(ge=1)]
    previous_hash: Hash
    claimed_at: Instant


class SignedIntent(Message):
    """Envelope: the signature covers exactly the payload's bytes (UTF-8 of `payload`)."""

    payload: str
    key_id: str
    signature: str
