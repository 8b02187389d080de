"""A whole running system: `gpt-trader up`, watched from outside through its bus and the venue's books."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson

from gpt_trader.console.connection import Manifest
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.bus import Bus, connect

T = TypeVar("T")
M = TypeVar("M", bound=Message)
TRADER = Path(sys.executable).parent / "gpt-trader"
START_WITHIN = 120.0


@dataclass(slots=True)
class RunningSystem:
    """One `gpt-trader up` and what can be asked about it."""

    run_dir: Path
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def manifest(self) -> Manifest:
        return Manifest.model_validate_json((self.run_dir / "stack.json").read_bytes())

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + START_WITHIN
        while not (self.run_dir / "stack.json").exists():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.1)

    def trader(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [str(TRADER), *words, "--run-dir", str(self.run_dir)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    def trader_json(self, *words: str) -> Any:
        done = self.trader(*words, "--json")
        assert done.returncode == 0, done.stderr
        return orjson.loads(done.stdout)

    def books(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.manifest.exchange_admin}/books", timeout=10) as answer:
            return dict(orjson.loads(answer.read()))

    def exchange(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{self.manifest.exchange_admin}{path}", orjson.dumps(body), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return orjson.loads(answer.read())

    def pid_of(self, service: str) -> int:
        """Find the live process of a service: supervision gives it a new id after each crash."""
        found = self.find(service)
        assert found is not None, f"{service} does not run"
        return found

    def find(self, service: str) -> int | None:
        """Return the process of a service, or None between a crash and its restart."""
        wanted = f"gpt_trader.{service.replace('-', '_')}"
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    if wanted.encode() in words and str(self.run_dir / "app.yaml").encode() in words:
                        return int(entry.name)
        return None

    def kill_9(self, service: str) -> int:
        pid = self.pid_of(service)
        os.kill(pid, signal.SIGKILL)
        return pid

    def history(self, stream: str, model: type[M], subject: str = ">") -> list[M]:
        async def work(bus: Bus) -> list[M]:
            return [model.decode(received.payload) async for received in bus.history(stream, subject_filter=subject)]

        return self.as_zone(Zone.OPERATOR, work)

    def as_zone(self, zone: Zone, work: Callable[[Bus], Awaitable[T]]) -> T:
        manifest = self.manifest

        async def connected() -> T:
            async with connect(manifest.nats_url, self.run_dir / zone / f"{zone}.nk", zone) as bus:
                return await work(bus)

        return asyncio.run(connected())

    def until(self, what: str, is_so: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        looked = time.monotonic()
        while not is_so():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{self.output.read_text()[-3000:]}"
            time.sleep(max(0.25, time.monotonic() - looked))  # a look that starts a process must not fill the cores
            looked = time.monotonic()


@contextmanager
def system(folder: Path, *options: str) -> Iterator[RunningSystem]:
    """Run `gpt-trader up` in a folder of its own; asserts at the end that nothing is left running."""
    output = folder / "up.txt"
    run_dir = folder / "run"
    argv: Sequence[str] = [str(TRADER), "up", "--run-dir", str(run_dir), *options]
    with output.open("wb") as sink:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)
    running = RunningSystem(run_dir, process, output)
    try:
        running.wait_until_up()
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert not leftovers(run_dir), "processes were left running"


def leftovers(run_dir: Path) -> list[str]:
    """Name every process whose command line names the run's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if str(run_dir) in command:
                    found.append(command)
    return found
