"""A whole system for measuring: the demo with a loose policy, one strategy with a timetable and short candles."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import yaml
from gpt_trader_bench import PRODUCTS
from harness import RunningSystem, system

from gpt_trader.console.stack.policies import shipped_policy

HERE = Path(__file__).parent
BENCH_STRATEGY = HERE / "bench_strategy"
RATE = 2
"""Trading seconds per second: candles of one second close twice a second."""
SIGNAL_TTL = 0.8
CANDLE_GRACE = 0.01


@contextmanager
def benched(folder: Path, *, ticks_per_second: int, stride: int) -> Iterator[RunningSystem]:
    """Run it; each product asks for an entry every `stride` candles and leaves as soon as it holds something."""
    options = {
        "--rate": RATE,
        "--ticks-per-second": ticks_per_second,
        "--products": ",".join(PRODUCTS),
        "--intervals": "1s",
        "--strategies": "bench",
        "--policy": policy(folder),
    }
    with system(folder, *(str(word) for option in options.items() for word in option)) as running:
        _retune(running, stride)
        yield running


@contextmanager
def idle(folder: Path) -> Iterator[RunningSystem]:
    """Run the same processes with next to nothing to do."""
    options = ("--rate", "1", "--ticks-per-second", "1", "--intervals", "1m", "--policy", str(policy(folder)))
    with system(folder, *options) as running:
        yield running


def policy(folder: Path) -> Path:
    """Write the shipped demo policy with the bench's changes."""
    document: dict[str, Any] = yaml.safe_load(shipped_policy("demo").read_text())
    for section, changes in yaml.safe_load((HERE / "policy.yaml").read_text()).items():
        document[section] |= changes
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def _retune(running: RunningSystem, stride: int) -> None:
    """Shorten what `up` has no option for, the way an operator would: edit the profile, restart the service."""
    path = running.run_dir / "app.yaml"
    profile = yaml.safe_load(path.read_text())
    profile["strategy"]["signal_ttl"] = SIGNAL_TTL
    profile["strategy"]["strategies"][0]["parameters"] = {"stride": stride}
    profile["market-data"]["candle_grace"] = CANDLE_GRACE
    path.write_text(yaml.safe_dump(profile))
    for service in ("market-data", "strategy"):
        before = running.pid_of(service)
        os.kill(before, signal.SIGTERM)
        running.until(f"{service} is back", lambda name=service, old=before: _is_back(running, name, old))


def _is_back(running: RunningSystem, service: str, before: int) -> bool:
    try:
        return running.pid_of(service) != before and is_ready(running, service)
    except AssertionError:
        return False


def is_ready(running: RunningSystem, service: str) -> bool:
    """Ask a service."""
    try:
        with urllib.request.urlopen(f"{health_of(running, service)}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def health_of(running: RunningSystem, service: str) -> str:
    """Address of a service's health server."""
    found = next(process.health for process in running.manifest.processes if process.name == service)
    assert found is not None
    return found


def metric(running: RunningSystem, service: str, name: str) -> float:
    """Sum a metric over its labels."""
    with urllib.request.urlopen(f"{health_of(running, service)}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    values = (line.rpartition(" ")[2] for line in lines if line.partition("{")[0].partition(" ")[0] == name)
    return sum(float(value) for value in values)


def wait_for_orders(running: RunningSystem, seconds: float = 60) -> None:
    """Wait until the venue has seen orders, so that what is measured is a running market."""
    running.until("an order reached the venue", lambda: bool(running.books()["orders"]), seconds=seconds)


def sleep(seconds: float, what: str) -> None:
    """Let the system run and say so."""
    began = time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        print(f"    {what}: {left:.0f} s left", flush=True)
        time.sleep(min(left, 15))


@contextmanager
def strategy_installed() -> Iterator[None]:
    """Register the bench's strategy in this environment for as long as it is needed."""
    is_there = any(point.name == "bench" for point in entry_points(group="gpt_trader.strategies"))
    uv = [str(Path(sys.executable).parent / "uv"), "pip"]
    python = ["--quiet", "--python", sys.executable]
    if not is_there:
        words = [*uv, "install", *python, "--no-deps", "--no-build-isolation", "-e", str(BENCH_STRATEGY)]
        subprocess.run(words, check=True)
    try:
        yield
    finally:
        if not is_there:
            subprocess.run([*uv, "uninstall", *python, "gpt-trader-bench-strategy"], check=True)
