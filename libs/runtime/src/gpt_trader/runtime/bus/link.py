"""The connection to the bus: one credential, one private inbox, and failures that nobody can overlook."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import nats.errors
import prometheus_client
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus.errors import BusError, BusLost, BusUnavailable, PublishRefused, SubscriberFailed
from gpt_trader.runtime.infrastructure.keys import public_nkey
from gpt_trader.runtime.secret_files import KeyUnusable, read_secret

log = logs.get("bus")

A = TypeVar("A")

SLOW_CONSUMER = prometheus_client.Counter("bus_slow_consumer_dropped", "messages dropped because we read too slowly")
CONNECTED = prometheus_client.Gauge("bus_connected", "1 while the bus can be reached; NaN = none is wanted")
CONNECTED.set(float("nan"))  # a process that follows no bus has lost none: NaN < 1 fires no alert
RECONNECTS = prometheus_client.Counter("bus_reconnects", "times the connection came back")

_CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 2.0
_RECONNECT_SECONDS = 0.25
_PING_SECONDS = 5
_REFUSALS = ("permissions violation", "authorization violation")
_NOT_CONNECTED = (
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionDrainingError,
    nats.errors.ConnectionReconnectingError,
    nats.errors.OutboundBufferLimitError,
)


def inbox_prefix(zone: Zone) -> str:
    """Return the only inbox that a zone may listen on."""
    return "_INBOX_" + zone.replace("-", "_")


@dataclass(slots=True)
class Link:
    """An open connection; `failure` ends in an exception when it is of no more use."""

    zone: Zone
    client: Client
    failure: asyncio.Future[None]
    pending: dict[str, asyncio.Future[Msg]] = field(default_factory=dict)
    on_reconnect: list[Callable[[], None]] = field(default_factory=list)
    is_closing: bool = False
    reconnects: int = 0
    answers: str = ""
    """Where this connection's answers come to; its zone's other processes have others."""
    _asked: int = 0
    _waiting: set[asyncio.Future[Any]] = field(default_factory=set)

    @property
    def is_connected(self) -> bool:
        """Whether the server can be reached right now."""
        return self.client.is_connected

    async def send(self, subject: str, payload: bytes, headers: dict[str, str] | None, reply: str = "") -> None:
        """Hand a message to the server now, or raise BusUnavailable: nothing is kept for later."""
        if self.failure.done():
            self.failure.result()
        try:
            await self.client.publish(subject, payload, reply=reply, headers=headers)
        except _NOT_CONNECTED as error:
            raise BusUnavailable(f"{subject}: not connected ({type(error).__name__})") from error

    async def ask(self, subject: str, payload: bytes, headers: dict[str, str] | None, seconds: float) -> Msg:
        """Send a request and wait for its one answer; raises TimeoutError, or what ended the connection."""
        self._asked += 1
        token = str(self._asked)
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self.pending[token] = answer
        try:
            await self.send(subject, payload, headers, f"{self.answers}.{token}")
            return await self.answered(answer, seconds)
        finally:
            del self.pending[token]

    async def answered(self, answer: asyncio.Future[A], seconds: float) -> A:
        """Wait for an answer; raises TimeoutError when it is late or the connection is lost, or why the bus failed."""
        self._waiting.add(answer)
        try:
            async with asyncio.timeout(seconds):
                return await answer
        finally:
            self._waiting.discard(answer)

    async def listen(self, subject: str, on_message: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Subscribe; messages are handed over one after the other, and an exception ends the bus."""

        async def guarded(message: Msg) -> None:
            try:
                await on_message(message)
            except BusError:
                raise
            except Exception as error:
                # The client would only report it; a subscriber that raises is a bug and must end the process.
                raise SubscriberFailed(f"on {message.subject}: {error!r}") from error

        try:
            return await self.client.subscribe(subject, cb=guarded)
        except _NOT_CONNECTED as error:
            raise BusUnavailable(f"subscribe {subject}: {error}") from error

    async def forget(self, subscription: Subscription) -> None:
        """End a subscription; with the connection gone it has ended already."""
        with suppress(nats.errors.Error):
            await subscription.unsubscribe()

    @asynccontextmanager
    async def inbox(self, on_message: Callable[[Msg], Awaitable[None]]) -> AsyncIterator[str]:
        """Listen on a subject that nobody else knows, for as long as the answers are wanted."""
        subject = self.client.new_inbox()
        subscription = await self.listen(subject, on_message)
        try:
            yield subject
        finally:
            await self.forget(subscription)

    def fail(self, error: BusError) -> None:
        """End the bus: everybody who waits for an answer or for `failure` gets the reason."""
        if self.failure.done():
            return
        log.error("bus_failed", reason=str(error))
        self.failure.set_exception(error)
        self.failure.exception()  # it is raised by whoever watches; asyncio need not warn when nobody does
        self._end_waits(error)

    async def on_answer(self, message: Msg) -> None:
        """Give an answer to the one who asked; a late one has nobody left."""
        answer = self.pending.get(message.subject.rpartition(".")[2])
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def on_error(self, error: Exception) -> None:
        """Judge what the client reports: a refusal or a bug is final, a lost connection comes back."""
        if isinstance(error, BusError):
            self.fail(error)
        elif isinstance(error, nats.errors.SlowConsumerError):
            SLOW_CONSUMER.inc()
            log.warning("bus_slow_consumer", subject=error.subject)
        elif any(words in str(error).lower() for words in _REFUSALS):
            self.fail(PublishRefused(f"{self.zone}: {error}"))
        else:
            log.debug("bus_connection_trouble", reason=repr(error))

    async def on_closed(self) -> None:
        """Take a close that we did not ask for as final."""
        if not self.is_closing:
            self.fail(BusLost(f"{self.zone}: the server closed the connection for good ({self.client.last_error!r})"))

    async def on_disconnected(self) -> None:
        """Whoever waits for an answer will get none on this connection."""
        CONNECTED.set(0)
        if not self.is_closing:
            log.warning("bus_disconnected")
        self._end_waits(TimeoutError("the connection was lost before the answer"))

    def _end_waits(self, error: Exception) -> None:
        for answer in self._waiting:
            if not answer.done():
                answer.set_exception(error)

    async def on_reconnected(self) -> None:
        """Let consumers ask again: the server forgot their requests."""
        self.reconnects += 1
        CONNECTED.set(1)
        RECONNECTS.inc()
        log.info("bus_reconnected")
        for again in self.on_reconnect:
            again()


