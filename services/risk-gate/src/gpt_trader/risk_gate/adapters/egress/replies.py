"""What the egress itself answers, in the venue's error shape."""

from collections.abc import Mapping

import orjson

from gpt_trader.risk_gate.adapters.venue_link import Answer
from gpt_trader.risk_gate.domain.permits import Refusal

_JSON: Mapping[str, str] = {"content-type": "application/json"}


def permit_refused(reason: Refusal) -> Answer:
    """Say that nothing was sent; only `permit_already_issued` says that something may have been, earlier."""
    return _error(403, "PERMIT_REFUSED", reason.value)


def route_refused(reason: str) -> Answer:
    """Say that nothing was sent, and nothing ever will be for such a request."""
    return _error(403, "ROUTE_REFUSED", reason)


def outcome_unknown(reason: str) -> Answer:
    """Say that the venue may or may not have acted."""
    return _error(504, "OUTCOME_UNKNOWN", reason)


def venue_unavailable(reason: str) -> Answer:
    """Say that a read failed; asking again is safe."""
    return _error(504, "VENUE_UNAVAILABLE", reason)


def feed_unavailable() -> Answer:
    """Say that the user channel is down, which passes."""
    return _error(503, "FEED_UNAVAILABLE", "the user channel is not open")


def not_served(reason: str) -> Answer:
    """Say that this request led to nothing; no refusal, for the same body may have had its permit earlier."""
    return _error(503, "NOT_SERVED", reason)


def rate_limited() -> Answer:
    """Say that nothing was sent, for others need the budget more."""
    limited = _error(429, "RATE_BUDGET", Refusal.RATE_BUDGET.value)
    return Answer(status=limited.status, headers={**limited.headers, "retry-after": "1"}, body=limited.body)


def _error(status: int, error: str, reason: str) -> Answer:
    body = orjson.dumps({"error": error, "error_details": reason, "message": reason})
    return Answer(status=status, headers=_JSON, body=body)
