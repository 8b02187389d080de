"""Commands that only look."""

import asyncio
from typing import Annotated, TypeVar

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from gpt_trader.console.adapters import screen
from gpt_trader.console.adapters.newsreel import follow
from gpt_trader.console.adapters.records import last_of, load, story_records
from gpt_trader.console.adapters.story import story
from gpt_trader.console.commands.options import DEFAULT_RUN, AsJson, RunDir, emit, fail, on_the_bus
from gpt_trader.console.connection import Manifest
from gpt_trader.console.domain.chain import chain_of
from gpt_trader.console.domain.picture import Picture
from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import AccountSnapshot, TradingState
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.orders import OrderEvent
from gpt_trader.runtime.bus import Bus
from gpt_trader.runtime.clock import Clock

M = TypeVar("M", bound=Message)
Limit = Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest last.")]


def status(run_dir: RunDir = DEFAULT_RUN, as_json: AsJson = False) -> None:
    """Show whether trading goes on, why not, and which services are alive."""

    async def work(bus: Bus, clock: Clock, manifest: Manifest) -> Picture:
        picture = Picture()
        await follow(bus, picture, clock, lambda _: None)
        await asyncio.sleep(1.6)
        picture.trading = picture.trading or await last_of(bus, "STATE", subjects.STATE_TRADING, TradingState)
        picture.account = picture.account or await last_of(bus, "STATE", subjects.ACCOUNT, AccountSnapshot)
        _show_status(picture, manifest, as_json=as_json)
        return picture

    on_the_bus(run_dir, work)


def _show_status(picture: Picture, manifest: Manifest, *, as_json: bool) -> None:
    alive = {name: beat for name, (beat, _) in picture.heartbeats.items()}
    names = [zone.value for zone in subjects.SERVICES]
    if as_json:
        services = {name: alive.get(name) for name in names}
        emit({"trading": picture.trading, "account": picture.account, "services": services})
        return
    typer.echo(screen.status_line(picture.trading).plain)
    for cause in picture.trading.causes if picture.trading else ():
        until = f" until {screen.clock(cause.until)}" if cause.until else ""
        what = f"{cause.status}: {cause.code} {cause.product or cause.strategy or ''}"
        typer.echo(f"  {what} since {screen.clock(cause.since)}{until}: {cause.detail}")
    typer.echo(screen.account_line(picture.account).plain)
    for name in names:
        beat = alive.get(name)
        word = "no heartbeat" if beat is None else f"{'ready' if beat.is_ready else 'not ready'} {beat.detail}"
        typer.echo(f"  {name:<12} {word}")
        if beat is not None and beat.drift:
            typer.echo(f"  {'':<12} its files say otherwise since it started: {beat.drift}")
    typer.echo(f"  bus {manifest.nats_url}   venue https://{manifest.exchange_rest}")


def orders(limit: Limit = 20, run_dir: RunDir = DEFAULT_RUN, as_json: AsJson = False) -> None:
    """Show the latest step of each order."""

    async def work(bus: Bus, _clock: Clock, _manifest: Manifest) -> list[OrderEvent]:
        return await load(bus, "ORDERS", OrderEvent)

    latest: dict[str, OrderEvent] = {}
    for event in on_the_bus(run_dir, work):
        latest[event.client_order_id] = event
    chosen = list(latest.values())[-limit:]
    _show(chosen, screen.orders(chosen), as_json=as_json)


def decisions(
    limit: Limit = 20,
    denied: Annotated[bool, typer.Option("--denied", help="Only denials.")] = False,
    product: Annotated[str | None, typer.Option(help="Only this product.")] = None,
    run_dir: RunDir = DEFAULT_RUN,
    as_json: AsJson = False,
) -> None:
    """Show verdicts with every reason for a denial."""

    async def work(bus: Bus, _clock: Clock, _manifest: Manifest) -> list[Decision]:
        return await load(bus, "DECISIONS", Decision, subjects.decisions(product) if product else ">")

    judged = [decision for decision in on_the_bus(run_dir, work) if not denied or decision.failures]
    _show(judged[-limit:], screen.decisions(judged[-limit:]), as_json=as_json)


def explain(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="Id of a signal, decision, order or fill.")],
    run_dir: RunDir = DEFAULT_RUN,
    as_json: AsJson = False,
) -> None:
    """Tell the whole story of one signal, decision, order or fill, from the market to the money."""

    async def work(bus: Bus, _clock: Clock, _manifest: Manifest) -> None:
        chain = chain_of(wanted, await story_records(bus))
        if chain is None:
            fail(f"nothing recorded has the id {wanted!r}: `gpt-trader decisions --json` lists ids")
        if as_json:
            told = {"decision": chain.decision, "intent": chain.intent, "orders": chain.orders, "fills": chain.fills}
            emit({**told, "steps": chain.steps})
        else:
            typer.echo(story(chain))

    on_the_bus(run_dir, work)


def watch(run_dir: RunDir = DEFAULT_RUN, as_json: AsJson = False) -> None:
    """Watch prices, signals, decisions, orders, positions and P&L live; Ctrl-C ends only the view."""

    async def work(bus: Bus, clock: Clock, _manifest: Manifest) -> None:
        picture = Picture()
        if as_json:
            await follow(bus, picture, clock, emit)
            await asyncio.Event().wait()
        await follow(bus, picture, clock, lambda _: None)
        with Live(console=Console(), refresh_per_second=4, screen=True) as live:
            while True:
                live.update(screen.dashboard(picture))
                await asyncio.sleep(0.25)

    on_the_bus(run_dir, work)


def _show(values: object, drawn: RenderableType, *, as_json: bool) -> None:
    if as_json:
        emit(values)
    else:
        Console().print(drawn)