@asynccontextmanager
async def opened(url: str, seed_file: Path | None, zone: Zone) -> AsyncIterator[Link]:
    """Connect and reconnect for ever; BusUnavailable: no answer at first; KeyUnusable: the seed can't be read."""
    seed = None if seed_file is None else _seed(seed_file)
    link = Link(zone, Client(), asyncio.get_running_loop().create_future())
    CONNECTED.set(0)
    try:
        await _connect(link, url, seed)
        CONNECTED.set(1)
        link.answers = link.client.new_inbox()
        await link.listen(f"{link.answers}.*", link.on_answer)
        yield link
    finally:
        link.is_closing = True
        await _close(link.client)


def _seed(path: Path) -> str:
    try:
        public_nkey(path)
        return read_secret(path)
    except KeyUnusable as error:
        raise KeyUnusable(
            f"bus credential: {error}; put the nkey seed there, or name its file (--nats-seed-file)"
        ) from error


async def _connect(link: Link, url: str, seed: str | None) -> None:
    """Try until the first connection is made; a refused credential ends the attempts at once."""

    def give_up(_failure: asyncio.Future[None]) -> None:
        deadline.reschedule(0)

    try:
        async with asyncio.timeout(_CONNECT_SECONDS) as deadline:
            link.failure.add_done_callback(give_up)
            await link.client.connect(
                url,
                name=link.zone,
                nkeys_seed_str=seed,
                inbox_prefix=inbox_prefix(link.zone),
                pending_size=0,
                max_reconnect_attempts=-1,
                reconnect_time_wait=_RECONNECT_SECONDS,  # type: ignore[arg-type] # it sleeps this long; a fraction works
                ping_interval=_PING_SECONDS,
                error_cb=link.on_error,
                closed_cb=link.on_closed,
                disconnected_cb=link.on_disconnected,
                reconnected_cb=link.on_reconnected,
            )
    except (TimeoutError, OSError, nats.errors.Error) as error:
        if link.failure.done():
            link.failure.result()
        reason = link.client.last_error or error
        raise BusUnavailable(f"{url}: no connection as {link.zone}: {reason!r}") from error
    finally:
        link.failure.remove_done_callback(give_up)


async def _close(client: Client) -> None:
    """Send what was published, then go; a server that is gone does not hold us up."""
    with suppress(TimeoutError, OSError, nats.errors.Error):
        async with asyncio.timeout(_CLOSE_SECONDS):
            if client.is_connected:
                await client.flush()
    await client.close()
