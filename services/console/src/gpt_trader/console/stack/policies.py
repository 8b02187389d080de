"""Finds the policies that ship with the risk gate."""

from importlib.resources import files
from pathlib import Path


def shipped_policy(name: str) -> Path:
    """Return the file of a shipped policy; raises FileNotFoundError naming it."""
    path = Path(str(files("gpt_trader.risk_gate"))) / "policies" / f"{name}.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"there is no shipped policy {name!r} ({path})")
    return path
