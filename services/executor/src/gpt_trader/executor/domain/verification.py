"""Whether an intent is what the gate signed, for us, here, now and for the first time."""

import base64
import json
from collections.abc import Callable, Collection
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

_INTENT: TypeAdapter[Intent] = TypeAdapter(Annotated[Intent, Field(discriminator="kind")])


class Flaw(StrEnum):
    """Why an intent is not obeyed."""

    MALFORMED = "malformed"
    SIGNATURE = "signature"
    SUBJECT = "subject"
    SEQUENCE = "sequence"
    BODY = "body"
    EPOCH = "epoch"
    EXPIRED = "expired"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An intent as the bus delivered it."""

    subject: str
    sequence: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What we know when it arrives."""

    epoch: int
    seen: Collection[ClientOrderId]
    now: datetime


@dataclass(frozen=True, slots=True)
class Obeyed:
    """Signed, for this place in the stream, and to be acted on."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class Void:
    """Truly the gate's, but never to be acted on: the gate is owed the report that nothing was sent."""

    intent: ApprovedIntent
    flaw: Flaw


@dataclass(frozen=True, slots=True)
class Refused:
    """Not to be believed, or already taken: nothing follows from it."""

    flaw: Flaw


Verdict = Obeyed | Void | Refused


def examine(delivery: Delivery, is_authentic: IsAuthentic, circumstances: Circumstances) -> Verdict:
    """Judge a delivery; an approval is obeyed at most once, at its own place in the stream, while it is fresh."""
    intent = _authentic(delivery.payload, is_authentic)
    if isinstance(intent, Refused):
        return intent
    if delivery.subject != _subject_of(intent):
        return Refused(Flaw.SUBJECT)
    if delivery.sequence != intent.stream_sequence:
        return Refused(Flaw.SEQUENCE)
    match intent:
        case ApprovedIntent():
            return _approval(intent, circumstances)
        case CancelIntent():
            return Refused(Flaw.EPOCH) if intent.epoch < circumstances.epoch else Obeyed(intent)
        case EpochClaim():
            return Obeyed(intent)
        case _:
            assert_never(intent)


def _authentic(payload: bytes, is_authentic: IsAuthentic) -> Intent | Refused:
    """Believe nothing before the signature is checked over the exact bytes."""
    try:
        signed = SignedIntent.decode(payload)
        if signed.encode() != payload or not _is_canonical(signed.signature):
            return Refused(Flaw.MALFORMED)
        if not is_authentic(signed.payload.encode(), signed.key_id, signed.signature):
            return Refused(Flaw.SIGNATURE)
        return _INTENT.validate_json(signed.payload)
    except ValidationError:
        return Refused(Flaw.MALFORMED)


def _is_canonical(text: str) -> bool:
    """Base64 has several spellings of the same bytes; only one of them is the gate's."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False


def _approval(intent: ApprovedIntent, circumstances: Circumstances) -> Verdict:
    if intent.client_order_id in circumstances.seen:
        return Refused(Flaw.REPEATED)
    if not _binds_its_body(intent):
        return Void(intent, Flaw.BODY)
    if intent.epoch < circumstances.epoch:
        return Void(intent, Flaw.EPOCH)
    if circumstances.now >= intent.expires_at:
        return Void(intent, Flaw.EXPIRED)
    return Obeyed(intent)


def _binds_its_body(intent: ApprovedIntent) -> bool:
    """Whether the body is the hashed one, names this order, and will be spelled the same when it is sent."""
    if digest(intent.body.encode()) != intent.body_sha256:
        return False
    try:
        body = json.loads(intent.body)
    except ValueError:
        return False
    if not isinstance(body, dict) or json.dumps(body) != intent.body:
        return False
    named = (body.get("client_order_id"), body.get("product_id"), body.get("side"))
    return named == (intent.client_order_id, intent.product, intent.side.value.upper())


def _subject_of(intent: Intent) -> str:
    match intent:
        case ApprovedIntent():
            return intents_approved(intent.product)
        case CancelIntent():
            return intents_cancel(intent.product)
        case EpochClaim():
            return INTENTS_EPOCH
