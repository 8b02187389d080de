"""Starts services without importing them anew each time: each is forked from a process that has imported it already.

What is forked runs the service's own `main()` in a process, session and log of its own, and ends as any process does;
only the second or two is spared in which an interpreter loads the same modules again. `gpt-trader up` and the tests of
tests/e2e start the same services from their command lines.
"""

import gc
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any


@dataclass(slots=True)
class Fork:
    """A forked service, with what subprocess.Popen says of a process."""

    nursery: "Nursery"
    pid: int
    code: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        if self.code is None:
            self.code = self.nursery.ask({"pid": self.pid})
        return self.code

    def wait(self, seconds: float) -> int:
        """Wait for its end and return its exit code."""
        deadline = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", seconds)
            time.sleep(0.005)
        return code


class Nursery:
    """The process from which one service is forked: this file's, or that of another command line."""

    def __init__(self, service: str, argv: Sequence[str] = (sys.executable, __file__)) -> None:
        argv = [*argv[:2], service, *argv[2:]]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._turn = Lock()

    def start(self, argv: list[str], log: Path) -> Fork:
        """Fork the service with these words on its command line."""
        return Fork(self, self.ask({"argv": argv, "log": str(log)}))

    def ask(self, question: dict[str, Any]) -> Any:
        """Put one question and return the answer; stands that are started side by side ask in turn."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            print(json.dumps(question), file=self._process.stdin, flush=True)
            return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it; what it forked goes on."""
        self._process.communicate()


@dataclass(slots=True)
class Nurseries:
    """One nursery per service, each opened when it is first needed."""

    opened: dict[str, Nursery] = field(default_factory=dict)
    _turn: Lock = field(default_factory=Lock)

    def of(self, service: str) -> Nursery:
        """Return the nursery of a service; it imports while the caller goes on."""
        with self._turn:
            if service not in self.opened:
                self.opened[service] = Nursery(service)
        return self.opened[service]

    def close(self) -> None:
        """End them all."""
        for nursery in self.opened.values():
            nursery.close()


def forked() -> list[str]:
    """Answer questions until nobody asks; in each fork, return the words of its command line."""
    for line in sys.stdin:
        question = json.loads(line)
        if "pid" in question:
            ended, status = os.waitpid(question["pid"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        else:
            answer = os.fork()
            if not answer:
                _settle(Path(question["log"]))
                return list(question["argv"])
        print(json.dumps(answer), flush=True)
    raise SystemExit


def _settle(log: Path) -> None:
    """Become a process on its own, as one that subprocess started."""
    os.setsid()
    with Path(os.devnull).open("rb") as nothing, log.open("ab") as sink:
        for mine, theirs in ((nothing, 0), (sink, 1), (sink, 2)):
            os.dup2(mine.fileno(), theirs)


def serve(module: str) -> None:
    """Be the nursery of a service, and in each fork the service itself."""
    service = importlib.import_module(f"{module}.__main__")
    gc.collect()
    gc.freeze()  # what is imported stays shared with the forks
    sys.argv[:] = [str(service.__file__), *forked()]
    service.main()


if __name__ == "__main__":
    serve(sys.argv[1])
