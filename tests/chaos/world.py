"""The system under chaos: a scenario's stand whose processes meet through links, with disks that fill and slow down."""

import shutil
import signal as signals
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from disks import SlowDisk, SmallDisk
from nursery import Nurseries
from relay import Network
from stand import BTC, DOGE, ETH, LTC, SOL, Stand, Terms, close_stand, open_stand
from system import GATE

from gpt_trader.console.stack.plan import Ports, choose_ports
from gpt_trader.contracts.account import TradingState, TradingStatus
from gpt_trader.runtime.infrastructure.servers import last_words

EXECUTOR, MARKET_DATA = "executor", "market-data"
OURS = (GATE, EXECUTOR, MARKET_DATA)
EVERYONE = (*OURS, "nats", "redis", "exchange-sim")
PRODUCTS = {BTC: "T1", ETH: "T1", SOL: "T2", DOGE: "T3", LTC: "T2"}
LIMITS = {
    "limits": {
        "max_order_notional": 10000, "max_position_notional": 25000, "daily_loss_fraction": 1,
        "daily_loss_notional": 10**9, "notional_per_minute": 10**9, "notional_per_hour": 10**9,
        "notional_per_day": 10**9,
    },
    "approvals": {"expiry_seconds": 5},
}  # fmt: skip
"""The stand's limits, loose enough that orders flow for hours: chaos is not about their numbers."""

