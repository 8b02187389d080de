"""Reading streams back without making anything on the server: batches of direct gets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
from nats.aio.msg import Msg

from gpt_trader.runtime.bus.errors import BusUnavailable
from gpt_trader.runtime.bus.link import Link
from gpt_trader.runtime.bus.received import DESCRIPTION, PENDING, SEQUENCE, STATUS, Received, from_direct_get

_ANSWER_SECONDS = 2.0
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.2
_END_OF_BATCH = "204"
_NOT_FOUND = "404"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Which part of a stream to read: from a sequence or a time, optionally only some subjects."""

    stream: str
    subject_filter: str = ">"
    start_sequence: int = 1
    start_time: datetime | None = None
    batch: int = 256


@dataclass(slots=True)
class _Batch:
    """Collects the answers to one request."""

    done: asyncio.Future[None]
    messages: list[Received] = field(default_factory=list)
    pending: int = 0

    async def on_message(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get(STATUS)
        if status is None:
            self.messages.append(from_direct_get(message))
            self.pending = int(headers[PENDING])
        elif self.done.done():
            return
        elif status in {_END_OF_BATCH, _NOT_FOUND}:
            self.done.set_result(None)
        else:
            self.done.set_exception(BusUnavailable(f"{status} {headers.get(DESCRIPTION, '')}"))


async def read(link: Link, reading: Reading) -> AsyncIterator[Received]:
    """Yield the stored messages up to the end that the stream had when the last batch was read."""
    sequence, start_time = reading.start_sequence, reading.start_time
    while True:
        batch = await _fetch(link, reading, sequence, start_time)
        for received in batch.messages:
            yield received
        if not batch.messages or batch.pending == 0:
            return
        sequence, start_time = (batch.messages[-1].sequence or 0) + 1, None


async def last(link: Link, stream: str, subject: str) -> Received | None:
    """Return the newest stored message on a subject (wildcards allowed), or None."""
    for _ in range(_ATTEMPTS):
        try:
            answer = await link.ask(_api(stream), orjson.dumps({"last_by_subj": subject}), None, _ANSWER_SECONDS)
        except TimeoutError:
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        status = (answer.headers or {}).get(STATUS)
        if status == _NOT_FOUND:
            return None
        if status is None and SEQUENCE in (answer.headers or {}):
            return from_direct_get(answer)
        await asyncio.sleep(_PAUSE_SECONDS)
    raise BusUnavailable(f"{stream}: the last message on {subject} could not be read")


async def _fetch(link: Link, reading: Reading, sequence: int, start_time: datetime | None) -> _Batch:
    request: dict[str, object] = {"batch": reading.batch, "next_by_subj": reading.subject_filter}
    if start_time is None:
        request["seq"] = sequence
    else:
        request["start_time"] = start_time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    for _ in range(_ATTEMPTS):
        try:
            return await _fetch_once(link, reading.stream, orjson.dumps(request))
        except (TimeoutError, BusUnavailable):
            await asyncio.sleep(_PAUSE_SECONDS)
    raise BusUnavailable(f"{reading.stream}: history from {request} could not be read")


async def _fetch_once(link: Link, stream: str, request: bytes) -> _Batch:
    batch = _Batch(asyncio.get_running_loop().create_future())
    inbox = link.client.new_inbox()
    subscription = await link.listen(inbox, batch.on_message)
    try:
        await link.send(_api(stream), request, None, inbox)
        async with asyncio.timeout(_ANSWER_SECONDS):
            await batch.done
    finally:
        if link.is_connected:
            await subscription.unsubscribe()
    return batch


def _api(stream: str) -> str:
    return f"$JS.API.DIRECT.GET.{stream}"
