"""Requests and replies of the REST side, and the venue's error bodies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

import orjson
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from gpt_trader.exchange_sim.adapters.faults import Faults
from gpt_trader.exchange_sim.adapters.keys import ApiKey, Scope
from gpt_trader.exchange_sim.domain.faults.board import Occasion
from gpt_trader.exchange_sim.domain.faults.fault import Fault
from gpt_trader.exchange_sim.domain.faults.kinds import FaultKind
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.orders import ZERO, Order
from gpt_trader.exchange_sim.ports import Floor

Json = dict[str, object]
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Status and body; a text body is sent as it is, with its type."""

    status: int = 200
    body: Json | str
    content_type: str = "text/plain"


class Refused(Exception):
    """The request ends here with an HTTP error."""

    def __init__(self, status: int, error: str, details: str) -> None:
        super().__init__(details)
        self.reply = Reply(status=status, body={"error": error, "error_details": details, "message": details})


@dataclass(frozen=True, slots=True)
class Strikes:
    """The faults that may strike one request."""

    faults: Faults
    occasion: Occasion

    def of(self, kind: FaultKind, order: Order | None = None) -> Fault | None:
        """Return the fault that strikes the request, or what it asks of an order."""
        if order is None:
            return self.faults.strike(kind, self.occasion)
        about = replace(self.occasion, product=order.product_id, side=order.side.value)
        return self.faults.strike(kind, about)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authorised request; `server_time` is what the venue says the time is."""

    floor: Floor
    now: datetime
    query: MultiMapping[str]
    path: Mapping[str, str]
    raw_body: bytes
    key: ApiKey | None
    server_time: datetime
    strikes: Strikes

    def many(self, plural: str, singular: str = "") -> list[str]:
        """Return a repeatable parameter; older clients send a singular name."""
        return self.query.getall(plural, []) + (self.query.getall(singular, []) if singular else [])

    def integer(self, name: str, default: int, most: int) -> int:
        """Return a count parameter, bounded."""
        text = self.query.get(name, str(default))
        if not text.isdecimal():
            raise invalid(f"{name}: {text!r} is not a whole number")
        return min(int(text) or default, most)

    def instant(self, name: str) -> datetime | None:
        """Return an RFC 3339 parameter."""
        text = self.query.get(name)
        if not text:
            return None
        try:
            return parse_instant(text)
        except ValueError:
            raise invalid(f"{name}: {text!r} is not an RFC 3339 time") from None

    def listing(self, product_id: str) -> Listing:
        """Return a listed product."""
        listing = self.floor.venue.listings.get(product_id)
        if listing is None:
            raise Refused(404, "NOT_FOUND", f"Product {product_id} not supported")
        return listing

    def body(self, model: type[M]) -> M:
        """Parse the body as strictly as the venue's proto parser."""
        return parse_body(model, self.raw_body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where an answer is found and what a key needs to ask."""

    method: str
    path: str
    scope: Scope | None
    answer: Callable[[Call], Reply]


def invalid(details: str) -> Refused:
    """Make the venue's answer to a bad parameter."""
    return Refused(400, "INVALID_ARGUMENT", details)


def parse_body(model: type[M], raw: bytes) -> M:
    """Parse JSON into a model; an unknown field gets the venue's proto message."""
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        name = str(first["loc"][-1]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            column = raw.find(f'"{name}"'.encode()) + 1
            raise Refused(400, "unknown", f'proto: (line 1:{column}): unknown field "{name}"') from None
        where = ".".join(str(part) for part in first["loc"])
        raise invalid(f"{where}: {first['msg']}") from None


def parse_instant(text: str) -> datetime:
    """Parse RFC 3339 with up to nine fractional digits."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def timestamp(at: datetime) -> str:
    """Format as RFC 3339 with microseconds."""
    return f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def text(amount: Decimal | None) -> str:
    """Format an amount without exponent or trailing zeros; nothing is an empty string."""
    if amount is None:
        return ""
    if not amount:
        return "0"
    plain = f"{amount:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def amount_of(value: Decimal, currency: str) -> Json:
    """Make an Amount object."""
    return {"value": text(value), "currency": currency}


def ratio(value: Decimal, whole: Decimal, digits: str = "0.00000001") -> Decimal:
    """Divide, zero when there is nothing to divide by."""
    return (value / whole).quantize(Decimal(digits)) if whole else ZERO


def encode(body: Json) -> bytes:
    """Serialise compactly: the SDK matches on bytes without spaces."""
    return orjson.dumps(body)
