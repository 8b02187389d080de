"""Finds the running stack and speaks to it with the operator's credential."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.bus import Bus, connect
from gpt_trader.runtime.clock import Clock, ClockSettings, clock_of


class NoStack(Exception):
    """Nothing runs where the operator looked; the message says what to do."""


class RunningProcess(BaseModel):
    """One process of the stack."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    pid: int | None
    health: str | None
    log: Path


class Manifest(BaseModel):
    """What runs where; written by `up`, read by every other command."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    supervisor_pid: int
    nats_url: str
    nats_monitor: str
    operator_seed: Path
    gate_journal: Path
    exchange_rest: str
    exchange_admin: str | None
    clock: ClockSettings
    processes: Annotated[tuple[RunningProcess, ...], Field(min_length=1)]


def manifest_of(folder: RunFolder) -> Manifest:
    """Read the manifest; raises NoStack when there is none or it can't be read."""
    try:
        return Manifest.model_validate(orjson.loads(folder.manifest.read_bytes()))
    except FileNotFoundError:
        raise NoStack(
            f"nothing runs in {folder.root}: start it with `gpt-trader up` or name it with --run-dir"
        ) from None
    except (orjson.JSONDecodeError, ValidationError) as error:
        raise NoStack(f"{folder.manifest} can't be read: {error}") from error


@asynccontextmanager
async def operator(manifest: Manifest) -> AsyncIterator[tuple[Bus, Clock]]:
    """Connect as the operator; raises BusUnavailable when the bus does not answer."""
    async with connect(manifest.nats_url, manifest.operator_seed, Zone.OPERATOR) as bus:
        yield bus, clock_of(manifest.clock)
