"""The user channel as the gate relays it: frames wake us up; a gap, silence or a new connection makes us reconcile."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from gpt_trader.contracts.ids import VenueOrderId
from gpt_trader.executor.adapters import parse
from gpt_trader.runtime import logs

log = logs.get("executor")

_OPEN_SECONDS = 5.0
_SILENCE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 30.0
_LARGEST_FRAME = 32 * 1024 * 1024
OnConnected = Callable[[], None]
OnOrder = Callable[[str, VenueOrderId], None]


@dataclass(slots=True, kw_only=True)
class CoinbaseUserChannel:
    """Reconnects for ever with growing pauses; the venue's heartbeats tell a quiet line from a dead one."""

    egress: str
    ca_file: Path
    rng: Random
    _failures: int = field(default=0)

    async def serve(self, on_connected: OnConnected, on_order: OnOrder) -> None:
        """Read until cancelled."""
        trust = ssl.create_default_context(cafile=str(self.ca_file))
        while True:
            try:
                async with connect(
                    f"wss://{self.egress}/ws/user",
                    ssl=trust,
                    open_timeout=_OPEN_SECONDS,
                    close_timeout=1,
                    max_size=_LARGEST_FRAME,
                ) as socket:
                    on_connected()
                    await self._read(socket, on_connected, on_order)
            except (EOFError, OSError, TimeoutError, InvalidHandshake, WebSocketException) as error:
                log.warning("user_channel_lost", reason=repr(error), failures=self._failures)
            await asyncio.sleep(self.rng.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.25 * 2.0**self._failures)))
            self._failures += 1

    async def _read(self, socket: ClientConnection, on_connected: OnConnected, on_order: OnOrder) -> None:
        last: int | None = None
        while True:
            async with asyncio.timeout(_SILENCE_SECONDS):
                text = await socket.recv()
            self._failures = 0
            try:
                frame = parse.frame(text)
            except ValueError as error:
                log.warning("user_frame_malformed", reason=str(error))
                on_connected()
                continue
            if frame.error:
                log.warning("user_channel_error", reason=frame.error)
            if last is not None and frame.sequence is not None and frame.sequence > last + 1:
                log.warning("user_channel_gap", last=last, got=frame.sequence)
                on_connected()
            last = last if frame.sequence is None else frame.sequence
            for client_order_id, venue_order_id in frame.orders:
                on_order(client_order_id, venue_order_id)
