"""`gpt-trader config check`: every file is judged by the process that would start with it; nothing is started."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import aiohttp
import typer

from gpt_trader.console.commands.options import DEFAULT_RUN, RunDir, fail
from gpt_trader.console.connection import NoStack, manifest_of
from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.console.stack.plan import SERVICES
from gpt_trader.runtime.document import Document, DocumentUnreadable, read_document
from gpt_trader.runtime.guardian import meant_instead
from gpt_trader.runtime.settings import REFUSED, SHARED_SECTION

Files = Annotated[list[Path] | None, typer.Argument(help="Files to check; default: those of the run folder.")]

_WITHIN_SECONDS = 60
_ANSWER_WITHIN = aiohttp.ClientTimeout(total=2)


class Kind(StrEnum):
    """Which of the three files one is; the words are what its name contains."""

    APP = "app"
    POLICY = "policy"
    UNIVERSE = "universe"


_OWN_KEYS: Mapping[Kind, frozenset[str]] = {
    Kind.POLICY: frozenset({"profile", "signals", "limits", "sizing"}),
    Kind.UNIVERSE: frozenset({"products"}),
}
"""First-level keys by which a file of another name is known."""


def check(files: Files = None, run_dir: RunDir = DEFAULT_RUN) -> None:
    """Check configuration files and start nothing; exit code 2 = one would be refused, with file:line:column."""
    folder = RunFolder(run_dir.resolve())
    chosen = [path.resolve() for path in files or ()] or _of_run(folder)
    findings = [_judged(path) for path in chosen]
    for path, (is_good, said) in zip(chosen, findings, strict=True):
        typer.echo(f"{path}: {'ok' if is_good else 'REFUSED'}")
        for line in said:
            typer.echo(f"  {line}")
    if not files:
        for line in asyncio.run(_drifted(folder)):
            typer.echo(line)
    raise typer.Exit(0 if all(is_good for is_good, _ in findings) else REFUSED)


async def _drifted(folder: RunFolder) -> Sequence[str]:
    """Ask each running service whether its files still say what it was told; nothing runs, nothing differs."""
    try:
        manifest = manifest_of(folder)
    except NoStack:
        return []
    said: list[str] = []
    async with aiohttp.ClientSession(timeout=_ANSWER_WITHIN, raise_for_status=True) as session:
        for process in manifest.processes:
            if process.health:
                said += await _differences(session, process.name, process.health)
    return said


async def _differences(session: aiohttp.ClientSession, name: str, health: str) -> Sequence[str]:
    try:
        async with session.get(f"{health}/health") as answer:
            notes: dict[str, str] = (await answer.json())["notes"]
    except (aiohttp.ClientError, TimeoutError) as error:
        return [f"{name}: does not say what it runs with ({type(error).__name__})"]
    running, declared = notes.get("policy", "").rpartition(" ")[2], notes.get("policy_declared", "")
    settings = notes.get("settings_drift", "none")
    told = [f"{name}: runs with other settings than declared: {settings}"] if settings != "none" else []
    if declared and declared != running:
        told.append(f"{name}: runs with policy {running}, declared is {declared}")
    return told


def _of_run(folder: RunFolder) -> list[Path]:
    found = [path for kind in Kind if (path := folder.root / f"{kind}.yaml").is_file()]
    if not found:
        fail(f"there is no configuration in {folder.root}: start a stack with `gpt-trader up`, or name files", 3)
    return found


def _judged(path: Path) -> tuple[bool, Sequence[str]]:
    try:
        document = read_document(path)
    except DocumentUnreadable as error:
        return False, [str(error)]
    match _kind(document):
        case Kind.POLICY:
            return _asked("risk-gate", "--check-policy", str(path))
        case Kind.UNIVERSE:
            return _asked("market-data", "--check-universe", str(path))
        case Kind.APP:
            return _app(document)


def _kind(document: Document) -> Kind:
    named = [kind for kind in Kind if kind in document.path.stem]
    keys = frozenset(place[0] for place in document.keys)
    return next((kind for kind, own in _OWN_KEYS.items() if keys & own), named[0] if named else Kind.APP)


def _app(document: Document) -> tuple[bool, Sequence[str]]:
    """Ask every service about its section; a section of nobody would be read by nobody."""
    sections = (SHARED_SECTION, *SERVICES)
    unread = [
        f"{document.key_at(place)}: {place[0]} is no section{meant_instead(place[0], sections)}"
        for place in document.keys
        if len(place) == 1 and place[0] not in sections
    ]
    answers = [_asked(service, "--show-settings", "--profile", str(document.path)) for service in SERVICES]
    said = dict.fromkeys(line for _, lines in answers for line in lines)
    return not unread and all(is_good for is_good, _ in answers), [*unread, *said]


def _asked(service: str, *words: str) -> tuple[bool, Sequence[str]]:
    """Ask the owner in its own process; what it prints besides its settings is for the person."""
    argv = [sys.executable, "-m", f"gpt_trader.{service.replace('-', '_')}", *words]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=_WITHIN_SECONDS, check=False)  # noqa: S603 - our own module in our own interpreter
    told = [line.partition("refused: ")[2] or line for line in said.stderr.splitlines()]
    spoken = [] if words[0] == "--show-settings" else said.stdout.splitlines()
    return said.returncode == 0, [*told, *spoken]
