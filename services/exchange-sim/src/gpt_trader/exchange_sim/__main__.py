"""Wire the venue together and serve until told to stop."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import BinaryIO
from uuid import NAMESPACE_URL, uuid5

import orjson
import uvloop
from aiohttp import web

from gpt_trader.contracts.subjects import Zone
from gpt_trader.exchange_sim.adapters import metrics
from gpt_trader.exchange_sim.adapters.admin import AdminServer
from gpt_trader.exchange_sim.adapters.clock import RealStopwatch
from gpt_trader.exchange_sim.adapters.faults import Faults, Mishaps
from gpt_trader.exchange_sim.adapters.follow import follow
from gpt_trader.exchange_sim.adapters.jwt import JwtJudge, JwtRules
from gpt_trader.exchange_sim.adapters.keys import ApiKey, KeyKind, issue_key
from gpt_trader.exchange_sim.adapters.listeners import listen, serving
from gpt_trader.exchange_sim.adapters.recordings import load_recordings
from gpt_trader.exchange_sim.adapters.rest.limits import RateLimit
from gpt_trader.exchange_sim.adapters.rest.server import RestServer
from gpt_trader.exchange_sim.adapters.scenarios import read_recording, read_scenario
from gpt_trader.exchange_sim.adapters.tls import server_context
from gpt_trader.exchange_sim.adapters.ws.hub import Hub
from gpt_trader.exchange_sim.adapters.ws.server import WsServer
from gpt_trader.exchange_sim.domain.accounts import futures_wallet
from gpt_trader.exchange_sim.domain.delays import Delays
from gpt_trader.exchange_sim.domain.faults.fault import Scenario
from gpt_trader.exchange_sim.domain.fees import Fees
from gpt_trader.exchange_sim.domain.followed import Following
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.opening import future_listings, generated_listings, replayed_listings
from gpt_trader.exchange_sim.domain.orders import CUSTOMER
from gpt_trader.exchange_sim.domain.products import FUTURES_CURRENCY
from gpt_trader.exchange_sim.domain.replay import Recording
from gpt_trader.exchange_sim.domain.venue import Venue
from gpt_trader.exchange_sim.ports import CannotStart, Stopwatch
from gpt_trader.exchange_sim.service import TradingFloor
from gpt_trader.exchange_sim.settings import Settings, listed_faults, parse
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import Bus, BusError, connect
from gpt_trader.runtime.clock import Clock, ScaledClock, SystemClock
from gpt_trader.runtime.health import Health, Place, serve_health

SERVICE = "exchange-sim"


def main() -> None:
    """Run the venue, or list its faults; exit status 2 means it could not start and says why."""
    if sys.argv[1:] == ["faults"]:
        sys.stdout.write(listed_faults())
        return
    settings = parse(sys.argv[1:])
    logs.configure("info", "json")
    try:
        uvloop.run(run(settings))
    except (CannotStart, BusError) as error:
        sys.stderr.write(f"exchange-sim: {error}\n")
        sys.exit(2)


async def run(settings: Settings) -> None:
    """Open the listeners, print where they are, pulse until a signal comes."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    stopwatch = RealStopwatch()
    scenario = Scenario() if settings.scenario is None else read_scenario(settings.scenario)
    recording = [] if settings.repeat is None else read_recording(settings.repeat)
    following = Following(settings.products)
    floor = _floor(settings, stopwatch, following)
    async with AsyncExitStack() as stack:
        faults = Faults(stopwatch=stopwatch, recording=_recording(settings, stack))
        hub = Hub(
            floor=floor,
            stopwatch=stopwatch,
            faults=faults,
            client_id="" if settings.profile == "sdk" else None,
            idle_seconds=settings.ws_idle_s,
        )
        for feed in (Mishaps(floor=floor, faults=faults), hub, metrics.Meter(hub)):
            floor.attach(feed)
        floor.pulse()
        buses = await _follow(stack, settings, following, floor)
        places, health = await _open(stack, settings, floor, hub)
        sys.stdout.write(orjson.dumps(places).decode() + "\n")
        sys.stdout.flush()
        faults.restart()
        faults.order(scenario.ordered())
        faults.board.repeat(recording)
        health.ready(True, "the market is open")
        async with asyncio.TaskGroup() as group:
            works = [floor.run(), hub.run_cuts(), *(bus.watch() for bus in buses)]
            tasks = [group.create_task(work) for work in works]
            await stopped.wait()
            await hub.close_all()
            for task in tasks:
                task.cancel()


