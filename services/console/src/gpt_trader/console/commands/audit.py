"""Commands that check the record itself."""

from pathlib import Path
from typing import Annotated

import typer

from gpt_trader.console.adapters.records import load
from gpt_trader.console.commands.options import DEFAULT_RUN, AsJson, RunDir, emit, fail, on_the_bus
from gpt_trader.console.connection import Manifest
from gpt_trader.console.domain.audit import differences
from gpt_trader.contracts.decisions import Decision
from gpt_trader.runtime.bus import Bus
from gpt_trader.runtime.clock import Clock
from gpt_trader.runtime.journal import Broken, read, verify

app = typer.Typer(help="Check the decision log.", no_args_is_help=True)
Log = Annotated[Path | None, typer.Option("--log", help="Check this journal file alone, without a running stack.")]


@app.command("verify")
def verify_log(run_dir: RunDir = DEFAULT_RUN, log: Log = None, as_json: AsJson = False) -> None:
    """Prove that no record of the decision log was changed, removed or reordered."""
    problems, records = _check_file(log) if log is not None else _check_stack(run_dir)
    if as_json:
        emit({"verified": not problems, "records": records, "problems": problems})
    for problem in problems if not as_json else ():
        typer.secho(problem, err=True, fg=typer.colors.RED)
    if problems:
        fail(f"the decision log is NOT intact: {len(problems)} problem(s)")
    if not as_json:
        typer.echo(f"intact: {records} records, each one chained to the one before it")


def _check_file(path: Path) -> tuple[list[str], int]:
    if not path.is_file():
        fail(f"--log {path}: there is no such file", 2)
    checked = verify(path)
    if isinstance(checked, Broken):
        return [f"{path}, record {checked.at}: {checked.reason}"], checked.at
    return [], checked.entries


def _check_stack(run_dir: Path) -> tuple[list[str], int]:
    async def work(bus: Bus, _clock: Clock, manifest: Manifest) -> tuple[list[str], int]:
        published = await load(bus, "DECISIONS", Decision)
        problems, records = _check_file(manifest.gate_journal)
        if problems:
            return problems, records
        return differences(published, _journaled(manifest.gate_journal)), records

    return on_the_bus(run_dir, work)


def _journaled(path: Path) -> list[str]:
    return [entry.payload["decision"]["hash"] for entry in read(path) if entry.kind == "decision_made"]
