"""One client's socket: what it subscribed to, its sequence numbers and its queue."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from gpt_trader.exchange_sim.adapters.faults import Faults
from gpt_trader.exchange_sim.adapters.ws.messages import Frame
from gpt_trader.exchange_sim.domain.faults.board import Occasion
from gpt_trader.exchange_sim.domain.faults.kinds import FaultKind
from gpt_trader.exchange_sim.ports import Stopwatch

MAX_QUEUED = 20000
ABNORMAL = 1006


@dataclass(slots=True, kw_only=True, eq=False)
class Connection:
    """Frames leave in order; a client too slow to take them is cut off."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport | None
    faults: Faults
    stopwatch: Stopwatch
    last_sent: float
    subscriptions: dict[str, dict[str, None]] = field(default_factory=dict)
    opened: float = field(init=False)
    _queue: deque[bytes] = field(default_factory=deque)
    _delayed: list[bytes] = field(default_factory=list)
    _sequence: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.opened = self.last_sent

    def wants(self, channel: str, product_id: str) -> bool:
        """Whether the client subscribed to a product on a channel; no products means all, no product any."""
        products = self.subscriptions.get(channel)
        return products is not None and (not products or not product_id or product_id in products)

    def send(self, frame: Frame) -> None:
        """Queue a frame with the next sequence number, unless a fault has it otherwise."""
        occasion = self.faults.board.occasion(frame.target, frame.product, frame.side)
        if self.faults.holding(FaultKind.STALE_FEED, frame.target, frame.product):
            return
        if self.faults.strike(FaultKind.WS_LOSS, occasion):
            return
        message = frame.numbered(self._sequence)
        self._sequence += 1
        if self.faults.strike(FaultKind.WS_GAP, occasion):
            return
        if self.faults.strike(FaultKind.WS_REORDER, occasion):
            self._delayed.append(message)
            return
        self._push(message)
        if self.faults.strike(FaultKind.WS_DUPLICATE, occasion):
            self._push(message)
        while self._delayed:
            self._push(self._delayed.pop())

    def send_plain(self, message: bytes) -> None:
        """Queue a message outside the sequence: error frames."""
        self._push(message)

    def describe(self) -> str:
        """Name the subscriptions, for faults to match."""
        return " ".join(f"{channel}:{','.join(products)}" for channel, products in self.subscriptions.items())

    def cut_by(self, elapsed: float) -> int | None:
        """Return the close code of the fault that ends this connection now, if one does."""
        target = self.describe()
        dropped = self.faults.strike(FaultKind.WS_DROP, Occasion(target=target, ordinal=0))
        if dropped is not None:
            return dropped.value
        storm = self.faults.holding(FaultKind.WS_STORM, target)
        return ABNORMAL if storm is not None and elapsed - self.opened >= storm.value / 1000 else None

    async def cut(self, code: int) -> None:
        """End the connection; 1006 without a close frame."""
        if code == ABNORMAL and self.transport is not None:
            self.transport.abort()
        await self.socket.close(code=code if code != ABNORMAL else 1011, drain=False)

    async def write(self) -> None:
        """Send queued frames until the socket ends."""
        try:
            while not self.socket.closed:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self.socket.send_frame(self._queue.popleft(), WSMsgType.TEXT)
        except ConnectionError:
            return

    def _push(self, message: bytes) -> None:
        if len(self._queue) >= MAX_QUEUED:
            if self.transport is not None:
                self.transport.abort()
            return
        self._queue.append(message)
        self.last_sent = self.stopwatch.elapsed()
        self._wake.set()
