"""`gpt-trader up`: the whole system on one machine, watched until it is told to stop."""

import asyncio
import contextlib
import signal
import sys
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.live import Live

from gpt_trader.console.adapters import screen
from gpt_trader.console.adapters.newsreel import follow
from gpt_trader.console.adapters.run_summary import run_summary
from gpt_trader.console.commands.options import DEFAULT_RUN, RunDir, fail
from gpt_trader.console.connection import Manifest, NoStack, manifest_of, operator
from gpt_trader.console.domain.picture import News, Picture
from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.console.stack.local import LocalStack, running
from gpt_trader.console.stack.plan import Plan, PortTaken, choose_ports
from gpt_trader.console.stack.policies import shipped_policy
from gpt_trader.console.stack.process import ProcessFailed, is_alive
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.runtime.bus import Bus
from gpt_trader.runtime.clock import Clock, SystemClock
from gpt_trader.runtime.lifecycle import leaves

Products = Annotated[str, typer.Option(help="Products of the demo market, separated by commas.")]
Intervals = Annotated[str, typer.Option(help="Candle intervals, separated by commas; strategies use the first.")]
Strategies = Annotated[str, typer.Option(help="Strategies to run, separated by commas.")]
Rate = Annotated[str, typer.Option(help="Seconds of trading time per second of real time.")]
Start = Annotated[datetime | None, typer.Option(help="Trading time at start, UTC; default now (replay: needed).")]
For = Annotated[float | None, typer.Option("--for", min=1, help="Stop by itself after this many seconds of real time.")]
Summary = Annotated[Path | None, typer.Option(help="Write counts and latencies here at the end, as JSON.")]
Replay = Annotated[list[Path] | None, typer.Option(help="CSV(.gz) file or folder of trades and quotes to replay.")]
Policy = Annotated[Path | None, typer.Option(help="Policy of the risk gate; default: the shipped demo policy.")]
PortBase = Annotated[
    int | None, typer.Option(min=1024, max=65000, help="First of 11 consecutive ports; default free ones.")
]

Record = Annotated[bool, typer.Option("--record/--no-record", help="Record the strategy's inputs for `lab`.")]


def up(
    run_dir: RunDir = DEFAULT_RUN,
    products: Products = "BTC-USD,ETH-USD,SOL-USD,LTC-USD,XRP-USD,DOGE-USD",
    intervals: Intervals = "1m,5m",
    strategies: Strategies = "trend,mean-reversion",
    rate: Rate = "30",
    start: Start = None,
    seed: Annotated[int, typer.Option(help="Seed of the generated market.")] = 7,
    ticks_per_second: Annotated[int, typer.Option(min=1, max=20_000, help="Market events per second.")] = 90,
    replay: Replay = None,
    policy: Policy = None,
    port_base: PortBase = None,
    record: Record = True,
    duration: For = None,
    summary: Summary = None,
) -> None:  # fmt: skip
    """Start everything in demo mode and watch it trade; Ctrl-C stops it all."""
    clock = SystemClock()
    folder = RunFolder(run_dir.resolve())
    _refuse_second_run(folder)
    plan = Plan(
        run_dir=folder.root,
        products=tuple(products.split(",")),
        intervals=tuple(intervals.split(",")),
        strategies=tuple(strategies.split(",")),
        rate=_decimal(rate),
        start=start.replace(tzinfo=UTC) if start else clock.wall(),
        seed=seed,
        policy=policy.resolve() if policy else shipped_policy("demo"),
        replay=tuple(path.resolve() for path in replay or ()),
        ticks_per_second=ticks_per_second,
        records=record,
    )
    try:
        ports = choose_ports(port_base)
    except PortTaken as error:
        fail(str(error), 2)
    folder.begin()
    stack = LocalStack(plan=plan, ports=ports, folder=folder, clock=clock, say=lambda step: typer.echo(f"  {step}"))
    typer.echo("starting GPT-Trader (demo: a simulated exchange, no real money) ...")
    raise typer.Exit(asyncio.run(_run(stack, duration, summary)))


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        fail(f"--rate {text!r}: not a number", 2)


def _refuse_second_run(folder: RunFolder) -> None:
    try:
        manifest = manifest_of(folder)
    except NoStack:
        return
    if is_alive(manifest.supervisor_pid):
        fail(f"a stack already runs in {folder.root} (process {manifest.supervisor_pid}): stop it, or choose --run-dir")


async def _run(stack: LocalStack, duration: float | None, summary: Path | None) -> int:
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    picture = Picture()
    failures: list[BaseException] = []
    try:
        async with asyncio.TaskGroup() as group:
            life = group.create_task(_live(stack, picture, stop, duration, summary))
            group.create_task(_stopped(stop, life))
    except* ProcessFailed as failed:
        failures = leaves(failed)
    for failure in failures:
        typer.secho(f"gpt-trader: {failure}", err=True, fg=typer.colors.RED)
    typer.echo("stopped; nothing is left running")
    return 1 if failures else 0


async def _stopped(stop: asyncio.Event, life: asyncio.Task[None]) -> None:
    await stop.wait()
    life.cancel()


async def _live(
    stack: LocalStack, picture: Picture, stop: asyncio.Event, duration: float | None, summary: Path | None
) -> None:
    try:
        async with running(stack) as manifest, operator(manifest) as (bus, clock):
            _introduce(stack, manifest)
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(duration):
                        await _show(bus, clock, picture)
            finally:
                if summary is not None:
                    _write(summary, await run_summary(picture, manifest))
    finally:
        stop.set()


def _write(path: Path, summary: dict[str, object]) -> None:
    path.write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2, default=_figure) + b"\n")


def _figure(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


def _introduce(stack: LocalStack, manifest: Manifest) -> None:
    run = stack.folder.root
    nats = f"nats --server {manifest.nats_url} --nkey {manifest.operator_seed}"
    at = "" if run == DEFAULT_RUN.resolve() else f" --run-dir {run}"
    typer.echo(
        f"""ready. logs: {run / "logs"}
try in another terminal:
  .venv/bin/gpt-trader status{at}
  .venv/bin/gpt-trader decisions --denied{at}
  .venv/bin/gpt-trader explain ID{at}        (ids: gpt-trader decisions --json)
  .venv/bin/gpt-trader kill{at}              or, with the NATS command line:
  {nats} pub control.kill now
  .venv/bin/gpt-trader reset{at}
"""
    )


async def _show(bus: Bus, clock: Clock, picture: Picture) -> None:
    if sys.stdout.isatty():
        await follow(bus, picture, clock, lambda _: None)
        with Live(console=Console(), refresh_per_second=4) as live:
            while True:
                live.update(screen.dashboard(picture))
                await asyncio.sleep(0.25)
    await follow(bus, picture, clock, _print_news)
    while True:
        typer.echo(f"{screen.status_line(picture.trading).plain} | {screen.account_line(picture.account).plain}")
        await asyncio.sleep(10)


def _print_news(news: News) -> None:
    match news:
        case Decision():
            request = f"{news.signal.strategy} {news.signal.action} {news.product}"
            typer.echo(f"{screen.clock(news.decided_at)} {news.verdict} {request}: {screen.why(news)}")
        case OrderEvent():
            typer.echo(f"{screen.clock(news.occurred_at)} order {news.side} {news.product} {news.status} {news.reason}")
        case Fill():
            amount = f"{screen.plain(news.quantity)} @ {screen.plain(news.price)}"
            typer.echo(f"{screen.clock(news.occurred_at)} fill {news.side} {news.product} {amount}")
        case _:
            return
