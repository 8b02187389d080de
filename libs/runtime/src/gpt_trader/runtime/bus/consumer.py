"""A durable read continuously: requests are renewed before they run dry, messages are settled one after the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson
import prometheus_client
from nats.aio.msg import Msg

from gpt_trader.contracts.subjects import Durable
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus.errors import BusUnavailable, Malformed, Unavailable
from gpt_trader.runtime.bus.link import Link, inbox_prefix
from gpt_trader.runtime.bus.received import DESCRIPTION, STATUS, OnMessage, from_consumer

log = logs.get("bus")

MALFORMED = prometheus_client.Counter("bus_malformed", "messages that could not be read", ["subject"])
GIVEN_BACK = prometheus_client.Counter("bus_given_back", "messages to be delivered again later", ["stream"])

_BATCH = 64
_EXPIRES_SECONDS = 30
_HEARTBEAT_SECONDS = 2
_SILENCE_SECONDS = 5.0
_RETRY_SECONDS = 0.25
_NAK_NANOSECONDS = 1_000_000_000
_PENDING_MESSAGES = "Nats-Pending-Messages"
_IDLE_HEARTBEAT = "100"
_REQUEST_OVER = frozenset({"404", "408"})


@dataclass(slots=True)
class _Pull:
    """Knows how many messages the server still owes us; `arrived` holds None where the requests must be renewed."""

    link: Link
    durable: Durable
    arrived: asyncio.Queue[Msg | None] = field(default_factory=asyncio.Queue)
    owed: int = 0
    _requests: int = 0

    @property
    def inbox(self) -> str:
        return f"{inbox_prefix(self.link.zone)}.pull.{self.durable.stream}.{self.durable.name}"

    async def on_message(self, message: Msg) -> None:
        self.arrived.put_nowait(message)

    def restart(self) -> None:
        """Ask anew: the server forgot what we asked for."""
        self.owed = 0
        self.arrived.put_nowait(None)

    async def replenish(self) -> None:
        """Ask for more when half of the last request is used up."""
        batch = min(_BATCH, self.durable.max_ack_pending)
        if self.owed > batch // 2:
            return
        wanted = batch - self.owed
        self._requests += 1
        request = {
            "batch": wanted,
            "expires": _EXPIRES_SECONDS * 1_000_000_000,
            "idle_heartbeat": _HEARTBEAT_SECONDS * 1_000_000_000,
        }
        api = f"$JS.API.CONSUMER.MSG.NEXT.{self.durable.stream}.{self.durable.name}"
        await self.link.send(api, orjson.dumps(request), None, f"{self.inbox}.{self._requests}")
        self.owed += wanted

    def on_status(self, status: str, message: Msg) -> bool:
        """Account for a request that ended; returns whether to pause, for the server refuses us at the moment."""
        if status == _IDLE_HEARTBEAT:
            return False
        headers = message.headers or {}
        if status in _REQUEST_OVER:
            self.owed = max(0, self.owed - int(headers.get(_PENDING_MESSAGES, self.owed)))
            return False
        log.warning("bus_pull_refused", durable=self.durable.name, stream=self.durable.stream, status=status,
                    reason=headers.get(DESCRIPTION, ""))  # fmt: skip
        self.owed = 0
        return True


async def consume(link: Link, durable: Durable, on_message: OnMessage) -> None:
    """Deliver until cancelled. Returning acknowledges; Malformed drops; Unavailable gives back; else it propagates."""
    pull = _Pull(link, durable)
    async with _attached(link, pull):
        while True:
            if link.failure.done():
                link.failure.result()
            message = await _next(pull)
            if message is None:
                continue
            status = (message.headers or {}).get(STATUS)
            if status is None or message.data:
                pull.owed -= 1
                await _settle(link, durable, message, on_message)
            elif pull.on_status(status, message):
                await asyncio.sleep(_RETRY_SECONDS)


@asynccontextmanager
async def _attached(link: Link, pull: _Pull) -> AsyncIterator[None]:
    subscription = await link.listen(f"{pull.inbox}.*", pull.on_message)
    link.on_reconnect.append(pull.restart)
    try:
        yield
    finally:
        link.on_reconnect.remove(pull.restart)
        if link.is_connected:
            await subscription.unsubscribe()


async def _next(pull: _Pull) -> Msg | None:
    """Return the next message, or None when nothing came for so long that the request must be lost."""
    try:
        await pull.replenish()
    except BusUnavailable:
        await asyncio.sleep(_RETRY_SECONDS)
    if not pull.arrived.empty():
        return pull.arrived.get_nowait()
    try:
        async with asyncio.timeout(_SILENCE_SECONDS):
            return await pull.arrived.get()
    except TimeoutError:
        pull.owed = 0
        return None


async def _settle(link: Link, durable: Durable, message: Msg, on_message: OnMessage) -> None:
    received = from_consumer(message, message.subject)
    tracing.adopt(received.headers)
    try:
        await on_message(received)
    except Malformed as error:
        MALFORMED.labels(durable.stream).inc()
        log.warning("message_malformed", subject=received.subject, sequence=received.sequence, reason=str(error))
        answer = b"+TERM"
    except Unavailable as error:
        GIVEN_BACK.labels(durable.stream).inc()
        log.warning("message_given_back", subject=received.subject, sequence=received.sequence, reason=str(error))
        answer = b"-NAK " + orjson.dumps({"delay": _NAK_NANOSECONDS})
    else:
        answer = b"+ACK"
    try:
        await link.send(message.reply, answer, None)
    except BusUnavailable:
        log.warning("acknowledgement_lost", subject=received.subject, sequence=received.sequence)
