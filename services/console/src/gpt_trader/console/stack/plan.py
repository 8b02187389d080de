"""What a local run shall be: chosen on the command line, with ports filled in."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

SERVICES: tuple[str, ...] = ("risk-gate", "executor", "learning", "market-data", "strategy")
"""Start order: who decides and records before who asks."""


_LOWEST, _RANGE = 12000, 20000


class PortTaken(Exception):
    """A port that was asked for is in use; the message names the option."""


class Mode(StrEnum):
    """Where a local run takes prices from and sends orders to; `live` is a deployment's, not this command's."""

    DEMO = "demo"
    DRY_RUN = "dry_run"
    PAPER = "paper"


@dataclass(frozen=True, slots=True)
class RealVenue:
    """Where the real venue is: read in paper and dry run, and in a dry run with this key."""

    rest: str
    ws: str
    user_ws: str
    ca_file: Path | None
    key_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run; `replay` names CSV files instead of a generated market; tiers not given go by size.

    `venue` is there in every mode but the demo.
    """

    run_dir: Path
    products: tuple[str, ...]
    intervals: tuple[str, ...]
    strategies: tuple[str, ...]
    rate: Decimal
    start: datetime
    seed: int
    policy: Path
    replay: tuple[Path, ...]
    ticks_per_second: int
    records: bool
    otlp_endpoint: str | None = None
    mode: Mode = Mode.DEMO
    venue: RealVenue | None = None
    tiers: Mapping[str, str] = field(default_factory=dict)
    scenario: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """One port per listener, all on loopback."""

    nats: int
    nats_monitor: int
    redis: int
    exchange: int
    exchange_admin: int
    egress: int
    exchange_health: int
    health: dict[str, int]


def choose_ports(base: int | None) -> Ports:
    """Take free ports, or consecutive ones from `base`; raises PortTaken naming the one in use."""
    names = ["nats", "nats_monitor", "redis", "exchange", "exchange_admin", "egress", "exchange_health", *SERVICES]
    found = _free(len(names)) if base is None else [_available(base + i, names[i]) for i in range(len(names))]
    chosen = dict(zip(names, found, strict=True))
    return Ports(
        nats=chosen["nats"],
        nats_monitor=chosen["nats_monitor"],
        redis=chosen["redis"],
        exchange=chosen["exchange"],
        exchange_admin=chosen["exchange_admin"],
        egress=chosen["egress"],
        exchange_health=chosen["exchange_health"],
        health={service: chosen[service] for service in SERVICES},
    )


def _free(count: int) -> list[int]:
    """Find free ports below those that the system lends to outgoing connections, each process from its own start."""
    found: list[int] = []
    start = os.getpid() * 37 % _RANGE
    for step in range(_RANGE):
        port = _LOWEST + (start + step) % _RANGE
        if _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise PortTaken(f"fewer than {count} ports between {_LOWEST} and {_LOWEST + _RANGE} are free: give --port-base")


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _available(port: int, name: str) -> int:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTaken(
                f"port {port} for {name} can't be used ({error.strerror}): choose another --port-base"
            ) from None
    return port
