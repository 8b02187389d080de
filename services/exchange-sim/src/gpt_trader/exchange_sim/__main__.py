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
from uuid import NAMESPACE_URL, uuid5

import orjson
import uvloop
from aiohttp import web

from gpt_trader.exchange_sim.adapters.admin import AdminServer
from gpt_trader.exchange_sim.adapters.clock import RealStopwatch
from gpt_trader.exchange_sim.adapters.faults import FaultBoard
from gpt_trader.exchange_sim.adapters.jwt import JwtJudge, JwtRules
from gpt_trader.exchange_sim.adapters.keys import ApiKey, KeyKind, issue_key
from gpt_trader.exchange_sim.adapters.listeners import listen, serving
from gpt_trader.exchange_sim.adapters.recordings import load_recordings
from gpt_trader.exchange_sim.adapters.rest.limits import RateLimit
from gpt_trader.exchange_sim.adapters.rest.server import RestServer
from gpt_trader.exchange_sim.adapters.tls import server_context
from gpt_trader.exchange_sim.adapters.ws.hub import Hub
from gpt_trader.exchange_sim.adapters.ws.server import WsServer
from gpt_trader.exchange_sim.domain.fees import Fees
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.opening import future_listings, generated_listings, replayed_listings
from gpt_trader.exchange_sim.domain.orders import CUSTOMER
from gpt_trader.exchange_sim.domain.replay import Recording
from gpt_trader.exchange_sim.domain.venue import Delays, Venue
from gpt_trader.exchange_sim.ports import CannotStart
from gpt_trader.exchange_sim.service import TradingFloor
from gpt_trader.exchange_sim.settings import Settings, parse
from gpt_trader.runtime.clock import Clock, ScaledClock, SystemClock


def main() -> None:
    """Run the venue; exit status 2 means it could not start and says why."""
    settings = parse(sys.argv[1:])
    try:
        uvloop.run(run(settings))
    except CannotStart as error:
        sys.stderr.write(f"exchange-sim: {error}\n")
        sys.exit(2)


async def run(settings: Settings) -> None:
    """Open the listeners, print where they are, pulse until a signal comes."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    stopwatch = RealStopwatch()
    recordings = load_recordings(settings.replay)
    clock = _clock(settings, recordings)
    floor = TradingFloor(_venue(settings, _all_listings(settings, recordings, clock), clock.now()), clock, stopwatch)
    async with AsyncExitStack() as stack:
        state_dir = _state_dir(settings, stack)
        keys = _keys(settings, state_dir)
        faults = FaultBoard()
        judge = _judge(settings, keys, stopwatch)
        hub = Hub(
            venue=floor.venue,
            stopwatch=stopwatch,
            faults=faults,
            client_id="" if settings.profile == "sdk" else None,
            idle_seconds=settings.ws_idle_s,
        )
        floor.attach(hub)
        floor.pulse()
        venue = await serving(stack, _application(settings, floor, hub, judge, faults))
        tls, ca = server_context(state_dir, settings.host, clock.wall())
        rest = await listen(stack, venue, settings.host, settings.port, tls)
        hooks = await serving(stack, AdminServer(floor=floor, faults=faults).application())
        admin = await listen(stack, hooks, "127.0.0.1", settings.admin_port, None)
        places = {
            "rest": rest,
            "ws": f"wss://{rest}",
            "ca": str(ca),
            "key_file": str(state_dir / "cdp_key.json"),
            "view_key_file": str(state_dir / "cdp_view_key.json"),
            "admin": f"http://{admin}",
        }
        if settings.http_port is not None:
            places["http"] = await listen(stack, venue, settings.host, settings.http_port, None)
        sys.stdout.write(orjson.dumps(places).decode() + "\n")
        sys.stdout.flush()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(floor.run()), group.create_task(hub.run_cuts())]
            await stopped.wait()
            await hub.close_all()
            for task in tasks:
                task.cancel()


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
        keys[name] = issue_key(kind, name, state_dir / file_name)
    return keys


def _judge(settings: Settings, keys: dict[str, ApiKey], stopwatch: RealStopwatch) -> JwtJudge:
    rules = JwtRules(
        clock_skew_s=settings.clock_skew_s,
        single_use_nonce=settings.single_use_nonce,
        spurious_401_rate=float(settings.spurious_401_rate),
        hosts=frozenset(settings.aliases),
    )
    rng = Random(f"{settings.seed}:401")  # noqa: S311 -- a fault rate, not a secret
    return JwtJudge(keys=keys, rules=rules, stopwatch=stopwatch, rng=rng)


def _application(
    settings: Settings, floor: TradingFloor, hub: Hub, judge: JwtJudge, faults: FaultBoard
) -> web.Application:
    stopwatch = hub.stopwatch
    sockets = WsServer(
        floor=floor, hub=hub, judge=judge, faults=faults, stopwatch=stopwatch, is_compressed=settings.deflate
    )
    rng = Random(f"{settings.seed}:latency")  # noqa: S311 -- a delay, not a secret
    rest = RestServer(
        floor=floor,
        judge=judge,
        faults=faults,
        private_limit=RateLimit(per_second=settings.private_limit, stopwatch=stopwatch),
        public_limit=RateLimit(per_second=settings.public_limit, stopwatch=stopwatch),
        latency=lambda: rng.uniform(0.5, 1.5) * settings.latency_ms / 1000,
    )
    app = web.Application(middlewares=[sockets.middleware()])
    rest.register(app)
    return app


if __name__ == "__main__":
    main()
