"""The gate's own user channel: its drop copy, and the source of what is relayed to the executor."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import orjson
import prometheus_client
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from gpt_trader.risk_gate.adapters import parse
from gpt_trader.risk_gate.adapters.jwt import Tokens
from gpt_trader.risk_gate.adapters.parse import Json, NotUnderstood
from gpt_trader.risk_gate.adapters.relay import Ending, Relay
from gpt_trader.risk_gate.domain.venue import VenueOrder
from gpt_trader.runtime import lifecycle, logs
from gpt_trader.runtime.clock import Clock

LARGEST_FRAME = 32 * 1024 * 1024
_OPEN_SECONDS = 10.0
_CLOSE_SECONDS = 1.0
"""Short, for the next connection is made only after it."""
_MOST_DOUBLINGS = 10
_CHANNELS = ("heartbeats", "user")
_BREAKS = prometheus_client.Counter("risk_gate_user_channel_breaks", "times the user channel had to be opened anew")

_OPEN = prometheus_client.Gauge("risk_gate_user_channel_open", "1 while the venue tells us of orders as they change")

log = logs.get("risk-gate")


class FeedBroken(Exception):
    """The channel can't be trusted any longer: frames are missing, or the venue refused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTerms:
    """Where the channel is, how long it may be silent, and how patiently it is opened again."""

    url: str
    tls: ssl.SSLContext
    silent_at_most: timedelta = timedelta(seconds=5)
    first_pause: timedelta = timedelta(seconds=2)
    longest_pause: timedelta = timedelta(seconds=60)


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far one connection has come; numbers count over all its channels."""

    heartbeat_at: float
    _last: int | None = field(default=None, init=False)

    def is_next(self, number: int) -> bool:
        """Whether the frame is new; False for a repeated one. Raises FeedBroken when frames are missing."""
        if self._last is not None and number > self._last + 1:
            raise FeedBroken(f"sequence_num {number} after {self._last}: frames are missing")
        if self._last is not None and number <= self._last:
            return False
        self._last = number
        return True


@dataclass(slots=True, kw_only=True)
class UserChannel:
    """Implements DropCopy; whoever iterates `observations` also drives the relay."""

    terms: FeedTerms
    tokens: Tokens
    relay: Relay
    clock: Clock
    jitter: Random
    _failures: int = field(default=0, init=False)

    async def observations(self) -> AsyncGenerator[VenueOrder, None]:
        """Yield order states as they come, over reconnects, until cancelled; close it (`aclosing`) to hang up."""
        while True:
            lifecycle.heed_cancel()
            try:
                async with connect(
                    self.terms.url,
                    ssl=self.terms.tls,
                    max_size=LARGEST_FRAME,
                    open_timeout=_OPEN_SECONDS,
                    close_timeout=_CLOSE_SECONDS,
                ) as socket:
                    try:
                        await self._subscribe(socket)
                        progress = Progress(heartbeat_at=asyncio.get_running_loop().time())
                        while True:
                            for order in await self._next(socket, progress):
                                yield order
                    finally:
                        self._shut()  # at once: to close a connection whose other end is frozen takes a while
            except (WebSocketException, OSError, TimeoutError, FeedBroken, NotUnderstood) as error:
                log.warning("user_channel_broken", reason=f"{type(error).__name__}: {error}")
            _BREAKS.inc()
            await asyncio.sleep(self._pause())

    def _shut(self) -> None:
        _OPEN.set(0)
        self.relay.close(Ending.UPSTREAM_RESTARTED)

    async def _subscribe(self, socket: ClientConnection) -> None:
        for channel in _CHANNELS:
            request = {"type": "subscribe", "channel": channel, "product_ids": [], "jwt": self.tokens.for_feed()}
            await socket.send(orjson.dumps(request).decode())

    async def _next(self, socket: ClientConnection, progress: Progress) -> Iterable[VenueOrder]:
        """Take one frame; raises TimeoutError once the last heartbeat is too old."""
        async with asyncio.timeout_at(progress.heartbeat_at + self.terms.silent_at_most.total_seconds()):
            frame = await socket.recv()
        message = parse.document(frame)  # a binary frame that is no UTF-8 is no JSON either
        if message.get("type") == "error":
            raise FeedBroken(f"the venue says: {parse.text(message, 'message')}")
        if not progress.is_next(parse.whole_number(message, "sequence_num")):
            return ()
        self.relay.publish(frame if isinstance(frame, str) else frame.decode())
        match parse.text(message, "channel"):
            case "heartbeats":
                progress.heartbeat_at = asyncio.get_running_loop().time()
            case "subscriptions":
                self._acknowledged(message)
            case "user":
                return tuple(parse.feed_orders(message, self.clock.now()))
            case _:
                pass  # channels we did not ask for carry no orders
        return ()

    def _acknowledged(self, message: Json) -> None:
        """Open the relay once the venue confirmed the user subscription; only that proves the token was good."""
        subscriptions = [parse.as_object(event, "subscriptions") for event in parse.objects(message, "events")]
        if any("user" in named for named in subscriptions):
            self._failures = 0
            self.relay.is_open = True
            _OPEN.set(1)
            log.info("user_channel_open")

    def _pause(self) -> float:
        pause = min(self.terms.longest_pause, self.terms.first_pause * (1 << min(self._failures, _MOST_DOUBLINGS)))
        self._failures += 1
        return pause.total_seconds() * self.jitter.uniform(0.75, 1.25)