LINKS = (
    "gate-venue", "market-data-venue", "executor-egress", "gate-bus", "executor-bus", "market-data-bus", "gate-store",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended by itself, and what it said last."""

    name: str
    code: int
    after: float
    words: str


@dataclass(slots=True, kw_only=True)
class World:
    """Everything that a fault can touch. `held` are the processes that a fault keeps as they are."""

    folder: Path
    stand: Stand
    network: Network
    small: dict[str, SmallDisk]
    slow: dict[str, SlowDisk]
    began: float
    held: set[str] = field(default_factory=set)
    ended: list[Ended] = field(default_factory=list)
    starts: int = 0
    notes: list[str] = field(default_factory=list)
    states: list[tuple[datetime, bool]] = field(default_factory=list)
    others: list[subprocess.Popen[bytes]] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)
    _due: dict[str, float] = field(default_factory=dict)
    _known_dead: set[tuple[str, int]] = field(default_factory=set)

    def forget(self) -> None:
        """Cut short what the stand heard, and keep when trading was halted for good and when it was not."""
        seen = self.stand.seen
        self.states += [(one.published_at, _is_halted(one)) for one in seen.states[:-1]]
        del seen.states[:-1], seen.accounts[:-1]
        lists: tuple[list[Any], ...] = (seen.decisions, seen.orders, seen.fills, seen.alerts, seen.heartbeats)
        for heard in lists:
            heard.clear()

    @property
    def at(self) -> float:
        """Seconds since the chaos began."""
        return time.monotonic() - self.began

    def supervise(self) -> None:
        """Start again what ended, half a second later, as a supervisor would; note what ended by itself."""
        for name, child in self.stand.system.children.items():
            if child.is_alive:
                self._due.pop(name, None)
                continue
            if (name, child.pid) not in self._known_dead:
                self._known_dead.add((name, child.pid))
                code = child.ended()
                if code != -signals.SIGKILL and name not in self.held:
                    self.ended.append(Ended(name, code, round(self.at, 1), last_words(child.log)))
            if name in self.held:
                continue
            if self.at >= self._due.setdefault(name, self.at + 0.5):
                child.start()
                self.starts += 1

    def revive(self) -> None:
        """Let everything run."""
        self.held.clear()
        for child in self.stand.system.children.values():
            if child.is_alive:
                child.send(signals.SIGCONT)

    def profile_of_another(self, name: str, **settings: Any) -> Path:
        """Write the profile of a second process of a service: other ports, and what else is given."""
        profile = yaml.safe_load(self.stand.system.folder.profile.read_text())
        profile[name] |= {"health_port": 0} | settings
        path = self.folder / f"another-{name}-{len(self.others)}.yaml"
        path.write_text(yaml.safe_dump(profile))
        return path

    def start_another(self, name: str, profile: Path) -> subprocess.Popen[bytes]:
        """Start a second process of a service."""
        with (self.folder / f"another-{name}-{len(self.others)}.log").open("wb") as log:
            argv = self.stand.system.service_argv(name, profile)
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.others.append(process)
        return process

    def log_of_another(self, name: str, process: subprocess.Popen[bytes]) -> str:
        """Return what a second process wrote."""
        return (self.folder / f"another-{name}-{self.others.index(process)}.log").read_text()

    def flush_store(self) -> None:
        """Have the state store forget everything while it runs."""
        with socket.create_connection(("127.0.0.1", self.stand.system.ports.redis), timeout=2) as store:
            store.sendall(b"AUTH chaos chaos\r\nFLUSHALL\r\n")
            store.recv(100)

    def close(self) -> None:
        """End everything and leave the folders plain."""
        self.is_over.set()
        self.revive()
        for process in self.others:
            if process.poll() is None:
                process.kill()
                process.wait()
        close_stand(self.stand)
        self.network.close()
        for disk in self.small.values():
            disk.unmount()


def _is_halted(state: TradingState) -> bool:
    return state.status is TradingStatus.HALTED and not state.creates_in_flight


def open_world(folder: Path, nurseries: Nurseries, *, may_mount: bool, has_slow_disks: bool) -> World:
    """Start the whole system, each service behind links of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ports, network = choose_ports(None), Network()
    small = {name: SmallDisk(folder / f"disk-{name}", 256) for name in (GATE, EXECUTOR)}
    slow = _slow_disks(folder) if has_slow_disks else {}
    try:
        for disk in small.values():
            disk.mount(may_mount=may_mount)
        terms = _terms(ports, network, small, slow)
        stand = open_stand(folder, terms, nurseries, ports, LIMITS)
    except BaseException:
        network.close()
        for disk in small.values():
            disk.unmount()
        raise
    world = World(folder=folder, stand=stand, network=network, small=small, slow=slow, began=time.monotonic())
    _let_the_store_be_flushed(world)
    stand.fault("no_idempotency", times=-1)  # the venue makes an order of each request: a repetition would show
    return world


def _slow_disks(folder: Path) -> dict[str, SlowDisk]:
    found = {name: SlowDisk.compiled(folder, name) for name in (GATE, EXECUTOR, "redis")}
    return {name: disk for name, disk in found.items() if disk is not None}


def _let_the_store_be_flushed(world: World) -> None:
    """Add a user to the store that may flush it: none of ours may."""
    (acl,) = world.stand.system.folder.of("redis").glob("*.acl")
    with acl.open("a") as users:
        users.write("user chaos on >chaos resetkeys resetchannels -@all +auth +flushall\n")
    world.stand.restart("redis")


def _terms(ports: Ports, network: Network, small: dict[str, SmallDisk], slow: dict[str, SlowDisk]) -> Terms:
    """Put each service behind its links, and shorten what only makes the wait at the end longer."""
    venue = network.link("gate-venue", ports.exchange)
    prices = network.link("market-data-venue", ports.exchange)
    settings: dict[str, dict[str, Any]] = {
        GATE: {
            "venue_rest": venue,
            "venue_ws": f"wss://{venue}",
            "nats_url": f"nats://{network.link('gate-bus', ports.nats)}",
            "redis_url": f"redis://{network.link('gate-store', ports.redis)}",
            "journal_dir": str(small[GATE].folder),
            "min_free_megabytes": 2,
            "venue_answer_seconds": 1.0,
            "token_seconds": 3,
            "listed_seconds": 2.0,
            "publish_seconds": 0.2,
        },
        EXECUTOR: {
            "egress": network.link("executor-egress", ports.egress),
            "nats_url": f"nats://{network.link('executor-bus', ports.nats)}",
            "journal_dir": str(small[EXECUTOR].folder),
            "request_timeout_seconds": 2,
            "reconcile_seconds": 5,
            "resolve_seconds": 1,
            "token_life_seconds": 3,
            "visibility_seconds": 2,
        },
        MARKET_DATA: {
            "venue_rest": f"https://{prices}",
            "venue_ws": f"wss://{prices}",
            "nats_url": f"nats://{network.link('market-data-bus', ports.nats)}",
        },
    }
    return Terms(
        tiers=PRODUCTS,
        balances={"USD": "10000000"},
        settings=settings,
        before={name: disk.before for name, disk in slow.items()},
    )
