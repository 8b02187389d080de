"""The `gpt-trader` command."""

import typer

from gpt_trader.console.commands import act, audit, cluster, config, lab, look, positions
from gpt_trader.console.commands.preflight import preflight
from gpt_trader.console.commands.up import up

app = typer.Typer(
    name="gpt-trader",
    help="Run, watch and stop GPT-Trader. Every command has --help; those that print also have --json.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    up, preflight, look.status, look.watch, look.orders, look.decisions, look.explain,
    act.kill, act.reset, act.pause, act.resume, act.reduce_only, act.flatten,
    lab.replay, lab.rejudge,
):  # fmt: skip
    app.command()(command)
app.add_typer(audit.app, name="audit")
app.add_typer(cluster.app, name="cluster")
app.add_typer(config.app, name="config")
app.add_typer(lab.app, name="lab")
app.add_typer(positions.app, name="positions")


def main() -> None:
    """Run the command that was asked for."""
    app()


if __name__ == "__main__":
    main()
