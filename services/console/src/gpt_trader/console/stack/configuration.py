"""The profile of a local run: one file that every service reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.console.stack.plan import SERVICES, Mode, Plan, Ports
from gpt_trader.console.stack.secrets import GATE_KEY_ID
from gpt_trader.runtime.clock import ClockSettings


class Exchange(BaseModel):
    """What exchange-sim announces at start."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rest: str
    ws: str
    ca: Path
    key_file: Path
    admin: str


def write_profile(path: Path, profile: dict[str, Any]) -> None:
    """Write the profile with a word on where it comes from."""
    path.write_text("# Made by `gpt-trader up`; read by every service of this run.\n" + yaml.safe_dump(profile))


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where prices come from and where orders go; the same venue in all modes but paper."""

    prices: dict[str, Any]
    orders: dict[str, Any]


def places(plan: Plan, exchange: Exchange | None) -> Places:
    """Choose by mode: only a dry run tells the gate of the real venue, and only the demo has no part of it."""
    ours = None if exchange is None else _orders_at(exchange.rest, exchange.ws, exchange.ca, exchange.key_file)
    if plan.venue is None:
        if exchange is None or ours is None:
            raise ValueError("a demo needs its exchange")
        return Places(prices=_prices_at(exchange.rest, exchange.ws, exchange.ca), orders=ours)
    real = plan.venue
    prices = _prices_at(real.rest, real.ws, real.ca_file)
    if plan.mode is Mode.PAPER and ours is not None:
        return Places(prices=prices, orders=ours)
    if real.key_file is None:
        raise ValueError(f"mode {plan.mode} needs the real venue's key file")
    return Places(prices=prices, orders=_orders_at(real.rest, real.user_ws, real.ca_file, real.key_file))


def _prices_at(rest: str, ws: str, ca_file: Path | None) -> dict[str, Any]:
    return {"venue_rest": f"https://{rest}", "venue_ws": ws, **_authority(ca_file)}


def _orders_at(rest: str, ws: str, ca_file: Path | None, key_file: Path) -> dict[str, Any]:
    return {"venue_rest": rest, "venue_ws": ws, "cdp_key_file": str(key_file.resolve()), **_authority(ca_file)}


def _authority(ca_file: Path | None) -> dict[str, Any]:
    return {} if ca_file is None else {"venue_ca_file": str(ca_file.resolve())}


def profile_of(
    plan: Plan, ports: Ports, folder: RunFolder, exchange: Exchange | None, clock: ClockSettings
) -> dict[str, Any]:
    """Put together what each service is told; secrets are named by file, never by value."""
    venue = places(plan, exchange)
    shared = {
        "nats_url": f"nats://127.0.0.1:{ports.nats}",
        "run_dir": str(folder.root),
        **({} if plan.otlp_endpoint is None else {"otlp_endpoint": plan.otlp_endpoint}),
        **{name: value for name, value in clock.model_dump(mode="json").items() if value is not None},
    }
    own = {
        "market-data": {**_market_data(plan, folder), **venue.prices},
        "strategy": _strategy(plan, folder),
        "risk-gate": {**_risk_gate(plan, ports, folder), **venue.orders},
        "executor": _executor(ports, folder),
        "learning": {"store_dir": str(folder.of("learning") / "store")},
    }
    for service in SERVICES:
        own[service] |= {"nats_seed_file": str(folder.seed(service)), "health_port": ports.health[service]}
    return {"runtime": shared, **own}


def _market_data(plan: Plan, folder: RunFolder) -> dict[str, Any]:
    universe = folder.root / "universe.yaml"
    tiers = {
        product: "T1" if product.split("-")[0] in {"BTC", "ETH", "SOL", "BIP"} else "T2" for product in plan.products
    }
    universe.write_text(yaml.safe_dump({"products": tiers}))
    return {
        "products": list(plan.products),
        "universe_file": str(universe),
        "intervals": list(plan.intervals),
    }


def _strategy(plan: Plan, folder: RunFolder) -> dict[str, Any]:
    record = {"record_dir": str(folder.of("strategy") / "record")} if plan.records else {}
    strategies = [{"strategy": name, "interval": plan.intervals[0]} for name in plan.strategies]
    return {"strategies": strategies, **record}


def _risk_gate(plan: Plan, ports: Ports, folder: RunFolder) -> dict[str, Any]:
    private = folder.of("risk-gate")
    return {
        "mode": str(plan.mode),
        "policy_file": str(plan.policy),
        "journal_dir": str(private / "journal"),
        "signing_seed_file": str(private / "signing.seed"),
        "key_id": GATE_KEY_ID,
        "kill_file": str(folder.root / "KILL"),
        "egress_port": ports.egress,
        "egress_certificate_file": str(private / "egress.crt"),
        "egress_key_file": str(private / "egress.key"),
        "redis_url": f"redis://127.0.0.1:{ports.redis}",
        "redis_password_file": str(private / "redis.password"),
        "nats_monitor_url": f"http://127.0.0.1:{ports.nats_monitor}",
    }


def _executor(ports: Ports, folder: RunFolder) -> dict[str, Any]:
    return {
        "egress": f"127.0.0.1:{ports.egress}",
        "egress_ca_file": str(folder.root / "egress-ca.crt"),
        "gate_public_key_file": str(folder.root / "gate.pub"),
        "gate_key_id": GATE_KEY_ID,
        "journal_dir": str(folder.of("executor") / "journal"),
    }
