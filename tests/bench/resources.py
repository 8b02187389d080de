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


def _pid(running: RunningSystem, name: str) -> int:
    if name in {*TRADING, "learning"}:
        return running.pid_of(name)
    return next(process.pid for process in running.manifest.processes if process.name == name)


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
