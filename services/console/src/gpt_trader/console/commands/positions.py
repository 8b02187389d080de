"""What is held, and what the executions say should be."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from gpt_trader.console.adapters import screen
from gpt_trader.console.adapters.records import last_of, load
from gpt_trader.console.commands.options import DEFAULT_RUN, AsJson, RunDir, emit, fail, first, on_the_bus
from gpt_trader.console.connection import Manifest
from gpt_trader.console.domain.rebuild import Line, rebuilt
from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import AccountSnapshot
from gpt_trader.contracts.control import Adopt
from gpt_trader.contracts.orders import Fill
from gpt_trader.runtime.bus import Bus
from gpt_trader.runtime.clock import Clock
from gpt_trader.runtime.journal import read

app = typer.Typer(help="Show what is held and what it is worth; `rebuild` checks it against the executions.")
_COUNTED = frozenset({"fill_reported", "external_fill_seen"})


@app.callback(invoke_without_command=True)
def positions(context: typer.Context, run_dir: RunDir = DEFAULT_RUN, as_json: AsJson = False) -> None:
    """Show what is held and what it is worth."""
    if context.invoked_subcommand is not None:
        return

    async def work(bus: Bus, _clock: Clock, _manifest: Manifest) -> AccountSnapshot:
        return await _account(bus)

    held = [position for position in on_the_bus(run_dir, work).positions if position.quantity]
    if as_json:
        emit(held)
    else:
        Console().print(screen.positions(held))


@app.command()
def rebuild(
    hours: Annotated[int, typer.Option(min=1, max=10000, help="How far back executions are added up anew.")] = 72,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show; change nothing.")] = False,
    reason: Annotated[str, typer.Option(help="Why the venue is right; it is recorded with the adoption.")] = "",
    run_dir: RunDir = DEFAULT_RUN,
    as_json: AsJson = False,
) -> None:
    """Add up the executions of the last hours, compare with the gate and the venue, and let the gate adopt the venue's.

    The gate adopts only while entries are stopped, and only the very totals shown here; it never sends an order for it.
    What was before is written to a rollback file in the run's folder.
    """

    async def work(bus: Bus, clock: Clock, manifest: Manifest) -> None:
        account = await _account(bus)
        since = clock.now() - timedelta(hours=hours)
        published = [fill for fill in await load(bus, "FILLS", Fill) if fill.occurred_at >= since]
        counted = list(_counted(manifest.gate_journal, since))
        external = [fill for fill in counted if fill.intent_id is None]
        lines = rebuilt(account, counted, [*published, *external])
        path = _written(run_dir, account, lines, clock.wall())
        if as_json:
            emit({"lines": [_row(line) for line in lines], "rollback_file": str(path)})
        else:
            Console().print(screen.rebuilt(lines))
            typer.echo(f"what is now is kept in {path}")
        if not dry_run:
            await _adopted(bus, clock, account, reason)

    on_the_bus(run_dir, work)


async def _adopted(bus: Bus, clock: Clock, account: AccountSnapshot, reason: str) -> None:
    if not account.differences:
        typer.echo("the gate's books and the venue's agree: there is nothing to adopt")
        return
    if not reason:
        fail("an adoption needs --reason: it is kept in the gate's journal")
    command = Adopt(reason=reason, books={one.currency: one.venue for one in account.differences})
    await bus.store(subjects.CONTROL_ADOPT, command, message_id=f"adopt {clock.wall().isoformat()}")
    typer.echo("recorded on the bus; waiting for the risk gate to compare ...", err=True)
    await first(
        _agreed(bus), "agreement with the venue: see adoption_ended in the gate's journal; was trading stopped?"
    )
    typer.echo("the gate adopted the venue's totals; `gpt-trader resume` (or reset) ends what they restricted")


async def _agreed(bus: Bus) -> None:
    """Wait until the gate has found its books and the venue's equal."""
    while not (await _account(bus)).is_reconciled:  # noqa: ASYNC110 - each look is a read of the bus
        await asyncio.sleep(0.25)


async def _account(bus: Bus) -> AccountSnapshot:
    account = await last_of(bus, "STATE", subjects.ACCOUNT, AccountSnapshot)
    if account is None:
        fail("the gate has said nothing of the account yet: `gpt-trader status` tells whether it is ready")
    return account


def _counted(journal: Path, since: datetime) -> Iterator[Fill]:
    """Read which executions the gate has in its books."""
    for entry in read(journal):
        if entry.kind in _COUNTED:
            fill = Fill.model_validate(entry.payload["fill"])
            if fill.occurred_at >= since:
                yield fill


def _written(run_dir: Path, account: AccountSnapshot, lines: Sequence[Line], wall: datetime) -> Path:
    path = run_dir.resolve() / f"positions-{wall:%Y%m%dT%H%M%S}.json"
    kept = {"account": account.model_dump(mode="json"), "lines": [_row(line) for line in lines]}
    path.write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2))
    return path


def _row(line: Line) -> dict[str, str]:
    return {"name": line.name, "gate": str(line.gate), "rebuilt": str(line.rebuilt), "venue": str(line.venue)}
