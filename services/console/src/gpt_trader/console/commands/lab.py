"""Commands that the lab beside us answers, whose domains no other service may load."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gpt_trader.console.commands.options import DEFAULT_RUN, AsJson, RunDir, fail
from gpt_trader.console.connection import NoStack, manifest_of
from gpt_trader.console.stack.folder import RunFolder

Policy = Annotated[Path, typer.Option(metavar="FILE", help="YAML file with every limit of the other policy.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="ISO", help="First time, included; without an offset it is UTC.")
]
To = Annotated[str | None, typer.Option("--to", metavar="ISO", help="Last time, not included.")]
Twice = Annotated[bool, typer.Option("--twice", help="Also replay in a second, different interpreter, and compare.")]


app = typer.Typer(no_args_is_help=True)


@app.callback()
def simulate() -> None:
    """Simulate the whole system."""


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


@app.command()
def storm(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1000,
    first: Annotated[int, typer.Option(help="The first of them.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes to share them.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Run this one seed only.")] = None,
    length: Annotated[int, typer.Option(min=1, help="How many times as long each storm is.")] = 1,
    trace: Annotated[bool, typer.Option("--trace", help="With --seed: print every event and fault.")] = False,
    without: Annotated[str | None, typer.Option(metavar="NAME", help="Take this protection away.")] = None,
    on_bus: Annotated[bool, typer.Option("--on-bus", help="Have the workers on the bus run them.")] = False,
    nats_url: Annotated[str | None, typer.Option(metavar="URL", help="That bus, if it is not the run's.")] = None,
    nats_seed_file: Annotated[Path | None, typer.Option(metavar="FILE", help="The operator's seed for it.")] = None,
    run_dir: RunDir = DEFAULT_RUN,
    as_json: AsJson = False,
) -> None:
    """Run the real gate and executor through storms of faults, each decided and repeated by its seed.

    Exit code 1 = an invariant broke (with --without: nobody noticed), 130 = interrupted. `lab storm --help` tells of
    the faults, the invariants, and the protections that can be taken away.
    """
    _require_lab()
    chosen = (*(("--seed", str(seed)) if seed is not None else ()), *(("--without", without) if without else ()))
    flags = (*(("--trace",) if trace else ()), *_format(as_json=as_json))
    counts = {"--seeds": seeds, "--first": first, "--jobs": jobs, "--length": length}
    bus = _bus_words(run_dir, nats_url, nats_seed_file) if on_bus else ()
    words = (*(word for name, count in counts.items() for word in (name, str(count))), *chosen, *flags, *bus)
    argv = [sys.executable, "-m", "gpt_trader.lab", "storm", *words]
    os.execv(sys.executable, argv)  # noqa: S606 - our own module; as this very process it gets signals and terminal


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def worker(
    context: typer.Context,
    nats_url: Annotated[str | None, typer.Option(metavar="URL", help="Where the bus is.")] = None,
    nats_seed_file: Annotated[Path | None, typer.Option(metavar="FILE", help="The lab's seed for it.")] = None,
) -> None:
    """Run what `lab storm --on-bus` puts into the queue, until SIGTERM; takes the options of `lab worker --help`."""
    _require_lab()
    given = {"--nats-url": nats_url, "--nats-seed-file": nats_seed_file}
    words = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    argv = [sys.executable, "-m", "gpt_trader.lab", "worker", *words, *context.args]
    os.execv(sys.executable, argv)  # noqa: S606 - as above


def _bus_words(run_dir: Path, url: str | None, seed_file: Path | None) -> tuple[str, ...]:
    """Say where the bus is: the running stack's, or one that is named with its credential."""
    if url is not None and seed_file is not None:
        return ("--on-bus", "--nats-url", url, "--nats-seed-file", str(seed_file))
    if url is not None or seed_file is not None:
        fail("--nats-url and --nats-seed-file belong together", 2)
    try:
        manifest = manifest_of(RunFolder(run_dir.resolve()))
    except NoStack as error:
        fail(str(error), 3)
    return ("--on-bus", "--nats-url", manifest.nats_url, "--nats-seed-file", str(manifest.operator_seed))


def _format(*, as_json: bool) -> tuple[str, ...]:
    return ("--json",) if as_json else ()


def _lab(command: str, run_dir: Path, *options: str) -> NoReturn:
    """Let the lab answer in our place, with its own exit code."""
    _require_lab()
    argv = [sys.executable, "-m", "gpt_trader.lab", command, "--run-dir", str(run_dir), *options]
    raise typer.Exit(subprocess.run(argv, check=False).returncode)  # noqa: S603 - our own module in our own interpreter


def _require_lab() -> None:
    if find_spec("gpt_trader.lab") is None:
        fail("the lab is not installed here: install gpt-trader-lab", 3)
