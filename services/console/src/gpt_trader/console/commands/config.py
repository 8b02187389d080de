"""`gpt-trader config`: what each service of a run is told, and who told it; each service says so itself."""

import subprocess
import sys
from typing import Annotated, Any

import orjson
import typer

from gpt_trader.console.commands.config_check import check
from gpt_trader.console.commands.options import DEFAULT_RUN, AsJson, RunDir, emit, fail
from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.console.stack.plan import SERVICES

app = typer.Typer(help="What the services are configured to do.", no_args_is_help=True)
app.command()(check)

Service = Annotated[str | None, typer.Option(help="Only this service; default all.")]
Origin = Annotated[bool, typer.Option("--origin", help="Name the source of each value: file:line:column, $VARIABLE.")]


@app.command()
def show(
    run_dir: RunDir = DEFAULT_RUN, service: Service = None, origin: Origin = False, as_json: AsJson = False
) -> None:
    """Show the settings of a run's services; exit code 2 = a service refuses them, and says where and why."""
    folder = RunFolder(run_dir.resolve())
    if not folder.profile.is_file():
        fail(f"there is no {folder.profile}: start a stack with `gpt-trader up`, or name it with --run-dir", 3)
    _require_known(service)
    found = {
        name: _told(name, "--show-settings", "--profile", str(folder.profile))
        for name in ([service] if service else SERVICES)
    }
    if as_json:
        emit(found)
        return
    for name, settings in found.items():
        typer.echo(f"{name}:")
        for key, entry in settings.items():
            typer.echo(f"  {key}: {entry['value']}" + (f"   [{entry['origin']}]" if origin else ""))


@app.command()
def reference(service: Service = None, as_json: AsJson = False) -> None:
    """Show every setting of every service with default and meaning, as the service itself states them."""
    _require_known(service)
    found = {name: _told(name, "--show-reference") for name in ([service] if service else SERVICES)}
    if as_json:
        emit(found)
        return
    for name, settings in found.items():
        typer.echo(f"{name}:")
        for key, entry in settings.items():
            default = f"default {entry['default']}" if "default" in entry else "must be given"
            typer.echo(f"  {key}: {entry['meaning']} [{default}]")


@app.command()
def limits(as_json: AsJson = False) -> None:
    """Show every limit of the gate: unit, which side is tighter, the value of each shipped policy, and its meaning."""
    found = _said("risk-gate", "--show-limits")
    if as_json:
        emit(found)
        return
    for one in found:
        values = ", ".join(f"{profile} {value}" for profile, value in one["values"].items())
        typer.echo(f"{one['key']} [{one['unit']}, tighter: {one['tighter']}]: {one['meaning']}\n  {values}")


def _require_known(service: str | None) -> None:
    if service is not None and service not in SERVICES:
        fail(f"--service {service}: there is {', '.join(SERVICES)}", 2)


def _told(service: str, *words: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = _said(service, *words)
    return found


def _said(service: str, *words: str) -> Any:  # noqa: ANN401 - whatever JSON the service writes
    argv = [sys.executable, "-m", f"gpt_trader.{service.replace('-', '_')}", *words]
    said = subprocess.run(argv, capture_output=True, check=False)  # noqa: S603 - our own module in our own interpreter
    if said.returncode:
        fail(said.stderr.decode(errors="replace").strip(), said.returncode)
    return orjson.loads(said.stdout)
