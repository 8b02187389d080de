"""The processes of a stand: real binaries and real services, started, stopped, killed and paused by name."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import yaml
from nursery import Fork, Nurseries

from gpt_trader.console.stack.configuration import Exchange, profile_of, write_profile
from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.console.stack.local import exchange_options
from gpt_trader.console.stack.plan import Mode, Plan, Ports, RealVenue, choose_ports
from gpt_trader.console.stack.secrets import make_secrets
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.clock import ClockSettings
from gpt_trader.runtime.infrastructure.provision import provision
from gpt_trader.runtime.infrastructure.servers import last_words, nats_argv, valkey_argv

GATE = "risk-gate"
PLAIN = (sys.executable, "-m")
"""How the command line of a service begins, unless a test puts something before it."""
SERVICES = ("market-data", "executor", GATE)
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""Market time at the start of every stand: a Monday morning."""


PATIENCE = 60.0
"""How long to wait, in seconds, for what has only to become true: a wait that ends well costs nothing."""
CORES = len(os.sched_getaffinity(0))


def until(holds: Callable[[], Any], what: str | Callable[[], str], seconds: float = PATIENCE) -> Any:
    """Wait for something outside to become true, and return what it returned; `what` may be found out at the end."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what if isinstance(what, str) else what()}"
        time.sleep(0.01)
    return found


def promptly(holds: Callable[[], Any], what: str | Callable[[], str], seconds: float) -> Any:
    """Wait for what is promised within so many seconds of a machine on which nobody waits for a core.

    Where more want to run than there are cores, time counts as slowly as each gets its turn: 5 s are 5 s on a quiet
    machine, and 20 s where eight share two cores.
    """
    left, looked = seconds, time.monotonic()
    while not (found := holds()):
        assert left > 0, f"waited {seconds:g} s for {what if isinstance(what, str) else what()}"
        time.sleep(0.01)
        passed, looked = time.monotonic() - looked, time.monotonic()
        left -= passed * _turns()
    return found


def _turns() -> float:
    """Return the share of a core that a process gets now."""
    running = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    return min(1.0, CORES / max(1, running))


def module_of(service: str) -> str:
    return f"gpt_trader.{service.replace('-', '_')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a stand is made of. `settings` are keys of app.yaml by service, `exchange` options of exchange-sim.

    `before` are words before a process's command line, such as `env NAME=value`. With a `venue` the stand follows the
    prices of that one, in its mode. Real time is what every mode but the demo has.
    """

    tiers: Mapping[str, str]
    futures: tuple[str, ...] = ()
    balances: Mapping[str, str] = field(default_factory=lambda: {"USD": "100000"})
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    exchange: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mode: Mode = Mode.DEMO
    venue: RealVenue | None = None
    is_real_time: bool = False
    ticks_per_second: int = 10
    intervals: tuple[str, ...] = ("1m", "5m")
    ready_seconds: float = 60.0


