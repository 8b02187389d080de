"""The bus as services use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from nats.aio.msg import Msg

from gpt_trader.contracts.message import Message
from gpt_trader.contracts.subjects import ALERTS, REPUBLISHED, Durable, Zone, seen_by
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus import consumer, history, publishing
from gpt_trader.runtime.bus.consumer import MALFORMED
from gpt_trader.runtime.bus.errors import Malformed, Unavailable
from gpt_trader.runtime.bus.history import Reading
from gpt_trader.runtime.bus.link import Link, opened
from gpt_trader.runtime.bus.publishing import Publication
from gpt_trader.runtime.bus.queue import withdraw
from gpt_trader.runtime.bus.received import OnMessage, Received, from_core
from gpt_trader.runtime.bus.room import room

log = logs.get("bus")


class BusSettings(Protocol):
    """Where the bus is and which credential to use."""

    @property
    def nats_url(self) -> str:
        """Address of the server."""
        ...

    @property
    def nats_seed_file(self) -> Path | None:
        """File with the nkey seed."""
        ...


@dataclass(frozen=True, slots=True)
class Bus:
    """Publish, store, subscribe, consume and read back, with the rights of one zone."""

    _link: Link

    @staticmethod
    def connect(settings: BusSettings, *, zone: Zone) -> AbstractAsyncContextManager["Bus"]:
        """Open the bus that the settings name; raises BusUnavailable if nobody answers."""
        return connect(settings.nats_url, settings.nats_seed_file, zone)

    @property
    def is_connected(self) -> bool:
        """Whether the server can be reached right now."""
        return self._link.is_connected

    @property
    def reconnects(self) -> int:
        """How often the connection came back: what core subscriptions missed meanwhile is lost."""
        return self._link.reconnects

    async def watch(self) -> None:
        """Wait for ever; raises BusError when the bus is lost, a right was violated, or a subscriber raised."""
        await asyncio.shield(self._link.failure)  # a watcher that is cancelled must not cancel what others watch

    async def publish(self, subject: str, message: Message | bytes) -> None:
        """Send to whoever listens now, at most once; raises BusUnavailable while disconnected."""
        await self._link.send(subject, _payload(message), dict(tracing.carried()) or None)

    async def store(
        self, subject: str, message: Message | bytes, *, message_id: str, expect_last_sequence: int | None = None
    ) -> int:
        """Put a message on disk and return its stream sequence; the same id again is the same message.

        With `expect_last_sequence` it is stored only directly after that sequence of the whole stream. Raises
        BusUnavailable (nothing stored), PublishUnknown (maybe stored), FencedOff (somebody else wrote).
        """
        publication = Publication(
            subject=subject,
            payload=_payload(message),
            headers=dict(tracing.carried()),
            message_id=message_id,
            expected=expect_last_sequence,
        )
        return await publishing.store(self._link, publication)

    async def subscribe(self, pattern: str, on_message: OnMessage) -> None:
        """Hand over what is published from now on, one message after the other; returns once subscribed."""

        async def on_msg(message: Msg) -> None:
            received = from_core(message)
            try:
                with tracing.continued(received.headers, received.subject):
                    await on_message(received)
            except Malformed as error:
                MALFORMED.labels(pattern).inc()
                log.warning("message_malformed", subject=received.subject, reason=str(error))
            except Unavailable as error:
                log.warning("message_dropped", subject=received.subject, reason=str(error))

        await self._link.listen(_seen(self._link.zone, pattern), on_msg)

    async def consume(self, durable: Durable, on_message: OnMessage) -> None:
        """Deliver a durable's messages until cancelled: returning acknowledges, Malformed drops, Unavailable delays.

        A message of a shared durable is held for as long as `on_message` takes, and given back at once if cancelled.
        """
        await consumer.consume(self._link, durable, on_message)

    def history(
        self,
        stream: str,
        *,
        subject_filter: str = ">",
        start_sequence: int = 1,
        start_time: datetime | None = None,
        batch: int = 256,
    ) -> AsyncIterator[Received]:
        """Read what a stream holds, in order, to its present end; changes nothing on the server."""
        reading = Reading(
            stream=stream,
            subject_filter=subject_filter,
            start_sequence=start_sequence,
            start_time=start_time,
            batch=batch,
        )
        return history.read(self._link, reading)

    async def last(self, stream: str, subject: str) -> Received | None:
        """Return the newest stored message on a subject (`>` = of the stream), or None."""
        return await history.last(self._link, stream, subject)

    async def room(self, stream: str) -> int:
        """Return the bytes that a stream can still take; only the gate may ask, of what drops nothing."""
        return await room(self._link, stream)

    async def withdraw(self, stream: str, pattern: str) -> int:
        """Take back what waits in a queue on these subjects, and return how many; only the operator may."""
        return await withdraw(self._link, stream, pattern)


@asynccontextmanager
async def connect(url: str, seed_file: Path | None, zone: Zone) -> AsyncIterator[Bus]:
    """Open the bus with a credential; it reconnects for ever and ends with what was published sent."""
    async with opened(url, seed_file, zone) as link:
        yield Bus(link)


def _payload(message: Message | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.encode()


def _seen(zone: Zone, pattern: str) -> str:
    if not pattern.startswith(ALERTS[:-1]):
        return seen_by(zone, pattern)
    return pattern if zone is Zone.GATE else REPUBLISHED + pattern
