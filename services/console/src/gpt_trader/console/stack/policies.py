"""Finds the policies and universes that ship with the services."""

from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from gpt_trader.runtime.document import read_document


class Profile(StrEnum):
    """Which shipped limits a run takes, and with them which products."""

    DEMO = "demo"
    DEV = "dev"
    CANARY = "canary"
    PROD = "prod"
    SPOT = "spot"


def shipped_policy(name: str) -> Path:
    """Return the file of a shipped policy; raises FileNotFoundError naming it."""
    path = Path(str(files("gpt_trader.risk_gate"))) / "policies" / f"{name}.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"there is no shipped policy {name!r} ({path})")
    return path


def shipped_universe(name: str) -> Mapping[str, str] | None:
    """Return the tier of each product of a shipped universe; None if none has this name."""
    path = Path(str(files("gpt_trader.market_data"))) / "universes" / f"{name}.yaml"
    return dict(read_document(path).content["products"]) if path.is_file() else None
