"""Whether an intent is what the gate signed, for us, here, now and for the first time."""

import base64
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, assert_never

from pydantic import Field, TypeAdapter, ValidationError

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import ApprovedIntent, CancelIntent, EpochClaim, SignedIntent
from gpt_trader.contracts.message import digest
from gpt_trader.contracts.subjects import INTENTS_EPOCH, intents_approved, intents_cancel

Intent = ApprovedIntent | CancelIntent | EpochClaim
IsAuthentic = Callable[[bytes, str, str], bool]
"""payload, key id, signature → whether the pinned key of that id signed exactly these bytes."""

Binds = Callable[[ApprovedIntent], bool]
"""Whether the body, as this venue reads it, is the order that the intent names, and leaves here byte for byte."""

_INTENT: TypeAdapter[Intent] = TypeAdapter(Annotated[Intent, Field(discriminator="kind")])


class Flaw(StrEnum):
    """Why an intent is not obeyed."""

    MALFORMED = "malformed"
    SIGNATURE = "signature"
    SUBJECT = "subject"
    SEQUENCE = "sequence"
    CHAIN = "chain"
    BODY = "body"
    EPOCH = "epoch"
    EXPIRED = "expired"
    REPEATED = "repeated"


_VOIDS = frozenset({Flaw.CHAIN, Flaw.BODY, Flaw.EPOCH, Flaw.EXPIRED})
"""What makes an approval void: it is truly the gate's, and in its place, so the gate is owed a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An intent as the bus delivered it."""

    subject: str
    sequence: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What we know when it arrives; `links` are the hashes of earlier intents by their place in the stream."""

    epoch: int
    seen: Collection[ClientOrderId]
    links: Mapping[int, str]
    now: datetime


@dataclass(frozen=True, slots=True)
class Obeyed:
    """Signed, for this place in the stream, and to be acted on."""

    intent: Intent
    payload_sha256: str


@dataclass(frozen=True, slots=True)
class Void:
    """Truly the gate's, but never to be acted on: the gate is owed the report that nothing was sent."""

    intent: ApprovedIntent
    flaw: Flaw
    payload_sha256: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not to be believed, or already taken: nothing follows from it."""

    flaw: Flaw


Verdict = Obeyed | Void | Refused


def examine(delivery: Delivery, is_authentic: IsAuthentic, binds: Binds, circumstances: Circumstances) -> Verdict:
    """Judge a delivery; an approval is obeyed at most once, at its own place in the stream, while it is fresh."""
    payload = _authentic(delivery.payload, is_authentic)
    if isinstance(payload, Refused):
        return payload
    try:
        intent = _INTENT.validate_json(payload)
    except ValidationError:
        return Refused(Flaw.MALFORMED)
    flaw = _misplaced(intent, delivery, circumstances)
    payload_sha256 = digest(payload.encode())
    match intent:
        case ApprovedIntent():
            flaw = _approval_flaw(intent, flaw, binds, circumstances)
            if flaw in _VOIDS:
                return Void(intent, flaw, payload_sha256)
        case CancelIntent():
            flaw = flaw or (Flaw.EPOCH if intent.epoch < circumstances.epoch else None)
        case EpochClaim():
            pass
        case _:
            assert_never(intent)
    return Obeyed(intent, payload_sha256) if flaw is None else Refused(flaw)


def _misplaced(intent: Intent, delivery: Delivery, circumstances: Circumstances) -> Flaw | None:
    """Say what is wrong with its place: subject, sequence, or the intent before it, where we saw that."""
    if delivery.subject != _subject_of(intent):
        return Flaw.SUBJECT
    if delivery.sequence != intent.stream_sequence:
        return Flaw.SEQUENCE
    before = circumstances.links.get(delivery.sequence - 1)
    return Flaw.CHAIN if before is not None and before != intent.previous_hash else None


def _authentic(payload: bytes, is_authentic: IsAuthentic) -> str | Refused:
    """Believe nothing before the signature is checked over the exact bytes."""
    try:
        signed = SignedIntent.decode(payload)
    except ValidationError:
        return Refused(Flaw.MALFORMED)
    if signed.encode() != payload or not _is_canonical(signed.signature):
        return Refused(Flaw.MALFORMED)
    if not is_authentic(signed.payload.encode(), signed.key_id, signed.signature):
        return Refused(Flaw.SIGNATURE)
    return signed.payload


def _is_canonical(text: str) -> bool:
    """Base64 has several spellings of the same bytes; only one of them is the gate's."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False


def _approval_flaw(
    intent: ApprovedIntent, misplaced: Flaw | None, binds: Binds, circumstances: Circumstances
) -> Flaw | None:
    if misplaced is not None and misplaced is not Flaw.CHAIN:
        return misplaced
    if intent.client_order_id in circumstances.seen:
        return Flaw.REPEATED
    if misplaced is not None:
        return misplaced
    if digest(intent.body.encode()) != intent.body_sha256 or not binds(intent):
        return Flaw.BODY
    if intent.epoch < circumstances.epoch:
        return Flaw.EPOCH
    return Flaw.EXPIRED if circumstances.now >= intent.expires_at else None


def _subject_of(intent: Intent) -> str:
    match intent:
        case ApprovedIntent():
            return intents_approved(intent.product)
        case CancelIntent():
            return intents_cancel(intent.product)
        case EpochClaim():
            return INTENTS_EPOCH
