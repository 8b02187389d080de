"""A process's connection to the bus, with the promises and the failures of the real one (`gpt_trader.runtime.bus`)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gpt_trader.contracts.message import Message
from gpt_trader.contracts.subjects import Durable, Zone
from gpt_trader.lab.storm.fate import Fate
from gpt_trader.lab.storm.server import Consumer, Server, Stored, matches
from gpt_trader.lab.storm.timeline import ProcessLoop
from gpt_trader.lab.storm.weakness import Flaw
from gpt_trader.runtime import tracing
from gpt_trader.runtime.bus import (
    BusUnavailable,
    FencedOff,
    Malformed,
    OnMessage,
    PublishUnknown,
    Received,
    Unavailable,
)

_HOP = (0.0002, 0.003)
_CLIENT_RETRIES = 0.4
"""Seconds until the client sends again what was not answered."""
_CLIENT_GIVES_UP = 1.2
_NAK = 0.4
_ROOM = 1 << 30
_STORE_ODDS = {"ack lost": 0.04, "unknown, stored": 0.01, "unknown, not stored": 0.01, "refused": 0.02, "slow": 0.03}
_CORE_ODDS = {"lost": 0.03}
_READ_ODDS = {"unavailable": 0.006, "slow": 0.02}
_DELIVERY_ODDS = {"slow": 0.08, "twice": 0.03}
_ACK_ODDS = {"lost": 0.06}


@dataclass(slots=True, eq=False)
class StormBus:
    """One connection; `drop` and `reconnect` are what the network does to it."""

    zone: Zone
    loop: ProcessLoop
    world_loop: ProcessLoop
    server: Server
    fate: Fate
    flaw: Flaw | None = None
    is_connected: bool = True
    reconnects: int = 0
    _online: asyncio.Event = field(default_factory=asyncio.Event)
    _lines: list[tuple[str, asyncio.Queue[Stored]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Be connected from the start."""
        self._online.set()
        self.server.listeners.append(self._hear)
        self.loop.on_death.append(self._gone)

    def drop(self, seconds: float) -> None:
        """Lose the connection for a while: what is published meanwhile fails, what others publish is missed."""
        if self.is_connected and not self.loop.is_dead:
            self.is_connected = False
            self._online.clear()
            self.loop.later(seconds, self._reconnect)

    async def watch(self) -> None:
        """Wait for ever: a storm closes no connection for good."""
        await self.loop.create_future()

    async def publish(self, subject: str, message: Message | bytes) -> None:
        """Send to whoever listens, at most once."""
        self._require_connection(subject)
        if self.fate.strike(f"{self.zone}.publish", _CORE_ODDS) is None:
            payload = message if isinstance(message, bytes) else message.encode()
            self.world_loop.later(self._hop(), self.server.publish, subject, payload, dict(tracing.carried()))

    async def store(
        self, subject: str, message: Message | bytes, *, message_id: str, expect_last_sequence: int | None = None
    ) -> int:
        """Store once per id; what was sent arrives even if the sender dies meanwhile."""
        try:
            return await self._stored(subject, message, message_id, expect_last_sequence)
        except (BusUnavailable, PublishUnknown):
            if self.flaw is Flaw.GIVES_UP and self.zone is Zone.EXECUTOR:
                return 0
            raise

    async def _stored(self, subject: str, message: Message | bytes, message_id: str, expected: int | None) -> int:
        self._require_connection(subject)
        payload = message if isinstance(message, bytes) else message.encode()
        fault = self.fate.strike(f"{self.zone}.store", _STORE_ODDS)
        if fault == "refused":
            raise BusUnavailable(f"{subject}: no stream takes it")
        if fault == "unknown, not stored":
            await asyncio.sleep(_CLIENT_GIVES_UP)
            raise PublishUnknown(f"{subject} {message_id}: no answer in time")
        if fault == "slow":
            await asyncio.sleep(self.fate.seconds(f"{self.zone}.store", 0.05, 0.4))
        sent = _Sent(self, subject, payload, dict(tracing.carried()), message_id, expected)
        is_answered = fault not in {"ack lost", "unknown, stored"}
        self.world_loop.later(self._hop(), sent.arrive, is_answered)
        if fault == "ack lost":
            self.world_loop.later(_CLIENT_RETRIES, sent.arrive, True)
        if fault == "unknown, stored":
            await asyncio.sleep(_CLIENT_GIVES_UP)
            raise PublishUnknown(f"{subject} {message_id}: no answer in time")
        return await sent.answer

    async def subscribe(self, pattern: str, on_message: OnMessage) -> None:
        """Hand over what is published from now on, one message after the other, in their order."""
        self._require_connection(pattern)
        line: asyncio.Queue[Stored] = asyncio.Queue()
        self._lines.append((pattern, line))
        self.loop.create_task(self._serve(line, on_message))

    async def consume(self, durable: Durable, on_message: OnMessage) -> None:
        """Deliver a durable's messages, for ever; an acknowledgement may get lost on its way."""
        consumer = self.server.consumers[durable.stream, durable.name]
        poked = asyncio.Event()
        consumer.poke = lambda: self.loop.later(0, poked.set)
        while True:
            await self._online.wait()
            stored = consumer.take(self.server.streams[durable.stream], self.loop.time())
            if stored is None:
                poked.clear()
                await self._rest(consumer, poked)
                continue
            fault = self.fate.strike(f"{self.zone}.deliver", _DELIVERY_ODDS)
            await asyncio.sleep(
                self.fate.seconds(f"{self.zone}.deliver", 0.05, 0.5) if fault == "slow" else self._hop()
            )
            await self._settle(consumer, stored, on_message)
            if fault == "twice":
                consumer.again(stored.sequence, self.loop.time())

    def history(
        self,
        stream: str,
        *,
        subject_filter: str = ">",
        start_sequence: int = 1,
        start_time: datetime | None = None,
    ) -> AsyncIterator[Received]:
        """Read what a stream holds, to its present end."""
        return self._history(stream, subject_filter, start_sequence, start_time)

    async def last(self, stream: str, subject: str) -> Received | None:
        """Return the newest message on a subject."""
        await self._read(stream)
        found = self.server.last(stream, subject)
        return None if found is None else _received(found, 1)

    async def room(self, stream: str) -> int:
        """Return the room of a stream: a storm fills none."""
        await self._read(stream)
        return _ROOM

    async def _history(
        self, stream: str, subject: str, start_sequence: int, start_time: datetime | None
    ) -> AsyncIterator[Received]:
        await self._read(stream)
        if self.flaw is Flaw.HIDES_INTENTS and self.zone is Zone.GATE and stream == "INTENTS":
            return
        for found in self.server.history(stream, subject, start_sequence, start_time):
            yield _received(found, 1)

    async def _read(self, stream: str) -> None:
        self._require_connection(stream)
        fault = self.fate.strike(f"{self.zone}.read", _READ_ODDS)
        await asyncio.sleep(self.fate.seconds(f"{self.zone}.read", 0.05, 0.3) if fault == "slow" else self._hop())
        if fault == "unavailable":
            raise BusUnavailable(f"{stream}: no answer")
        self._require_connection(stream)

    async def _rest(self, consumer: Consumer, poked: asyncio.Event) -> None:
        due = consumer.next_due()
        try:
            async with asyncio.timeout(None if due is None else max(due - self.loop.time(), 0)):
                await poked.wait()
        except TimeoutError:
            return

    async def _settle(self, consumer: Consumer, stored: Stored, on_message: OnMessage) -> None:
        received = _received(stored, consumer.deliveries[stored.sequence])
        now = self.loop.time
        if self.flaw is Flaw.ACKS_FIRST and self.zone is Zone.EXECUTOR:
            consumer.ack(stored.sequence, now())
            await asyncio.sleep(self._hop())
        try:
            tracing.adopt(received.headers)
            await on_message(received)
        except Malformed:
            consumer.ack(stored.sequence, now())
            return
        except Unavailable:
            consumer.again(stored.sequence, now() + _NAK)
            return
        if self.is_connected and self.fate.strike(f"{self.zone}.ack", _ACK_ODDS) is None:
            consumer.ack(stored.sequence, now())

    async def _serve(self, line: "asyncio.Queue[Stored]", on_message: OnMessage) -> None:
        while True:
            stored = await line.get()
            tracing.adopt(stored.headers)
            await on_message(_received(stored, 1))

    def _hear(self, stored: Stored) -> None:
        """Take a message from the server, if the connection is up and somebody here listens."""
        if not self.is_connected:
            return
        for pattern, line in self._lines:
            if matches(pattern, stored.subject):
                self.loop.later(self._hop_of(pattern), line.put_nowait, stored)

    def _hop_of(self, _pattern: str) -> float:
        """Take the same time for every message of a connection: NATS keeps the order of a subscription."""
        return _HOP[0]

    def _hop(self) -> float:
        return self.fate.seconds(f"{self.zone}.hop", *_HOP)

    def _reconnect(self) -> None:
        self.is_connected = True
        self.reconnects += 1
        self._online.set()

    def _gone(self) -> None:
        self.is_connected = False
        self.server.listeners.remove(self._hear)

    def _require_connection(self, what: str) -> None:
        if not self.is_connected:
            raise BusUnavailable(f"{what}: disconnected")


