"""Storing a message: it is on disk, it is certainly not, or we say that we don't know."""

import asyncio
from dataclasses import dataclass

import orjson
from nats.aio.msg import Msg

from gpt_trader.contracts.subjects import ALERTS, route_of
from gpt_trader.runtime.bus.errors import BusUnavailable, FencedOff, PublishUnknown, StreamFull
from gpt_trader.runtime.bus.history import last
from gpt_trader.runtime.bus.link import Link
from gpt_trader.runtime.bus.received import EXPECTED_LAST_SEQUENCE, MESSAGE_ID, STATUS

_ANSWER_SECONDS = 1.0
_TOTAL_SECONDS = 4.0
_PAUSE_SECONDS = 0.1
_WRONG_LAST_SEQUENCE = 10071
_FULL = frozenset({10077, 10023})
_NO_RESPONDERS = "503"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A message for a stream. `message_id` makes every retry the same message; `expected` is the fence."""

    subject: str
    payload: bytes
    headers: dict[str, str]
    message_id: str
    expected: int | None

    def wire_headers(self) -> dict[str, str]:
        """Return the headers that make the server refuse a second copy and a foreign predecessor."""
        fence = {} if self.expected is None else {EXPECTED_LAST_SEQUENCE: str(self.expected)}
        return {**self.headers, MESSAGE_ID: self.message_id, **fence}


async def store(link: Link, publication: Publication) -> int:
    """Return the stream sequence once the message is on disk; a retry after silence can't store it twice."""
    is_retry = False
    try:
        async with asyncio.timeout(_TOTAL_SECONDS):
            while True:
                sequence = await _attempt(link, publication, is_retry=is_retry)
                if sequence is not None:
                    return sequence
                is_retry = True
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError as error:
        raise PublishUnknown(f"{publication.subject} {publication.message_id}: no answer in time") from error


async def _attempt(link: Link, publication: Publication, *, is_retry: bool) -> int | None:
    """Return the sequence, or None for silence; after silence a refusal to send is silence too."""
    try:
        answer = await link.ask(publication.subject, publication.payload, publication.wire_headers(), _ANSWER_SECONDS)
        return await _sequence(link, publication, answer)
    except TimeoutError:
        return None
    except StreamFull:
        raise
    except BusUnavailable:
        if is_retry:
            return None
        raise


def stream_of(subject: str) -> str:
    """Return the stream that keeps a subject; raises KeyError for one that none keeps."""
    if subject.startswith(ALERTS[:-1]):
        return "ALERTS"
    stream = route_of(subject).stream
    if stream is None:
        raise KeyError(f"no stream keeps {subject!r}")
    return stream


async def _sequence(link: Link, publication: Publication, answer: Msg) -> int:
    if (answer.headers or {}).get(STATUS) == _NO_RESPONDERS:
        raise BusUnavailable(f"{publication.subject}: no stream takes it")
    ack = orjson.loads(answer.data)
    problem = ack.get("error")
    if problem is None:
        return int(ack["seq"])
    if problem.get("err_code") == _WRONG_LAST_SEQUENCE:
        return await _own_sequence(link, publication)
    if problem.get("err_code") in _FULL:
        raise StreamFull(f"{publication.subject}: {problem.get('description')}")
    raise BusUnavailable(f"{publication.subject}: {problem.get('description')} ({problem.get('err_code')})")


async def _own_sequence(link: Link, publication: Publication) -> int:
    """Find out why the fence refused us: our own earlier attempt is stored, or somebody else wrote."""
    try:
        tail = await last(link, stream_of(publication.subject), ">")
    except BusUnavailable as error:
        raise PublishUnknown(f"{publication.subject} {publication.message_id}: refused, then silence") from error
    if tail is not None and tail.sequence is not None and tail.headers.get(MESSAGE_ID) == publication.message_id:
        return tail.sequence
    found = "empty" if tail is None else f"at {tail.sequence} ({tail.headers.get(MESSAGE_ID)})"
    raise FencedOff(f"{publication.subject}: expected last sequence {publication.expected}, the stream is {found}")
