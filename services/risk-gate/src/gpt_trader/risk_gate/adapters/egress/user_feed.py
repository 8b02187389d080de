"""Serve the relayed user channel over a WebSocket: raw frames out, nothing in."""

import asyncio

from aiohttp import web

from gpt_trader.risk_gate.adapters.relay import Ending, Relay, Watcher

MOST_WATCHERS = 8
_SEND_SECONDS = 5.0
_PING_SECONDS = 10.0
_LARGEST_INBOUND = 4096


async def serve_feed(request: web.BaseRequest, relay: Relay) -> web.WebSocketResponse:
    """Relay frames until the upstream restarts, the client goes, or it is too slow."""
    socket = web.WebSocketResponse(heartbeat=_PING_SECONDS, max_msg_size=_LARGEST_INBOUND, compress=False)
    with relay.watching() as watcher:
        await socket.prepare(request)
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(_until_closed(socket, watcher))
            ending = await _write(socket, watcher)
            if ending is Ending.TOO_SLOW and request.transport is not None:
                request.transport.abort()
            await socket.close(code=ending, drain=False)
            reader.cancel()
    return socket


async def _write(socket: web.WebSocketResponse, watcher: Watcher) -> Ending:
    while True:
        frame = await watcher.next()
        if isinstance(frame, Ending):
            return frame
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await socket.send_str(frame)
        except TimeoutError:
            return Ending.TOO_SLOW
        except ConnectionError:
            return Ending.GOING_AWAY


async def _until_closed(socket: web.WebSocketResponse, watcher: Watcher) -> None:
    """Read and ignore: reading is how a close or a lost connection is noticed."""
    async for _ in socket:
        pass
    watcher.end(Ending.GOING_AWAY)
