"""Accept sockets on any path and obey subscribe and unsubscribe messages."""

import asyncio
from dataclasses import dataclass
from typing import Literal

from aiohttp import WSMessage, WSMsgType, web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, ValidationError

from gpt_trader.exchange_sim.adapters.faults import Faults
from gpt_trader.exchange_sim.adapters.jwt import JwtJudge
from gpt_trader.exchange_sim.adapters.keys import Scope
from gpt_trader.exchange_sim.adapters.rest.wire import encode
from gpt_trader.exchange_sim.adapters.ws.connection import Connection
from gpt_trader.exchange_sim.adapters.ws.hub import CHANNELS, PRIVATE_CHANNELS, Hub
from gpt_trader.exchange_sim.domain.faults.kinds import FaultKind
from gpt_trader.exchange_sim.ports import Floor, Stopwatch

FIRST_MESSAGE_SECONDS = 5.0
CLOSE_SECONDS = 1.0
MAX_INBOUND = 1 << 20
POLICY_VIOLATION = 1008


class Subscription(BaseModel):
    """A client's message; fields this venue does not know are ignored."""

    type: Literal["subscribe", "unsubscribe"]
    channel: str = ""
    product_ids: list[str] = []
    jwt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WsServer:
    """Serves both WebSocket roles."""

    floor: Floor
    hub: Hub
    judge: JwtJudge
    faults: Faults
    stopwatch: Stopwatch
    is_compressed: bool

    def middleware(self) -> Middleware:
        """Take every upgrade request, whatever its path."""

        @web.middleware
        async def upgrade(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._serve(request)
            return await handler(request)

        return upgrade

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS, compress=self.is_compressed, max_msg_size=MAX_INBOUND)
        await socket.prepare(request)
        connection = Connection(
            socket=socket,
            transport=request.transport,
            faults=self.faults,
            stopwatch=self.stopwatch,
            last_sent=self.stopwatch.elapsed(),
        )
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(connection.write())
            try:
                await self._read(connection)
            finally:
                if connection in self.hub.connections:
                    self.hub.connections.remove(connection)
                writer.cancel()
        return socket

    async def _read(self, connection: Connection) -> None:
        socket = connection.socket
        try:
            first = await socket.receive(timeout=FIRST_MESSAGE_SECONDS)
        except TimeoutError:
            await socket.close(code=POLICY_VIOLATION, message=b"no message within 5 seconds")
            return
        self.hub.connections.append(connection)
        if first.type is not WSMsgType.TEXT:
            return
        self._obey(connection, first)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self._obey(connection, message)

    def _obey(self, connection: Connection, message: WSMessage) -> None:
        try:
            wanted = Subscription.model_validate_json(message.data)
        except ValidationError:
            _error(connection, "failure to parse message")
            return
        if wanted.channel not in CHANNELS:
            _error(connection, f"unknown channel {wanted.channel!r}")
        elif self._is_refused(wanted) or not self._may(wanted):
            _error(connection, "authentication failure")
        elif wanted.type == "subscribe":
            self._subscribe(connection, wanted)
        else:
            self._unsubscribe(connection, wanted)

    def _is_refused(self, wanted: Subscription) -> bool:
        occasion = self.faults.board.occasion(f"{wanted.type} {wanted.channel}")
        return self.faults.strike(FaultKind.WS_REFUSE, occasion) is not None

    def _may(self, wanted: Subscription) -> bool:
        if wanted.jwt is None:
            return wanted.channel not in PRIVATE_CHANNELS or wanted.type == "unsubscribe"
        key = self.judge.key_for_feed(wanted.jwt)
        return key is not None and Scope.VIEW in key.scopes

    def _subscribe(self, connection: Connection, wanted: Subscription) -> None:
        products = connection.subscriptions.setdefault(wanted.channel, {})
        products |= dict.fromkeys(wanted.product_ids)
        now = self.floor.now()
        self.hub.snapshot(connection, wanted.channel, wanted.product_ids, now)
        self.hub.acknowledge(connection, now)

    def _unsubscribe(self, connection: Connection, wanted: Subscription) -> None:
        products = connection.subscriptions.get(wanted.channel, {})
        for product_id in wanted.product_ids:
            products.pop(product_id, None)
        if not wanted.product_ids or not products:
            connection.subscriptions.pop(wanted.channel, None)
        self.hub.acknowledge(connection, self.floor.now())


def _error(connection: Connection, text: str) -> None:
    connection.send_plain(encode({"type": "error", "message": text}))
