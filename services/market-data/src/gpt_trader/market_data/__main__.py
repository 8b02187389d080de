"""Wires market-data together."""

import asyncio
import ssl
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import NoReturn

import aiohttp
from prometheus_client import REGISTRY

from gpt_trader.contracts.market import Tier
from gpt_trader.contracts.subjects import Zone
from gpt_trader.market_data.adapters.archive import BusArchive
from gpt_trader.market_data.adapters.coinbase_feed import CoinbaseFeed
from gpt_trader.market_data.adapters.coinbase_rest import CoinbaseRest, RestSettings
from gpt_trader.market_data.adapters.metrics import Metrics
from gpt_trader.market_data.adapters.outbox import BusOutbox
from gpt_trader.market_data.adapters.universe_file import UniverseFileInvalid, tiers
from gpt_trader.market_data.domain.backoff import Backoff
from gpt_trader.market_data.domain.feed import Limits
from gpt_trader.market_data.domain.outliers import OutlierLimits
from gpt_trader.market_data.ports import UnknownProduct
from gpt_trader.market_data.service.history import History
from gpt_trader.market_data.service.market_data import MarketData, Scope
from gpt_trader.market_data.service.surroundings import Pace, Surroundings
from gpt_trader.market_data.settings import MarketDataSettings
from gpt_trader.runtime import lifecycle, logs, tracing
from gpt_trader.runtime.bus import Bus
from gpt_trader.runtime.clock import clock_of
from gpt_trader.runtime.health import Health, serve_health
from gpt_trader.runtime.settings import REFUSED, load

SERVICE = "market-data"
CHECK_UNIVERSE = "--check-universe"
"""Reads the universe files that are named next, says what is wrong in them, and starts nothing."""
_STORE_RETRY = timedelta(milliseconds=250)


def main() -> None:
    """Run until SIGTERM; exit code 2 means that settings or a product were refused."""
    if sys.argv[1:2] == [CHECK_UNIVERSE]:
        _check(sys.argv[2:])
    settings = load(MarketDataSettings, service=SERVICE, argv=sys.argv[1:])
    logs.configure(settings.log_level, settings.log_format)
    try:
        followed = _followed(settings)
        tls = _tls(settings.venue_ca_file)
    except (UniverseFileInvalid, OSError, ssl.SSLError) as error:
        _refuse(error)
    refusals: list[str] = []

    async def serve() -> None:
        try:
            await _run(settings, followed, tls)
        except* UnknownProduct as group:
            refusals.extend(str(error) for error in group.exceptions)

    code = lifecycle.run(serve)
    if refusals:
        _refuse("; ".join(refusals))
    raise SystemExit(code)


async def _run(settings: MarketDataSettings, followed: Mapping[str, Tier], tls: ssl.SSLContext) -> None:
    clock = clock_of(settings)
    health = Health(SERVICE)
    chances = Random(f"{clock.wall().isoformat()} {settings.shard_index}")  # noqa: S311 - spreads retries, guards nothing
    metrics = Metrics(REGISTRY, shards=settings.shard_count)
    async with (
        Bus.connect(settings, zone=Zone.MARKET_DATA) as bus,
        serve_health(settings, health),
        aiohttp.ClientSession(trust_env=False) as session,
    ):
        outbox = BusOutbox(bus, clock, metrics, _STORE_RETRY)
        venue = CoinbaseRest(
            session=session, tls=tls, settings=_rest(settings), chances=chances, answered=metrics.answered
        )
        around = Surroundings(
            feed=CoinbaseFeed(url=settings.venue_ws, tls=_for_socket(settings, tls), timeout=settings.venue_timeout),
            outlet=outbox,
            history=History(venue=venue, outlet=outbox, clock=clock, grace=settings.candle_grace),
            gauges=metrics,
            clock=clock,
            chances=chances,
            pace=_pace(settings),
        )
        service = MarketData(_scope(settings, followed), venue, BusArchive(bus=bus), around, health)
        with tracing.exporting(settings.otlp_endpoint, SERVICE):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(bus.watch())
                tasks.create_task(lifecycle.beat(bus, health, clock, settings, settings.shard()))
                tasks.create_task(outbox.drain())
                tasks.create_task(service.run())


def _check(files: Sequence[str]) -> NoReturn:
    try:
        for path in files:
            tiers(Path(path))
    except UniverseFileInvalid as error:
        _refuse(error)
    raise SystemExit(0)


def _followed(settings: MarketDataSettings) -> Mapping[str, Tier]:
    known = tiers(settings.universe_file)
    untiered = sorted(set(settings.products) - set(known))
    if untiered:
        raise UniverseFileInvalid(f"{settings.universe_file}: products lacks {', '.join(untiered)}")
    return {product: known[product] for product in settings.products or known}


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # names no file by itself
        raise OSError(f"venue_ca_file {ca_file}: {error.strerror or error}") from error


def _for_socket(settings: MarketDataSettings, tls: ssl.SSLContext) -> ssl.SSLContext | None:
    return tls if settings.venue_ws.startswith("wss:") else None


def _rest(settings: MarketDataSettings) -> RestSettings:
    return RestSettings(
        url=settings.venue_rest,
        timeout=settings.venue_timeout,
        tries=settings.venue_tries,
        longest_wait=settings.retry_cap,
    )


def _pace(settings: MarketDataSettings) -> Pace:
    return Pace(
        limits=Limits(
            message_age=settings.stale_message,
            heartbeat_age=settings.stale_heartbeat,
            resync=settings.resync_within,
        ),
        backoff=Backoff(first=settings.reconnect_first, cap=settings.reconnect_cap, jitter=settings.reconnect_jitter),
        check_every=settings.check_every,
    )


def _scope(settings: MarketDataSettings, followed: Mapping[str, Tier]) -> Scope:
    return Scope(
        tiers=followed,
        intervals=settings.intervals,
        history_candles=settings.history_candles,
        shard=(settings.shard_index, settings.shard_count),
        products_per_connection=settings.products_per_connection,
        outliers=OutlierLimits(
            sigmas=settings.outlier_sigmas,
            window=settings.outlier_window,
            floor=settings.outlier_floor,
            move=settings.outlier_move,
            confirmed_within=settings.outlier_confirmed_within,
        ),
        book_every=settings.book_every,
        catalogue_every=settings.catalogue_every,
    )


def _refuse(reason: object) -> NoReturn:
    sys.stderr.write(f"{SERVICE}: start refused: {reason}\n")
    raise SystemExit(REFUSED)


if __name__ == "__main__":
    main()
