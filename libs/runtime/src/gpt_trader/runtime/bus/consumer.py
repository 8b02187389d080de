"""A durable read continuously: requests are renewed before they run dry, messages are settled one after the other.

Of a shared durable one message is asked for at a time, so that what waits is free for whoever has nothing to do.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter

import orjson
import prometheus_client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from gpt_trader.contracts.subjects import Durable
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus.errors import BusUnavailable, Malformed, Unavailable
from gpt_trader.runtime.bus.link import Link
from gpt_trader.runtime.bus.received import DESCRIPTION, STATUS, OnMessage, Received, from_consumer

log = logs.get("bus")

MALFORMED = prometheus_client.Counter("bus_malformed", "messages that could not be read", ["subject"])
GIVEN_BACK = prometheus_client.Counter("bus_given_back", "messages to be delivered again later", ["stream"])

_BATCH = 64
_REQUESTS_PER_INBOX = 200
_EXPIRES_NANOSECONDS = 30_000_000_000
_HEARTBEAT_NANOSECONDS = 2_000_000_000
_SILENCE_SECONDS = 5.0
_CATCH_UP_SECONDS = 0.1
_RETRY_SECONDS = 0.25
_NAK_NANOSECONDS = 1_000_000_000
_BACK_AT_ONCE = b"-NAK"
_PENDING_MESSAGES = "Nats-Pending-Messages"
_IDLE_HEARTBEAT = "100"
_REQUEST_OVER = frozenset({"404", "408"})


_Arrived = tuple[Msg, float]
"""A message, and when it was taken from the socket: it may wait here for those before it."""


@dataclass(slots=True)
class _Pull:
    """Keeps requests open; `owed` is what the server has still to send, `arrived` holds None where to ask anew.

    All requests share one inbox, for only so do their messages stay in order. The inbox is changed now and then: the
    server forgets the requests that crossed accounts only when their inbox is gone. What it still sent to the old one
    would come again 10 s late, behind all others: so not before nothing is `due`, which counts also what is believed
    to be lost.
    """

    link: Link
    durable: Durable
    arrived: asyncio.Queue[_Arrived | None] = field(default_factory=asyncio.Queue)
    owed: int = 0
    due: int = 0
    inbox: str = ""
    subscription: Subscription | None = None
    requests: int = 0

    async def on_message(self, message: Msg) -> None:
        self.arrived.put_nowait((message, perf_counter()))

    def restart(self) -> None:
        """Ask anew: the server forgot what we asked for."""
        self.owed = self.due = 0
        self.arrived.put_nowait(None)

    def lose(self) -> None:
        """Believe no longer in what was asked for; if nothing more was to be asked there, it was the last to come."""
        self.owed = 0
        if self.requests >= _REQUESTS_PER_INBOX:
            self.due = 0

    def take_off(self, messages: int) -> None:
        """Count what came, or will not come any more."""
        self.owed, self.due = max(0, self.owed - messages), max(0, self.due - messages)

    async def replenish(self) -> None:
        """Ask for more when half of what was asked for has come."""
        if self.subscription is None or (self.requests >= _REQUESTS_PER_INBOX and self.due == 0):
            await self._change_inbox()
        batch = 1 if self.durable.is_shared else min(_BATCH, self.durable.max_ack_pending)
        if self.owed > batch // 2 or self.requests >= _REQUESTS_PER_INBOX:
            return
        wanted = batch - self.owed
        body = {"batch": wanted, "expires": _EXPIRES_NANOSECONDS, "idle_heartbeat": _HEARTBEAT_NANOSECONDS}
        api = f"$JS.API.CONSUMER.MSG.NEXT.{self.durable.stream}.{self.durable.name}"
        await self.link.send(api, orjson.dumps(body), None, f"{self.inbox}.{self.requests}")
        self.requests += 1
        self.owed += wanted
        self.due += wanted

    def on_status(self, status: str, message: Msg) -> bool:
        """Account for a request that ended; returns whether to pause, for the server refuses us at the moment."""
        headers = message.headers or {}
        if status == _IDLE_HEARTBEAT:
            return False
        if status in _REQUEST_OVER:
            self.take_off(int(headers.get(_PENDING_MESSAGES, self.owed)))
            return False
        where = f"{self.durable.stream}/{self.durable.name}"
        log.warning("bus_pull_refused", durable=where, status=status, reason=headers.get(DESCRIPTION, ""))
        self.take_off(int(headers.get(_PENDING_MESSAGES, 0)))
        self.owed = 0
        return True

    async def close(self) -> None:
        if self.subscription is not None:
            await self.link.forget(self.subscription)

    async def _change_inbox(self) -> None:
        await self.close()
        self.inbox = self.link.client.new_inbox()
        self.subscription = await self.link.listen(f"{self.inbox}.*", self.on_message)
        self.requests = 0


async def consume(link: Link, durable: Durable, on_message: OnMessage) -> None:
    """Deliver until cancelled. Returning acknowledges; Malformed drops; Unavailable gives back; else it propagates."""
    pull = _Pull(link, durable)
    link.on_reconnect.append(pull.restart)
    try:
        while True:
            if link.failure.done():
                link.failure.result()
            arrived = await _next(pull)
            if arrived is None:
                continue
            message, taken_at = arrived
            status = (message.headers or {}).get(STATUS)
            if status is None or message.data:
                pull.take_off(1)
                await _settle(
                    link, durable, from_consumer(message, message.subject, taken_at), message.reply, on_message
                )
            elif pull.on_status(status, message):
                await asyncio.sleep(_RETRY_SECONDS)
    finally:
        link.on_reconnect.remove(pull.restart)
        await pull.close()


async def _next(pull: _Pull) -> _Arrived | None:
    """Return the next message, or None when nothing came for so long that the requests must be lost."""
    try:
        await pull.replenish()
    except BusUnavailable:
        await asyncio.sleep(_RETRY_SECONDS)
    if not pull.arrived.empty():
        return pull.arrived.get_nowait()
    with suppress(TimeoutError):
        async with asyncio.timeout(_SILENCE_SECONDS):
            return await pull.arrived.get()
    await asyncio.sleep(_CATCH_UP_SECONDS)  # what came while this process stood still is not read yet
    if not pull.arrived.empty():
        return pull.arrived.get_nowait()
    pull.lose()
    return None


async def _settle(link: Link, durable: Durable, received: Received, reply: str, on_message: OnMessage) -> None:
    if not durable.is_shared:
        await _answer(link, received, reply, await _verdict(durable, received, on_message))
        return
    try:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(_say_that_it_goes_on(link, durable, reply))
            verdict = await _verdict(durable, received, on_message)
            working.cancel()
    except asyncio.CancelledError:
        await _answer(link, received, reply, _BACK_AT_ONCE)
        raise
    await _answer(link, received, reply, verdict)


async def _verdict(durable: Durable, received: Received, on_message: OnMessage) -> bytes:
    """Have a message handled and return what to tell the server."""
    try:
        with tracing.continued(received.headers, received.subject):
            await on_message(received)
    except Malformed as error:
        MALFORMED.labels(durable.stream).inc()
        log.warning("message_malformed", subject=received.subject, sequence=received.sequence, reason=str(error))
        return b"+TERM"
    except Unavailable as error:
        GIVEN_BACK.labels(durable.stream).inc()
        log.warning("message_given_back", subject=received.subject, sequence=received.sequence, reason=str(error))
        return b"-NAK " + orjson.dumps({"delay": _NAK_NANOSECONDS})
    return b"+ACK"


async def _say_that_it_goes_on(link: Link, durable: Durable, reply: str) -> None:
    """Keep the server from giving the message to somebody else, for as long as this process lives."""
    while True:
        await asyncio.sleep(durable.ack_wait.total_seconds() / 3)
        with suppress(BusUnavailable):
            await link.send(reply, b"+WPI", None)


async def _answer(link: Link, received: Received, reply: str, verdict: bytes) -> None:
    try:
        await link.send(reply, verdict, None)
    except BusUnavailable:
        log.warning("acknowledgement_lost", subject=received.subject, sequence=received.sequence)
