"""Open ports and say where they are."""

import asyncio
import ssl
from contextlib import AsyncExitStack

from aiohttp import web

from gpt_trader.exchange_sim.ports import CannotStart

SHUTDOWN_SECONDS = 1.0


async def serving(stack: AsyncExitStack, app: web.Application) -> web.Server:
    """Start an application that any number of ports can serve, until the stack closes."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    if runner.server is None:
        raise CannotStart("the HTTP runner has no server")
    return runner.server


async def listen(stack: AsyncExitStack, server: web.Server, host: str, port: int, tls: ssl.SSLContext | None) -> str:
    """Open a port; the answer is host:port."""
    loop = asyncio.get_running_loop()
    try:
        listener = await loop.create_server(server, host, port, ssl=tls)
    except OSError as error:
        raise CannotStart(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    stack.callback(listener.close)
    return f"{host}:{listener.sockets[0].getsockname()[1]}"