async def _follow(
    stack: AsyncExitStack, settings: Settings, following: Following, floor: TradingFloor
) -> tuple[Bus, ...]:
    """Listen to the feed that makes the market, if one was named."""
    if settings.follow is None:
        return ()
    bus = await stack.enter_async_context(connect(settings.follow, settings.follow_seed_file, Zone.EXCHANGE))
    await follow(bus, following, floor)
    return (bus,)


async def _open(
    stack: AsyncExitStack, settings: Settings, floor: TradingFloor, hub: Hub
) -> tuple[dict[str, str], Health]:
    """Open every listener; the answer is where they are."""
    state_dir = _state_dir(settings, stack)
    judge = _judge(settings, _keys(settings, state_dir), hub.stopwatch)
    venue = await serving(stack, _application(settings, floor, hub, judge))
    tls, ca = server_context(state_dir, settings.host, SystemClock().wall())
    rest = await listen(stack, venue, settings.host, settings.port, tls)
    hooks = await serving(stack, AdminServer(floor=floor, faults=hub.faults).application())
    admin = await listen(stack, hooks, "127.0.0.1", settings.admin_port, None)
    health, place = Health(SERVICE), Place(settings.health_host, settings.health_port)
    places = {
        "rest": rest,
        "ws": f"wss://{rest}",
        "ca": str(ca),
        "key_file": str(state_dir / "cdp_key.json"),
        "view_key_file": str(state_dir / "cdp_view_key.json"),
        "admin": f"http://{admin}",
        "health": f"http://{await stack.enter_async_context(serve_health(place, health))}",
    }
    if settings.http_port is not None:
        places["http"] = await listen(stack, venue, settings.host, settings.http_port, None)
    return places, health


def _floor(settings: Settings, stopwatch: Stopwatch, following: Following) -> TradingFloor:
    recordings = load_recordings(settings.replay)
    clock = _clock(settings, recordings)
    if settings.follow is not None:
        return TradingFloor(lambda now: _venue(settings, following.listings(now), now), clock, stopwatch)
    return TradingFloor(lambda now: _venue(settings, _all_listings(settings, recordings, clock), now), clock, stopwatch)


def _recording(settings: Settings, stack: AsyncExitStack) -> BinaryIO | None:
    if settings.record is None:
        return None
    try:
        return stack.enter_context(settings.record.open("wb"))
    except OSError as error:
        raise CannotStart(f"--record {settings.record}: {error.strerror}") from error


def _clock(settings: Settings, recordings: Sequence[Recording]) -> Clock:
    wall = SystemClock().wall()
    start = settings.clock_start
    if recordings and start is None:
        start = datetime.fromtimestamp(min(recording.starts[0] for recording in recordings), UTC)
    if start is None and settings.clock_rate == 1:
        return SystemClock()
    return ScaledClock(origin=settings.clock_origin or wall, start=start or wall, rate=settings.clock_rate)


def _all_listings(settings: Settings, recordings: Sequence[Recording], clock: Clock) -> list[Listing]:
    spot = _listings(settings, recordings, clock)
    spacing = Decimal(1000000) * len(spot) / settings.ticks_per_second * settings.clock_rate
    try:
        futures = future_listings(
            settings.futures,
            spot,
            settings.seed,
            clock.now(),
            timedelta(microseconds=int(spacing)),
            lambda name: Random(f"{settings.seed}:{name}"),  # noqa: S311 -- a market, not a secret
        )
    except ValueError as error:
        raise CannotStart(f"--futures: {error}") from error
    return [*spot, *futures]