@dataclass(slots=True)
class _Sent:
    """A message on its way to a stream; it arrives whatever becomes of its sender."""

    bus: StormBus
    subject: str
    payload: bytes
    headers: Mapping[str, str]
    message_id: str
    expected: int | None
    answer: asyncio.Future[int] = field(init=False)

    def __post_init__(self) -> None:
        """Wait for the answer in the sender's process."""
        self.answer = self.bus.loop.create_future()

    def arrive(self, is_answered: bool) -> None:  # noqa: FBT001 - an argument of a callback
        """Reach the server, which stores the same id once."""
        outcome: int | FencedOff
        try:
            outcome = self.bus.server.store(self.subject, self.payload, self.headers, self.message_id, self.expected)
        except FencedOff as error:
            outcome = error
        if is_answered:
            self.bus.loop.later(_HOP[0], self.come_back, outcome)

    def come_back(self, outcome: int | FencedOff) -> None:
        """Give the answer; while the connection is down the client asks again, and gets the same."""
        if self.answer.done():
            return
        if not self.bus.is_connected:
            self.bus.loop.later(_CLIENT_RETRIES, self.come_back, outcome)
        elif isinstance(outcome, FencedOff):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


def _received(stored: Stored, deliveries: int) -> Received:
    sequence = stored.sequence or None
    return Received(stored.subject, stored.payload, stored.headers, sequence, stored.at, deliveries)