@dataclass(slots=True)
class Child:
    """One process; its output goes to its log."""

    name: str
    argv: list[str]
    log: Path
    nurseries: Nurseries | None = None
    process: subprocess.Popen[bytes] | Fork | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it; a service on a plain command line comes from its nursery, where there is one."""
        if self.nurseries is not None and tuple(self.argv[:2]) == PLAIN:
            self.process = self.nurseries.of(self.argv[2]).start(self.argv[3:], self.log)
            return
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
            )

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for its end and return its exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> None:
        if not self.is_alive:
            return
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self.ended(10)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self.ended()


@dataclass(slots=True)
class RealSystem:
    """nats-server, valkey, exchange-sim, market-data, executor and risk-gate in one folder."""

    root: Path
    terms: Terms
    policy_file: Path
    nurseries: Nurseries | None = None
    ports: Ports = field(default_factory=lambda: choose_ports(None))
    children: dict[str, Child] = field(default_factory=dict)
    admin: str = ""
    clock: ClockSettings = field(default_factory=ClockSettings)

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.root)

    @property
    def nats_url(self) -> str:
        return f"nats://127.0.0.1:{self.ports.nats}"

    def start(self) -> None:
        """Bring everything up; each service is ready when this returns."""
        self.folder.begin()
        if self.nurseries is not None:
            for name in ("exchange-sim", *SERVICES):
                self.nurseries.of(module_of(name))  # they import while the bus is set up
        origin = datetime.now(UTC)
        self.clock = (
            ClockSettings() if self.terms.is_real_time else ClockSettings(clock_origin=origin, clock_start=START)
        )
        secrets = make_secrets(self.folder, origin)
        self._add("nats", nats_argv(secrets.write_nats(self.folder.of("nats"), self.ports)))
        self._add("redis", valkey_argv(secrets.write_redis(self.folder.of("redis"), self.ports)))
        for name in ("nats", "redis"):
            self.children[name].start()
        if self.terms.mode is Mode.DEMO:
            self._start_exchange()
        self.wait_for_port("nats", self.ports.nats)
        asyncio.run(provision(self.nats_url, secrets.provisioner_seed))
        self.wait_for_port("redis", self.ports.redis)
        if self.terms.mode is Mode.PAPER:
            self._start_exchange()
        self._configure(None if self.terms.mode is Mode.DRY_RUN else self._announced())
        for name in SERVICES:
            self._add(name, self.service_argv(name, self.folder.profile))
            self.children[name].start()
        for name in SERVICES:
            self.wait_until_ready(name)

    def stop(self) -> None:
        """End everything at once: nobody is left to whom an orderly end would matter."""
        running = [child for child in self.children.values() if child.is_alive]
        for child in running:
            child.send(signal.SIGKILL)
        for child in running:
            child.ended()

    @staticmethod
    def service_argv(name: str, profile: Path) -> list[str]:
        return [*PLAIN, module_of(name), "--profile", str(profile)]

    def profile_with(self, name: str, changes: Mapping[str, Any]) -> Path:
        """Write another profile in which one service is told something else."""
        profile = yaml.safe_load(self.folder.profile.read_text())
        profile[name] |= dict(changes)
        path = self.root / f"app-{name}-changed.yaml"
        write_profile(path, profile)
        return path

    def seed(self, zone: Zone) -> Path:
        return self.folder.seed(zone)

    def is_ready(self, name: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports.health[name]}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def wait_until_ready(self, name: str) -> None:
        child, seconds = self.children[name], self.terms.ready_seconds

        def is_up() -> bool:
            assert child.is_alive, f"{name} ended: {last_words(child.log)}"
            return self.is_ready(name)

        until(is_up, lambda: f"{name} to be ready: {last_words(child.log)}", seconds)

    def wait_for_port(self, name: str, port: int) -> None:
        def answers() -> bool:
            assert self.children[name].is_alive, f"{name} ended: {last_words(self.children[name].log)}"
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                return False
            return True

        until(answers, f"{name} on port {port}")

    def ask_exchange(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call exchange-sim's admin listener: GET without a body, POST with one."""
        content = None if body is None else orjson.dumps(dict(body), default=str)
        request = urllib.request.Request(f"{self.admin}{path}", content, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return orjson.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"exchange-sim refused {path}: {error.read().decode()}") from error

    def _add(self, name: str, argv: list[str]) -> None:
        words = [*self.terms.before.get(name, ()), *argv]
        self.children[name] = Child(name, words, self.folder.log(name), self.nurseries)

    def _start_exchange(self) -> None:
        self._add("exchange-sim", self._exchange_argv())
        self.children["exchange-sim"].start()

    def _plan(self) -> Plan:
        return Plan(
            run_dir=self.root,
            products=tuple(self.terms.tiers),
            intervals=self.terms.intervals,
            strategies=(),
            rate=Decimal(1),
            start=START,
            seed=7,
            policy=self.policy_file,
            replay=(),
            ticks_per_second=self.terms.ticks_per_second,
            records=False,
            mode=self.terms.mode,
            venue=self.terms.venue,
        )

    def _exchange_argv(self) -> list[str]:
        options: dict[str, Any] = {
            "--balances": ",".join(f"{currency}={amount}" for currency, amount in self.terms.balances.items()),
            "--private-limit": 1000,
            "--public-limit": 1000,
        }
        spot = tuple(product for product in self.terms.tiers if product not in self.terms.futures)
        options |= {"--products": ",".join(spot)}
        if self.terms.futures:
            options |= {"--futures": ",".join(self.terms.futures)}
        options |= self.terms.exchange
        given = [str(word) for option in options.items() for word in option]
        state = self.folder.of("exchange-sim")
        shared = exchange_options(self._plan(), self.ports, state, self.clock)
        return [*PLAIN, "gpt_trader.exchange_sim", *shared, *given]

    def _announced(self) -> Exchange:
        child = self.children["exchange-sim"]

        def announcement() -> bytes | None:
            assert child.is_alive, f"exchange-sim ended: {last_words(child.log)}"
            lines = child.log.read_bytes().splitlines() if child.log.exists() else []  # the child opens it
            return next((line for line in lines if line.startswith(b'{"rest"')), None)

        exchange = Exchange.model_validate_json(until(announcement, "exchange-sim's announcement"))
        self.admin = exchange.admin
        return exchange

    def _configure(self, exchange: Exchange | None) -> None:
        profile = profile_of(self._plan(), self.ports, self.folder, exchange, self.clock)
        (self.root / "universe.yaml").write_text(yaml.safe_dump({"products": dict(self.terms.tiers)}))
        profile[GATE] |= {"reconcile_seconds": 1, "publish_seconds": 0.1}
        profile[GATE] |= {"venue_hour_requests": 1_000_000}  # a look each second is many times what an hour grants
        profile[GATE] |= {
            "slow_write_seconds": 30,
            "store_answer_seconds": 5,
        }  # others may keep this machine's disk busy
        profile["executor"] |= {"visibility_seconds": 2}  # this venue lists at once what it took
        profile["market-data"] |= {
            "catalogue_every": "PT1S", "check_every": "PT0.2S", "book_every": "PT0.1S", "history_candles": 5,
        }  # fmt: skip
        for service, changes in self.terms.settings.items():
            profile[service] |= dict(changes)
        write_profile(self.folder.profile, profile)
