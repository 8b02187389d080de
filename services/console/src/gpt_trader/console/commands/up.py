"""`gpt-trader up`: the whole system on one machine, watched until it is told to stop."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, NoReturn

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
from gpt_trader.console.stack.plan import Mode, Plan, PortTaken, RealVenue, choose_ports
from gpt_trader.console.stack.policies import Profile, shipped_policy, shipped_universe
from gpt_trader.console.stack.process import ProcessFailed, is_alive
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.runtime.bus import Bus
from gpt_trader.runtime.clock import Clock, SystemClock
from gpt_trader.runtime.lifecycle import leaves

_FUTURE = "BIP-20DEC30-CDE"
"""Coinbase's perpetual-style bitcoin contract; it follows BTC-USD, which must be among the products."""

Products = Annotated[
    str | None, typer.Option(help="Products of the demo market, separated by commas; default: six, or the profile's.")
]
Futures = Annotated[bool, typer.Option("--futures", help="Trade a US future (CFM) as well: BIP-20DEC30-CDE.")]
Intervals = Annotated[str, typer.Option(help="Candle intervals, separated by commas; strategies use the first.")]
Strategies = Annotated[str, typer.Option(help="Strategies to run, separated by commas.")]
Rate = Annotated[
    str | None, typer.Option(help="Seconds of trading time per second of real time; default 30 in the demo, else 1.")
]
Modes = Annotated[
    Mode,
    typer.Option(
        help="demo: a simulated market; paper: the real venue's prices, orders to a simulated one; "
        "dry_run: the real venue is read, approved orders are logged and never sent."
    ),
]
CdpKey = Annotated[Path | None, typer.Option(help="The real venue's JSON key file (0600); a dry run reads with it.")]
VenueRest = Annotated[str, typer.Option(help="host[:port] of the real venue's REST service (paper, dry_run).")]
VenueWs = Annotated[str, typer.Option(help="The real venue's market feed (paper, dry_run).")]
VenueUserWs = Annotated[str, typer.Option(help="The real venue's user channel (dry_run).")]
VenueCa = Annotated[Path | None, typer.Option(help="Authority of the real venue's certificate; default: the system's.")]
Start = Annotated[datetime | None, typer.Option(help="Trading time at start, UTC; default now (replay: needed).")]
For = Annotated[float | None, typer.Option("--for", min=1, help="Stop by itself after this many seconds of real time.")]
Summary = Annotated[Path | None, typer.Option(help="Write counts and latencies here at the end, as JSON.")]
Replay = Annotated[list[Path] | None, typer.Option(help="CSV(.gz) file or folder of trades and quotes to replay.")]
Faults = Annotated[
    Path | None, typer.Option(help="YAML of faults for the simulated exchange to play; it records what struck.")
]
Policy = Annotated[Path | None, typer.Option(help="Policy of the risk gate, copied into the run folder.")]
Shipped = Annotated[Profile | None, typer.Option(help="Shipped policy and universe to run with instead; default demo.")]
PortBase = Annotated[
    int | None, typer.Option(min=1024, max=65000, help="First of 12 consecutive ports; default free ones.")
]

_WORDS = {
    Mode.DEMO: "demo: a simulated exchange, no real money",
    Mode.PAPER: "paper: the real venue's prices, orders to a simulated exchange, no real money",
    Mode.DRY_RUN: "dry run: the real venue is read, no order is sent",
}
DEMO_PRODUCTS = ("BTC-USD", "ETH-USD", "SOL-USD", "LTC-USD", "XRP-USD", "DOGE-USD")

Otlp = Annotated[
    str | None, typer.Option(help="Send traces to this OTLP/HTTP endpoint, such as http://localhost:4318/v1/traces.")
]
Record = Annotated[bool, typer.Option("--record/--no-record", help="Record the strategy's inputs for `lab`.")]


