"""One child process: started, watched, restarted after a crash, stopped for good."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpt_trader.runtime.infrastructure.servers import last_words
from gpt_trader.runtime.settings import REFUSED

_RESTART_DELAYS = (0.2, 0.5, 1.0, 2.0, 5.0)
_STABLE_AFTER = 30.0


class ProcessFailed(Exception):
    """A process ended when it should run; the message says which, how and where its log is."""


@dataclass(slots=True, kw_only=True)
class Process:
    """A supervised child in its own session, so that the terminal's Ctrl-C reaches only the supervisor."""

    name: str
    argv: Sequence[str]
    log: Path
    restarts: int = 0
    _child: asyncio.subprocess.Process | None = field(default=None, repr=False)
    _stopping: bool = False

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        child = self._child
        return child.pid if child is not None and child.returncode is None else None

    async def start(self) -> None:
        """Start the child; its output goes to the log, its environment holds nothing of ours."""
        self._stopping = False
        with self.log.open("ab") as sink:
            self._child = await asyncio.create_subprocess_exec(
                *self.argv, stdin=asyncio.subprocess.DEVNULL, stdout=sink, stderr=sink, env=_environment(),
                start_new_session=True,
            )  # fmt: skip

    async def supervise(self) -> None:
        """Restart the child whenever it dies, with growing pauses; a settings error (exit 2) is final."""
        failures = 0
        while not self._stopping and self._child is not None:
            started = asyncio.get_running_loop().time()
            code = await self._child.wait()
            if self._is_stopping():
                return
            if code == REFUSED:
                raise ProcessFailed(f"{self.name} refused to start: {self.last_words()} (log: {self.log})")
            stable = asyncio.get_running_loop().time() - started > _STABLE_AFTER
            failures = 0 if stable else failures + 1
            await asyncio.sleep(_RESTART_DELAYS[min(failures, len(_RESTART_DELAYS) - 1)])
            if not self._is_stopping():
                self.restarts += 1
                await self.start()

    async def stop(self, seconds: float = 10.0) -> None:
        """Ask the child to end, then insist."""
        self._stopping = True
        child = self._child
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            await asyncio.wait_for(child.wait(), seconds)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()

    def _is_stopping(self) -> bool:
        return self._stopping

    def last_words(self) -> str:
        """Return the last lines of the log, for an error message."""
        return last_words(self.log)


def _environment() -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
    return {name: os.environ[name] for name in kept if name in os.environ}  # noqa: TID251 - children get a minimal environment, not ours


def is_alive(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
