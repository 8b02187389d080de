"""The profile of a local run: one file that every service reads."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.console.stack.plan import SERVICES, Plan, Ports
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


def profile_of(plan: Plan, ports: Ports, folder: RunFolder, exchange: Exchange, clock: ClockSettings) -> dict[str, Any]:
    """Put together what each service is told; secrets are named by file, never by value."""
    shared = {
        "nats_url": f"nats://127.0.0.1:{ports.nats}",
        "run_dir": str(folder.root),
        **{name: value for name, value in clock.model_dump(mode="json").items() if value is not None},
    }
    own = {
        "market-data": _market_data(plan, folder, exchange),
        "strategy": _strategy(plan, folder),
        "risk-gate": _risk_gate(plan, ports, folder, exchange),
        "executor": _executor(ports, folder),
        "learning": {"store_dir": str(folder.of("learning") / "store")},
    }
    for service in SERVICES:
        own[service] |= {"nats_seed_file": str(folder.seed(service)), "health_port": ports.health[service]}
    return {"runtime": shared, **own}


def _market_data(plan: Plan, folder: RunFolder, exchange: Exchange) -> dict[str, Any]:
    universe = folder.root / "universe.yaml"
    tiers = {product: "T1" if product.split("-")[0] in {"BTC", "ETH", "SOL"} else "T2" for product in plan.products}
    universe.write_text(yaml.safe_dump({"products": tiers}))
    return {
        "venue_rest": f"https://{exchange.rest}",
        "venue_ws": exchange.ws,
        "venue_ca_file": str(exchange.ca),
        "products": list(plan.products),
        "universe_file": str(universe),
        "intervals": list(plan.intervals),
    }


def _strategy(plan: Plan, folder: RunFolder) -> dict[str, Any]:
    record = {"record_dir": str(folder.of("strategy") / "record")} if plan.records else {}
    strategies = [{"strategy": name, "interval": plan.intervals[0]} for name in plan.strategies]
    return {"strategies": strategies, **record}


def _risk_gate(plan: Plan, ports: Ports, folder: RunFolder, exchange: Exchange) -> dict[str, Any]:
    private = folder.of("risk-gate")
    return {
        "mode": "demo",
        "policy_file": str(plan.policy),
        "journal_dir": str(private / "journal"),
        "signing_seed_file": str(private / "signing.seed"),
        "key_id": GATE_KEY_ID,
        "kill_file": str(folder.root / "KILL"),
        "egress_port": ports.egress,
        "egress_certificate_file": str(private / "egress.crt"),
        "egress_key_file": str(private / "egress.key"),
        "venue_rest": exchange.rest,
        "venue_ws": exchange.ws,
        "venue_ca_file": str(exchange.ca),
        "cdp_key_file": str(exchange.key_file),
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
