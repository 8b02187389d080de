"""What the answer to the one POST of an order means: created, refused for good, never sent, or nobody knows."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.executor.domain.records import Abandoned, Accepted, Rejected, Unclear

PERMIT_REFUSED = "PERMIT_REFUSED"
PERMIT_ALREADY_ISSUED = "permit_already_issued"
_DEFINITIVE = frozenset({400, 401, 403, 429})
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """HTTP 200, success."""

    venue_order_id: VenueOrderId
    client_order_id: ClientOrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """HTTP 200, no success."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorStatus:
    """An HTTP status from 400 on; `error` and `details` are empty where the body has none."""

    status: int
    error: str
    details: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """An answer came, but not one we understand."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No answer: timeout, reset, a connection that could not be made."""

    detail: str


CreateReply = Created | Declined | ErrorStatus | Unreadable | Silence
Outcome = Accepted | Rejected | Abandoned | Unclear


class Doubt(StrEnum):
    """Why an outcome is unknown; a closed set, for metrics."""

    NO_ANSWER = "no_answer"
    UNREADABLE = "unreadable_answer"
    SERVER_ERROR = "server_error"
    PERMIT_ALREADY_ISSUED = "permit_already_issued"
    OTHER_ORDER = "other_order"
    RESTART = "restart"
    BEFORE_JOURNAL = "before_journal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The one attempt: `permit_before` is the latest real time of a permit that we know without an answer."""

    client_order_id: ClientOrderId
    permit_before: datetime
    answered_at: datetime
    now: datetime


def classify(reply: CreateReply, attempt: Attempt) -> Outcome:
    """Judge an answer; whatever is not certainly a refusal is unknown."""
    order_id, now = attempt.client_order_id, attempt.now
    match reply:
        case Created() if reply.client_order_id == order_id:
            return Accepted(client_order_id=order_id, venue_order_id=reply.venue_order_id, at=now)
        case Created():
            return _unclear(Doubt.OTHER_ORDER, attempt, is_answered=True)
        case Declined():
            return Rejected(client_order_id=order_id, reason=reply.reason, at=now)
        case ErrorStatus():
            return _of_status(reply, attempt)
        case Unreadable():
            return _unclear(Doubt.UNREADABLE, attempt, is_answered=True)
        case Silence():
            return _unclear(Doubt.NO_ANSWER, attempt, is_answered=False)


def _of_status(reply: ErrorStatus, attempt: Attempt) -> Outcome:
    if reply.status == _FORBIDDEN and reply.error == PERMIT_REFUSED:
        return _of_refused_permit(reply, attempt)
    if reply.status in _DEFINITIVE:
        reason = reply.details or reply.error or f"http_{reply.status}"
        return Rejected(client_order_id=attempt.client_order_id, reason=reason, at=attempt.now)
    return _unclear(Doubt.SERVER_ERROR, attempt, is_answered=True)


def _of_refused_permit(reply: ErrorStatus, attempt: Attempt) -> Outcome:
    """Without a reason we can't tell a first refusal from one that follows a permit."""
    if reply.details in {PERMIT_ALREADY_ISSUED, ""}:
        return _unclear(Doubt.PERMIT_ALREADY_ISSUED, attempt, is_answered=True)
    return Abandoned(client_order_id=attempt.client_order_id, reason=reply.details, at=attempt.now)


def _unclear(doubt: Doubt, attempt: Attempt, *, is_answered: bool) -> Unclear:
    """Bound the permit: if an answer came, the permit was issued before it."""
    latest = min(attempt.answered_at, attempt.permit_before) if is_answered else attempt.permit_before
    return Unclear(client_order_id=attempt.client_order_id, reason=doubt, permit_before=latest, at=attempt.now)
