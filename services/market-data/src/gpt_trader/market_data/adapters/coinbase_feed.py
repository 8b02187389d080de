"""Coinbase's WebSocket over websockets, TLS verified, one channel per subscribe message."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from gpt_trader.market_data.adapters import parse
from gpt_trader.market_data.domain.events import VenueEvent
from gpt_trader.market_data.ports import Channel, Envelope, FeedLost

_FOR_ALL_PRODUCTS = frozenset({Channel.HEARTBEATS})
_MOST_FRAME_BYTES = 64 * 1024 * 1024
_QUEUED_FRAMES = 1024
_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinbaseFeed:
    """Opens connections; `pause` between our messages keeps us under the venue's limit of 8 per second."""

    url: str
    tls: ssl.SSLContext | None
    timeout: timedelta
    pause: timedelta = timedelta(milliseconds=130)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["CoinbaseLine"]:
        """Open a connection; the caller must subscribe within 5 s or the venue closes it."""
        seconds = self.timeout.total_seconds()
        try:
            socket = await connect(
                self.url,
                ssl=self.tls,
                open_timeout=seconds,
                close_timeout=_CLOSE_SECONDS,
                ping_interval=10,
                ping_timeout=10,
                max_size=_MOST_FRAME_BYTES,
                max_queue=_QUEUED_FRAMES,
            )
        except (OSError, WebSocketException, TimeoutError) as error:
            raise FeedLost(f"cannot connect: {error}") from error
        async with socket:
            yield CoinbaseLine(socket=socket, pause=self.pause)

    def envelope(self, raw: str | bytes) -> Envelope:
        """Read the outside of a message."""
        return parse.envelope(raw)

    def events(self, envelope: Envelope) -> tuple[VenueEvent, ...]:
        """Read its inside."""
        return parse.events(envelope)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinbaseLine:
    """One open connection."""

    socket: ClientConnection
    pause: timedelta

    async def subscribe(self, channel: Channel, products: Sequence[str]) -> None:
        """Ask for a channel."""
        await self._send("subscribe", channel, products)

    async def unsubscribe(self, channel: Channel, products: Sequence[str]) -> None:
        """Stop a channel."""
        await self._send("unsubscribe", channel, products)

    async def frames(self) -> AsyncIterator[str | bytes]:
        """Yield raw messages until the connection ends; a polite close is a loss too."""
        try:
            while True:
                yield await self.socket.recv(decode=False)
        except (WebSocketException, OSError) as error:
            raise FeedLost(f"connection ended: {error}") from error

    async def _send(self, kind: str, channel: Channel, products: Sequence[str]) -> None:
        message: dict[str, object] = {"type": kind, "channel": channel}
        if channel not in _FOR_ALL_PRODUCTS:
            message["product_ids"] = list(products)
        try:
            await self.socket.send(orjson.dumps(message).decode())
        except (WebSocketException, OSError) as error:
            raise FeedLost(f"cannot send: {error}") from error
        await asyncio.sleep(self.pause.total_seconds())