def up(
    run_dir: RunDir = DEFAULT_RUN,
    mode: Modes = Mode.DEMO,
    cdp_key_file: CdpKey = None,
    venue_rest: VenueRest = "api.coinbase.com",
    venue_ws: VenueWs = "wss://advanced-trade-ws.coinbase.com",
    venue_user_ws: VenueUserWs = "wss://advanced-trade-ws-user.coinbase.com",
    venue_ca_file: VenueCa = None,
    products: Products = None,
    futures: Futures = False,
    intervals: Intervals = "1m,5m",
    strategies: Strategies = "trend,mean-reversion",
    rate: Rate = None,
    start: Start = None,
    seed: Annotated[int, typer.Option(help="Seed of the generated market.")] = 7,
    ticks_per_second: Annotated[int, typer.Option(min=1, max=20_000, help="Market events per second.")] = 90,
    replay: Replay = None,
    scenario: Faults = None,
    policy: Policy = None,
    policy_profile: Shipped = None,
    port_base: PortBase = None,
    record: Record = True,
    otlp_endpoint: Otlp = None,
    duration: For = None,
    summary: Summary = None,
) -> None:  # fmt: skip
    """Start everything and watch it trade; Ctrl-C stops it all. Real orders (mode live) are a deployment's to send."""
    folder = RunFolder(run_dir.resolve())
    _refuse_second_run(folder)
    is_demo = mode is Mode.DEMO
    given = RealVenue(venue_rest, venue_ws, venue_user_ws, venue_ca_file, cdp_key_file)
    tiers = shipped_universe(policy_profile or Profile.DEMO) or {}
    plan = Plan(
        run_dir=folder.root,
        products=_chosen(products.split(",") if products else tuple(tiers) or DEMO_PRODUCTS, has_futures=futures),
        tiers=tiers,
        intervals=tuple(intervals.split(",")),
        strategies=tuple(strategies.split(",")),
        rate=_decimal(rate or ("30" if is_demo else "1")),
        start=start.replace(tzinfo=UTC) if start else SystemClock().wall(),
        seed=seed,
        policy=folder.policy,
        replay=tuple(path.resolve() for path in replay or ()),
        scenario=None if scenario is None else scenario.resolve(),
        ticks_per_second=ticks_per_second,
        records=record,
        otlp_endpoint=otlp_endpoint,
        mode=mode,
        venue=_real(mode, given, is_made_up=bool(replay or start or futures or rate not in {None, "1"})),
    )
    _start(plan, _limits(policy, policy_profile), port_base, duration, summary)


def _start(plan: Plan, limits: str, port_base: int | None, duration: float | None, summary: Path | None) -> NoReturn:
    try:
        ports = choose_ports(port_base)
    except PortTaken as error:
        fail(str(error), 2)
    folder = RunFolder(plan.run_dir)
    folder.begin()
    folder.policy.write_text(limits)
    stack = LocalStack(
        plan=plan, ports=ports, folder=folder, clock=SystemClock(), say=lambda step: typer.echo(f"  {step}")
    )
    typer.echo(f"starting GPT-Trader ({_WORDS[plan.mode]}) ...")
    raise typer.Exit(asyncio.run(_run(stack, duration, summary)))


def _real(mode: Mode, venue: RealVenue, *, is_made_up: bool) -> RealVenue | None:
    """Return where the real venue is; a demo has none, and only a demo's market can be made up."""
    if mode is not Mode.DEMO and is_made_up:
        fail(f"--mode {mode} follows the real market: no --replay, --start, --futures or --rate", 2)
    if mode is Mode.DRY_RUN and venue.key_file is None:
        fail("--mode dry_run reads the account: it needs --cdp-key-file (a key that may only view will do)", 2)
    return None if mode is Mode.DEMO else venue


def _chosen(products: Sequence[str], *, has_futures: bool) -> tuple[str, ...]:
    return (*products, _FUTURE) if has_futures and _FUTURE not in products else tuple(products)


def _limits(policy: Path | None, profile: Profile | None) -> str:
    """Read the limits before the run folder moves away: they may be in it."""
    if policy and profile:
        fail("--policy and --policy-profile: choose one", 2)
    try:
        return (policy or shipped_policy(profile or Profile.DEMO)).read_text()
    except OSError as error:
        fail(f"--policy {policy}: {error.strerror}", 2)


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
