"""Commands that look back: each runs the lab beside us, whose domains no other service may load."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gpt_trader.console.commands.options import DEFAULT_RUN, AsJson, RunDir, fail

Policy = Annotated[Path, typer.Option(metavar="FILE", help="YAML file with every limit of the other policy.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="ISO", help="First time, included; without an offset it is UTC.")
]
To = Annotated[str | None, typer.Option("--to", metavar="ISO", help="Last time, not included.")]
Twice = Annotated[bool, typer.Option("--twice", help="Also replay in a second, different interpreter, and compare.")]


def replay(run_dir: RunDir = DEFAULT_RUN, twice: Twice = False, as_json: AsJson = False) -> None:
    """Prove that a stopped run repeats bit for bit; exit code 1 = it does not, 2 = a file can't be read."""
    _lab("replay", run_dir, *(("--twice",) if twice else ()), *_format(as_json=as_json))


def rejudge(
    policy: Policy,
    run_dir: RunDir = DEFAULT_RUN,
    since: From = None,
    until: To = None,
    as_json: AsJson = False,
) -> None:
    """Review recorded decisions under another policy: which verdicts change, by which check, for how much money.

    Each decision is judged alone in the state that really was; what another verdict would have changed afterwards is
    not simulated. Exit code 2 = the policy, a time or a file can't be used; the message says where and why.
    """
    span = (*(("--from", since) if since else ()), *(("--to", until) if until else ()))
    _lab("rejudge", run_dir, "--policy", str(policy), *span, *_format(as_json=as_json))


def _format(*, as_json: bool) -> tuple[str, ...]:
    return ("--json",) if as_json else ()


def _lab(command: str, run_dir: Path, *options: str) -> NoReturn:
    """Let the lab answer in our place, with its own exit code."""
    if find_spec("gpt_trader.lab") is None:
        fail("the lab is not installed here: install gpt-trader-lab", 3)
    argv = [sys.executable, "-m", "gpt_trader.lab", command, "--run-dir", str(run_dir), *options]
    raise typer.Exit(subprocess.run(argv, check=False).returncode)  # noqa: S603 - our own module in our own interpreter
