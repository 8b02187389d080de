"""What a local run shall be: chosen on the command line, with ports filled in."""

import socket
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

SERVICES: tuple[str, ...] = ("risk-gate", "executor", "learning", "market-data", "strategy")
"""Start order: who decides and records before who asks."""


class PortTaken(Exception):
    """A port that was asked for is in use; the message names the option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A demo run; `replay` names CSV files or folders instead of a generated market."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """One port per listener, all on loopback."""

    nats: int
    nats_monitor: int
    redis: int
    exchange: int
    exchange_admin: int
    egress: int
    health: dict[str, int]


def choose_ports(base: int | None) -> Ports:
    """Take free ports, or consecutive ones from `base`; raises PortTaken naming the one in use."""
    names = ["nats", "nats_monitor", "redis", "exchange", "exchange_admin", "egress", *SERVICES]
    found = _free(len(names)) if base is None else [_available(base + i, names[i]) for i in range(len(names))]
    chosen = dict(zip(names, found, strict=True))
    return Ports(
        nats=chosen["nats"],
        nats_monitor=chosen["nats_monitor"],
        redis=chosen["redis"],
        exchange=chosen["exchange"],
        exchange_admin=chosen["exchange_admin"],
        egress=chosen["egress"],
        health={service: chosen[service] for service in SERVICES},
    )


def _free(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


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
