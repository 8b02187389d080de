"""Commands that the chart's Jobs and tests run; a person needs them only to prepare Secrets elsewhere."""

import asyncio
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
import yaml

from gpt_trader.console.cluster.api import ApiRefused, ReleaseSecrets, release_secrets, secret_manifest
from gpt_trader.console.cluster.checks import CheckFailed, bus_permissions, filled_order, gate_ready
from gpt_trader.console.cluster.credentials import Installation, completed, secret_names
from gpt_trader.console.commands.options import fail
from gpt_trader.runtime.bus import BusError
from gpt_trader.runtime.clock import SystemClock
from gpt_trader.runtime.secret_files import KeyUnusable

app = typer.Typer(help="Prepare and check a release on Kubernetes.", no_args_is_help=True)

Release = Annotated[str, typer.Option(help="Name of the release.")]
Prefix = Annotated[str, typer.Option(help="Beginning of the Secrets' names.")]
Names = Annotated[list[str], typer.Option(help="DNS name or address in the certificate of the gate's egress.")]
ExchangeNames = Annotated[
    list[str] | None, typer.Option(help="The same for the simulated exchange; none = there is none.")
]
NatsUrl = Annotated[str, typer.Option(help="Address of the bus.")]
Patience = Annotated[float, typer.Option(min=1, help="Longest wait in seconds.")]


@app.command()
def bootstrap(
    release: Release,
    prefix: Prefix,
    egress_name: Names,
    exchange_name: ExchangeNames = None,
    api: Annotated[str, typer.Option(help="Address of the API server.")] = "https://kubernetes.default.svc",
    only_print: Annotated[bool, typer.Option("--print", help="Print fresh Secrets as YAML and ask nobody.")] = False,
) -> None:
    """Make the Secrets that the release lacks; what is there stays, so it is safe to repeat."""
    installation = Installation(egress=tuple(egress_name), exchange=tuple(exchange_name or ()))
    now = SystemClock().wall()
    if only_print:
        made = completed({}, installation, now)
        yaml.safe_dump_all([secret_manifest(release, f"{prefix}-{short}", made[short]) for short in made], sys.stdout)
        return
    try:
        asyncio.run(_bootstrap(api, release, prefix, installation, now))
    except (ApiRefused, KeyUnusable, OSError) as error:
        fail(f"bootstrap: {error}")


async def _bootstrap(api: str, release: str, prefix: str, installation: Installation, now: datetime) -> None:
    async with release_secrets(api, release, prefix) as secrets:
        await _complete(secrets, installation, now)


async def _complete(secrets: ReleaseSecrets, installation: Installation, now: datetime) -> None:
    found = {short: await secrets.held(short) for short in secret_names(installation)}
    held = {short: content for short, content in found.items() if content is not None}
    for short, content in completed(held, installation, now).items():
        if short not in held:
            await secrets.create(short, content)
            typer.echo(f"{secrets.prefix}-{short} made")
        elif content != held[short]:
            await secrets.change(short, content)
            typer.echo(f"{secrets.prefix}-{short} changed: it follows from a Secret that was made anew")


@app.command("check-bus")
def check_bus(
    nats_url: NatsUrl, seeds: Annotated[Path, typer.Option(help="Folder with <zone>/seed of four services.")]
) -> None:
    """Prove that the services can not publish what is not theirs."""
    try:
        asyncio.run(bus_permissions(nats_url, seeds, typer.echo))
    except (CheckFailed, BusError, KeyUnusable) as error:
        fail(str(error))


@app.command("check-gate")
def check_gate(url: Annotated[str, typer.Option(help="Health address of the gate.")], patience: Patience = 120) -> None:
    """Wait until the gate is ready."""
    try:
        typer.echo(asyncio.run(gate_ready(url, timedelta(seconds=patience))))
    except CheckFailed as error:
        fail(str(error))


@app.command("check-order")
def check_order(
    nats_url: NatsUrl,
    seed: Annotated[Path, typer.Option(help="The operator's seed.")],
    patience: Patience = 300,
) -> None:
    """Wait for one order from signal to fill, and show it."""
    try:
        chain = asyncio.run(filled_order(nats_url, seed, timedelta(seconds=patience)))
    except (CheckFailed, KeyUnusable) as error:
        fail(str(error))
    for fill in chain.fills:
        typer.echo(f"{chain.decision.decision_id}: {fill.side} {fill.quantity} {fill.product} @ {fill.price}")