def _listings(settings: Settings, recordings: Sequence[Recording], clock: Clock) -> list[Listing]:
    start = clock.now()
    if not recordings:
        spacing = Decimal(1000000) * len(settings.products) / settings.ticks_per_second * settings.clock_rate
        return generated_listings(
            settings.products,
            settings.seed,
            start,
            timedelta(microseconds=int(spacing)),
            lambda name: Random(f"{settings.seed}:{name}"),  # noqa: S311 -- a market, not a secret
        )
    first = datetime.fromtimestamp(min(recording.starts[0] for recording in recordings), UTC)
    last = datetime.fromtimestamp(max(recording.starts[-1] for recording in recordings), UTC)
    opening = settings.clock_start or first
    shift = opening - first if settings.replay_from_start else timedelta()
    if not first + shift <= opening <= last + shift:
        raise CannotStart(
            f"--clock-start {opening.isoformat()} is outside the recording, {first.isoformat()} to {last.isoformat()};"
            " --replay-from-start plays it at any time"
        )
    per_product = settings.ticks_per_second / settings.clock_rate / len(recordings)
    return replayed_listings(recordings, opening, shift, per_product)


def _venue(settings: Settings, listings: list[Listing], opened_at: datetime) -> Venue:
    venue = Venue(
        listings=listings,
        fees=Fees(maker=settings.maker_fee, taker=settings.taker_fee),
        futures_fees=Fees(
            maker=settings.futures_maker_fee,
            taker=settings.futures_taker_fee,
            per_contract=settings.futures_contract_fee,
        ),
        delays=Delays(
            pending=timedelta(milliseconds=settings.pending_ms),
            visibility=timedelta(milliseconds=settings.visibility_ms),
            cancel=timedelta(milliseconds=settings.cancel_ms),
        ),
        name=f"exchange-sim:{settings.seed}",
        opened_at=opened_at,
    )
    spot = [listing.product for listing in listings if listing.product.contract is None]
    currencies = [currency for product in spot for currency in (product.quote, product.base)]
    for currency in dict.fromkeys([*settings.balances, *currencies]):
        venue.ledger.deposit(CUSTOMER, currency, settings.balances.get(currency, Decimal(0)))
    venue.ledger.deposit(futures_wallet(CUSTOMER), FUTURES_CURRENCY, settings.futures_wallet)
    return venue


def _state_dir(settings: Settings, stack: AsyncExitStack) -> Path:
    if settings.state_dir is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="exchange-sim-")))
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"--state-dir {settings.state_dir}: {error.strerror}") from error
    return settings.state_dir


def _keys(settings: Settings, state_dir: Path) -> dict[str, ApiKey]:
    wanted = (("cdp_key.json", KeyKind(settings.key_kind)), ("cdp_view_key.json", KeyKind.VIEW_ONLY))
    organisation = uuid5(NAMESPACE_URL, "exchange-sim")
    keys = {}
    for file_name, kind in wanted:
        name = f"organizations/{organisation}/apiKeys/{uuid5(organisation, file_name)}"
        key = issue_key(kind, name, state_dir / file_name)
        keys[key.name] = key
    return keys


def _judge(settings: Settings, keys: dict[str, ApiKey], stopwatch: Stopwatch) -> JwtJudge:
    rules = JwtRules(
        clock_skew_s=settings.clock_skew_s,
        single_use_nonce=settings.single_use_nonce,
        spurious_401_rate=float(settings.spurious_401_rate),
        hosts=frozenset(settings.aliases),
    )
    rng = Random(f"{settings.seed}:401")  # noqa: S311 -- a fault rate, not a secret
    return JwtJudge(keys=keys, rules=rules, stopwatch=stopwatch, rng=rng)


def _application(settings: Settings, floor: TradingFloor, hub: Hub, judge: JwtJudge) -> web.Application:
    stopwatch, faults = hub.stopwatch, hub.faults
    sockets = WsServer(
        floor=floor, hub=hub, judge=judge, faults=faults, stopwatch=stopwatch, is_compressed=settings.deflate
    )
    rng = Random(f"{settings.seed}:latency")  # noqa: S311 -- a delay, not a secret
    rest = RestServer(
        floor=floor,
        judge=judge,
        faults=faults,
        stopwatch=stopwatch,
        private_limit=RateLimit(per_second=settings.private_limit, stopwatch=stopwatch),
        public_limit=RateLimit(per_second=settings.public_limit, stopwatch=stopwatch),
        latency=lambda: rng.uniform(0.5, 1.5) * settings.latency_ms / 1000,
        count=lambda method, status: metrics.REQUESTS.labels(method, status).inc(),
    )
    app = web.Application(middlewares=[sockets.middleware()])
    rest.register(app)
    return app


if __name__ == "__main__":
    main()
