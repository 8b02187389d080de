"""A message as services see it, and how its payload becomes a typed value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from nats.aio.msg import Msg
from pydantic import ValidationError

from gpt_trader.contracts.message import Message
from gpt_trader.contracts.subjects import REPUBLISHED
from gpt_trader.runtime.bus.errors import Malformed

M = TypeVar("M", bound=Message)

MESSAGE_ID = "Nats-Msg-Id"
EXPECTED_LAST_SEQUENCE = "Nats-Expected-Last-Sequence"
STREAM = "Nats-Stream"
SUBJECT = "Nats-Subject"
SEQUENCE = "Nats-Sequence"
TIMESTAMP = "Nats-Time-Stamp"
PENDING = "Nats-Num-Pending"
STATUS = "Status"
DESCRIPTION = "Description"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Received:
    """One message: its subject as it was published, and where it stands if a stream keeps it.

    `taken_at` is when a durable's message was taken from the socket, on the performance counter.
    """

    subject: str
    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    sequence: int | None = None
    stored_at: datetime | None = None
    deliveries: int = 1
    taken_at: float | None = None


OnMessage = Callable[[Received], Awaitable[None]]


def decoded(model: type[M], on_model: Callable[[M, Received], Awaitable[None]]) -> OnMessage:
    """Wrap a typed reader: what can't be decoded raises Malformed and names the fields."""

    async def on_message(received: Received) -> None:
        try:
            message = model.decode(received.payload)
        except ValidationError as error:
            raise Malformed(f"{model.__name__} on {received.subject}: {problems(error)}") from error
        await on_model(message, received)

    return on_message


def problems(error: ValidationError) -> str:
    """Name each field with what is wrong about it, and repeat nothing of what the sender wrote."""
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'payload'}: {one['msg']}" for one in found)


def from_core(message: Msg) -> Received:
    """Read a message from a core subscription; a republished one knows where it is stored."""
    headers = message.headers
    if not headers:
        return Received(message.subject, message.data, _NO_HEADERS)
    if SEQUENCE not in headers:
        return Received(message.subject, message.data, headers)
    return Received(
        message.subject.removeprefix(REPUBLISHED),
        message.data,
        headers,
        int(headers[SEQUENCE]),
        _instant(headers[TIMESTAMP]) if TIMESTAMP in headers else None,
    )


def from_direct_get(message: Msg) -> Received:
    """Read a message that a direct get returned; its own subject is in the headers."""
    headers = message.headers or {}
    return Received(headers[SUBJECT], message.data, headers, int(headers[SEQUENCE]), _instant(headers[TIMESTAMP]))


def from_consumer(message: Msg, subject: str, taken_at: float) -> Received:
    """Read a message from a durable: the acknowledgement's subject says where it stands in the stream."""
    tokens = message.reply.split(".")
    first = 4 if len(tokens) == _V1_TOKENS else 6
    deliveries, sequence, _, nanoseconds = tokens[first : first + 4]
    return Received(
        subject,
        message.data,
        message.headers or _NO_HEADERS,
        int(sequence),
        _EPOCH + timedelta(microseconds=int(nanoseconds) // 1000),
        int(deliveries),
        taken_at,
    )


_V1_TOKENS = 9
"""`$JS.ACK.<stream>.<durable>.<deliveries>.<sequence>.<consumer sequence>.<ns>.<pending>`; v2 inserts two tokens."""


def _instant(text: str) -> datetime:
    """Parse RFC 3339 with nanoseconds; what is finer than a microsecond is cut."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    instant = datetime.fromisoformat(f"{whole}+00:00")
    return instant.replace(microsecond=int(fraction[:6].ljust(6, "0"))) if fraction else instant
