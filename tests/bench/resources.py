"""(c) Memory and processor of each process over a while."""

import time
from dataclasses import dataclass

import psutil
from harness import RunningSystem

TRADING = ("market-data", "strategy", "risk-gate", "executor")
OTHERS = ("learning", "exchange-sim", "nats", "redis")
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Used:
    """Resident and unshared memory in MB at the end, processor in percent of one core meanwhile."""

    rss: float
    uss: float
    cpu: float


def used(running: RunningSystem, seconds: float) -> dict[str, Used]:
    """Watch every process of the stack; restarted services are found by their command line."""
    processes = {name: psutil.Process(_pid(running, name)) for name in (*TRADING, *OTHERS)}
    before = {name: _cpu_seconds(process) for name, process in processes.items()}
    began = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    found = {}
    for name, process in processes.items():
        memory = process.memory_full_info()
        cpu = (_cpu_seconds(process) - before[name]) / elapsed * 100
        found[name] = Used(round(memory.rss / _MB, 1), round(memory.uss / _MB, 1), round(cpu, 1))
    return found


@dataclass(slots=True)
class Neighbours:
    """What the rest of the machine takes meanwhile: with much of it, latencies say more about others than about us."""

    _busy: float = 0.0
    _own: float = 0.0
    _began: float = 0.0

    def begin(self) -> None:
        """Start counting."""
        self._busy, self._own, self._began = _machine_seconds(), _tree_seconds(), time.monotonic()

    def share(self) -> float:
        """Percent of one core that others used since then."""
        busy, own = _machine_seconds() - self._busy, _tree_seconds() - self._own
        return round(max(busy - own, 0.0) / (time.monotonic() - self._began) * 100, 1)


def _machine_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _tree_seconds() -> float:
    own = psutil.Process()
    return _cpu_seconds(own) + sum(_cpu_seconds(child) for child in own.children(recursive=True))


def _pid(running: RunningSystem, name: str) -> int:
    if name in {*TRADING, "learning"}:
        return running.pid_of(name)
    return next(process.pid for process in running.manifest.processes if process.name == name)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
