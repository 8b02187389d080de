"""`gpt-trader preflight`: whether the gate of a run could start; asked in the gate's own process, which has the key."""

import subprocess
import sys
from importlib.util import find_spec
from typing import Annotated, Any

import typer
import yaml

from gpt_trader.console.commands.options import DEFAULT_RUN, RunDir, fail
from gpt_trader.console.stack.configuration import write_profile
from gpt_trader.console.stack.folder import RunFolder

CONFIRMED = "YES"
Confirm = Annotated[bool, typer.Option("--confirm", help="Then ask for YES, and let this run start in live mode.")]


def preflight(run_dir: RunDir = DEFAULT_RUN, confirm: Confirm = False) -> None:
    """Check bus, rights, store, venue, key, clock, balance, products, limits, disk; exit code 2 = may not start."""
    if find_spec("gpt_trader.risk_gate") is None:
        fail("the risk gate is not installed here: install gpt-trader-risk-gate", 3)
    folder = RunFolder(run_dir.resolve())
    if not folder.profile.is_file():
        fail(f"there is no {folder.profile}: start a stack with `gpt-trader up`, or write one", 3)
    argv = [sys.executable, "-m", "gpt_trader.risk_gate", "--preflight", "--profile", str(folder.profile)]
    code = subprocess.run(argv, check=False).returncode  # noqa: S603 - our own module in our own interpreter
    if code == 0 and confirm:
        _confirm(folder)
    raise typer.Exit(code)


def _confirm(folder: RunFolder) -> None:
    """Write the word into the profile once a person typed it below the balance."""
    profile: dict[str, Any] = yaml.safe_load(folder.profile.read_text())
    if profile.get("risk-gate", {}).get("mode") != "live":
        fail(f"{folder.profile} does not say `mode: live`: there is nothing to confirm", 2)
    if typer.prompt(f"Real money will be traded. Type {CONFIRMED} to allow it") != CONFIRMED:
        fail("not confirmed: nothing was changed", 2)
    profile["risk-gate"]["confirm_live"] = CONFIRMED
    write_profile(folder.profile, profile)
    typer.echo(f"{folder.profile}: confirm_live is {CONFIRMED}")
