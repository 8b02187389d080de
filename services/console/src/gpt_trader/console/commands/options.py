"""Options that many commands share, and how a command ends."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import orjson
import typer
from pydantic import BaseModel

from gpt_trader.console.connection import Manifest, NoStack, manifest_of, operator
from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.runtime.bus import Bus, BusError
from gpt_trader.runtime.clock import Clock

T = TypeVar("T")

DEFAULT_RUN = Path("var/run")
RunDir = Annotated[Path, typer.Option(help="Folder of the run to work with.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]
Reason = Annotated[str, typer.Option(help="Why; it is recorded with the command.")]

PATIENCE = 25.0
"""Seconds to wait for the gate's answer: a kill is acknowledged only when no create can follow, at most 22 s."""


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command with a message on stderr."""
    typer.secho(f"gpt-trader: {message}", err=True, fg=typer.colors.RED)
    raise typer.Exit(code)


def emit(value: Any) -> None:  # noqa: ANN401 - anything that has a JSON form
    """Print one JSON document on one line."""
    sys.stdout.write(orjson.dumps(value, default=_plain).decode() + "\n")


def _plain(value: object) -> Any:  # noqa: ANN401 - the shape orjson asks of a default
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return str(value)


def on_the_bus(run_dir: Path, work: Callable[[Bus, Clock, Manifest], Coroutine[Any, Any, T]]) -> T:
    """Run a command's work as the operator of the stack in `run_dir`; every failure ends with what to do."""

    async def connected(manifest: Manifest) -> T:
        async with operator(manifest) as (bus, clock):
            return await work(bus, clock, manifest)

    try:
        return asyncio.run(connected(manifest_of(RunFolder(run_dir.resolve()))))
    except NoStack as error:
        fail(str(error), 3)
    except (BusError, TimeoutError) as error:
        fail(f"the bus did not answer ({error or 'timeout'}): is the stack up? `gpt-trader status` tells", 3)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def first(wait: Awaitable[T], what: str) -> T:
    """Wait for an answer, or say which one did not come."""
    try:
        return await asyncio.wait_for(wait, PATIENCE)
    except TimeoutError:
        raise TimeoutError(f"no {what} within {PATIENCE:g} s") from None
