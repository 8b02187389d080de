"""Reading streams back without making anything on the server: batches of direct gets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson
from nats.aio.msg import Msg

from gpt_trader.runtime.bus.errors import BusUnavailable
from gpt_trader.runtime.bus.link import Link
from gpt_trader.runtime.bus.received import DESCRIPTION, PENDING, STATUS, Received, from_direct_get

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
class _Answers:
    """Collects what one request brings: a single message, or a batch up to its end mark."""

    is_single: bool
    done: asyncio.Future[None]
    messages: list[Received] = field(default_factory=list)
    pending: int = 0

    async def on_message(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get(STATUS)
        if self.done.done():
            return
        if status is None:
            self.messages.append(from_direct_get(message))
            self.pending = int(headers.get(PENDING, 0))
            if self.is_single:
                self.done.set_result(None)
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
    answers = await _get(link, stream, {"last_by_subj": subject}, is_single=True)
    return answers.messages[0] if answers.messages else None


async def _fetch(link: Link, reading: Reading, sequence: int, start_time: datetime | None) -> _Answers:
    request: dict[str, object] = {"batch": reading.batch, "next_by_subj": reading.subject_filter}
    if start_time is None:
        request["seq"] = sequence
    else:
        request["start_time"] = start_time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return await _get(link, reading.stream, request, is_single=False)


async def _get(link: Link, stream: str, request: dict[str, object], *, is_single: bool) -> _Answers:
    """Ask until it is answered completely; reading again is always safe."""
    for _ in range(_ATTEMPTS):
        try:
            return await _get_once(link, stream, orjson.dumps(request), is_single=is_single)
        except (TimeoutError, BusUnavailable):
            await asyncio.sleep(_PAUSE_SECONDS)
    raise BusUnavailable(f"{stream}: no answer to {request}")


async def _get_once(link: Link, stream: str, request: bytes, *, is_single: bool) -> _Answers:
    """Use an inbox of its own: the server forgets a request that crossed accounts only when its inbox is gone."""
    answers = _Answers(is_single, asyncio.get_running_loop().create_future())
    async with link.inbox(answers.on_message) as inbox:
        await link.send(f"$JS.API.DIRECT.GET.{stream}", request, None, inbox)
        await link.answered(answers.done, _ANSWER_SECONDS)
    return answers
