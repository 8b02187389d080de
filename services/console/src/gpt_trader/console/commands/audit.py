"""Commands that check the record itself."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from gpt_trader.console.adapters.records import load, witnesses_until
from gpt_trader.console.commands.options import DEFAULT_RUN, AsJson, RunDir, emit, fail, on_the_bus
from gpt_trader.console.connection import Manifest
from gpt_trader.console.domain.audit import Record, differences
from gpt_trader.contracts.decisions import Decision
from gpt_trader.runtime.bus import Bus
from gpt_trader.runtime.clock import Clock
from gpt_trader.runtime.journal import Broken, Verified, read, verify

app = typer.Typer(help="Check the decision log.", no_args_is_help=True)
Log = Annotated[Path | None, typer.Option("--log", help="Check this journal file alone, without a running stack.")]
Head = Annotated[str | None, typer.Option(help="Hash that the last record must have, as kept elsewhere.")]


@app.command("verify")
def verify_log(run_dir: RunDir = DEFAULT_RUN, log: Log = None, head: Head = None, as_json: AsJson = False) -> None:
    """Prove that no record of the decision log was changed, removed or reordered.

    With a running stack the journal is compared with all that the gate published meanwhile: every decision, and the
    journal's length and head each second. A file alone (--log) proves only its own chain: that its end was not cut
    takes a head that was kept elsewhere (--head).
    """
    found = _check_file(log, head) if log is not None else _check_stack(run_dir)
    if as_json:
        emit({"verified": not found.problems, "records": found.records, "head": found.head, "problems": found.problems})
    for problem in found.problems if not as_json else ():
        typer.secho(problem, err=True, fg=typer.colors.RED)
    if found.problems:
        fail(f"the decision log is NOT intact: {len(found.problems)} problem(s)")
    if not as_json:
        end = (
            "" if log is None or head is not None else "; whether its end was cut, only a --head kept elsewhere proves"
        )
        typer.echo(f"intact: {found.records} records, each one chained to the one before it; head {found.head}{end}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check of a journal found."""

    records: int
    head: str
    problems: list[str]


def _check_file(path: Path, head: str | None) -> Finding:
    found = _chain(path)
    if found.problems:
        return found
    checked = verify(path)
    problems = []
    if isinstance(checked, Verified) and checked.torn_bytes:
        problems.append(f"{path} ends in the middle of a record ({checked.torn_bytes} bytes)")
    if not found.records:
        problems.append(f"{path} holds no record: there is nothing to verify")
    if head is not None and head != found.head:
        problems.append(f"{path} ends at {found.head}, not at the head that was kept")
    return Finding(records=found.records, head=found.head, problems=problems)


def _chain(path: Path) -> Finding:
    if not path.is_file():
        fail(f"{path}: there is no such journal", 2)
    checked = verify(path)
    if isinstance(checked, Broken):
        return Finding(records=checked.at, head="", problems=[f"{path}, record {checked.at}: {checked.reason}"])
    return Finding(records=checked.entries, head=checked.head, problems=[])


def _check_stack(run_dir: Path) -> Finding:
    async def work(bus: Bus, clock: Clock, manifest: Manifest) -> Finding:
        asked_at = clock.wall()
        found = _chain(manifest.gate_journal)
        if found.problems:
            return found
        journal = list(_records(manifest.gate_journal))
        last = max((record.decision.sequence for record in journal if record.decision), default=0)
        published = [decision for decision in await load(bus, "DECISIONS", Decision) if decision.sequence <= last]
        witnesses = await witnesses_until(bus, asked_at)
        return replace(found, problems=differences(journal, published, witnesses))

    return on_the_bus(run_dir, work)


def _records(path: Path) -> Iterator[Record]:
    for entry in read(path):
        decision = Decision.model_validate(entry.payload["decision"]) if entry.kind == "decision_made" else None
        yield Record(sequence=entry.sequence, hash=entry.hash, decision=decision)
