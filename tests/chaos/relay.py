"""A network that can be cut, slowed, deafened and torn between two processes: one TCP relay per link."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Weather(StrEnum):
    """What a link does to what it carries."""

    CLEAR = "clear"
    CUT = "cut"
    """Every connection is reset, and so is each new one."""
    LATE = "late"
    """Each piece arrives late."""
    DEAF = "deaf"
    """Connections stay open and take everything; nothing arrives at the other end (half-open)."""
    TORN = "torn"
    """Each connection carries so many bytes more, in the middle of whatever they are, and is then reset."""


@dataclass(slots=True)
class Relay:
    """One link: what connects to `port` is carried to `upstream`."""

    name: str
    upstream: int
    port: int = 0
    weather: Weather = Weather.CLEAR
    delay: float = 0.0
    torn_after: int = 0
    carried: int = 0
    broken: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Open the port."""
        self._server = await asyncio.start_server(self._on_connection, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Reset everything and take nothing more."""
        await self.turn(Weather.CUT)
        if self._server is not None:
            self._server.close()

    async def turn(self, weather: Weather, delay: float = 0.0, torn_after: int = 0) -> None:
        """Change the weather; a connection that lost bytes can't go on, so it is reset."""
        is_lossy = weather is Weather.CUT or self.weather is Weather.DEAF
        self.weather, self.delay, self.torn_after = weather, delay, torn_after
        if is_lossy:
            self._reset_all()

    def _reset_all(self) -> None:
        self.broken += len(self._open)
        for writer in self._open:
            writer.transport.abort()

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather is Weather.CUT:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._open |= ends
        try:
            with contextlib.suppress(OSError):
                await self._carry((reader, far_writer), (far_reader, writer))
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _carry(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Carry both ways until one of them ends."""
        left = {"bytes": -1}
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._way(reader, writer, left)) for reader, writer in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0.05)  # the last answer may still be on its way
            for task in tasks:
                task.cancel()

    async def _way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: dict[str, int]) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                if self.weather is Weather.LATE:
                    await asyncio.sleep(self.delay)
                if self.weather is Weather.DEAF:
                    continue
                if self.weather is Weather.TORN:
                    left["bytes"] = self.torn_after if left["bytes"] < 0 else left["bytes"]
                    piece, left["bytes"] = piece[: left["bytes"]], max(left["bytes"] - len(piece), 0)
                self.carried += len(piece)
                writer.write(piece)
                await writer.drain()
                if self.weather is Weather.TORN and not left["bytes"]:
                    self.broken += 1
                    return


class Network:
    """All links, on a thread of their own: the chaos may wait for a process while they carry."""

    def __init__(self) -> None:
        self.links: dict[str, Relay] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def link(self, name: str, upstream: int) -> str:
        """Open a link and return where it listens."""
        relay = Relay(name, upstream)
        self._run(relay.listen())
        self.links[name] = relay
        return f"127.0.0.1:{relay.port}"

    def turn(self, name: str, weather: Weather, delay: float = 0.0, torn_after: int = 0) -> None:
        """Change the weather of a link."""
        self._run(self.links[name].turn(weather, delay, torn_after))

    def close(self) -> None:
        """End every connection."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        for relay in self.links.values():
            await relay.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=5)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)
