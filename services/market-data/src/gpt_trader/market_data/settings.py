"""What market-data can be told."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gpt_trader.contracts.market import Interval
from gpt_trader.contracts.message import Fraction, Positive, Product
from gpt_trader.runtime.settings import ShardedSettings

Duration = Annotated[timedelta, Field(gt=timedelta(0))]


class MarketDataSettings(ShardedSettings):
    """Where the venue is, what to follow, and when a feed counts as sick. Durations are real seconds."""

    venue_rest: Annotated[str, Field(pattern=r"^https?://[^/]+$", description="the venue's REST address")] = (
        "https://api.coinbase.com"
    )
    venue_ws: Annotated[str, Field(pattern=r"^wss?://", description="the venue's market feed")] = (
        "wss://advanced-trade-ws.coinbase.com"
    )
    venue_ca_file: Annotated[
        Path | None, Field(description="PEM file that certifies the venue; not set = the system's authorities")
    ] = None
    universe_file: Annotated[Path, Field(description="YAML file: products and their tiers")] = Path("universe.yaml")
    products: Annotated[
        tuple[Product, ...], Field(description="products to follow; empty = all of the universe file")
    ] = ()
    intervals: Annotated[
        tuple[Interval, ...], Field(min_length=1, description="candle intervals, such as 15s, 1m, 5m, 1h, 1d")
    ] = ("1m", "5m")
    history_candles: Annotated[
        int, Field(ge=0, le=5000, description="closed candles per interval to backfill at start")
    ] = 300
    products_per_connection: Annotated[int, Field(ge=1, description="products that share one feed connection")] = 25
    stale_message: Annotated[Duration, Field(description="age of a product's last message that makes it stale")] = (
        timedelta(seconds=15)
    )
    stale_heartbeat: Annotated[Duration, Field(description="age of the last heartbeat that makes all stale")] = (
        timedelta(seconds=30)
    )
    check_every: Annotated[Duration, Field(description="how often ages are checked and feed status is repeated")] = (
        timedelta(seconds=5)
    )
    resync_within: Annotated[Duration, Field(description="a resync that takes longer is started again")] = timedelta(
        seconds=30
    )
    reconnect_first: Annotated[Duration, Field(description="wait before the first reconnect; doubles")] = timedelta(
        seconds=2
    )
    reconnect_cap: Annotated[Duration, Field(description="longest wait before a reconnect")] = timedelta(seconds=60)
    reconnect_jitter: Annotated[float, Field(ge=0, lt=1, description="share by which that wait varies")] = 0.25
    venue_timeout: Annotated[Duration, Field(description="longest wait for a connection or an answer")] = timedelta(
        seconds=10
    )
    venue_tries: Annotated[int, Field(ge=1, le=10, description="tries per REST request")] = 3
    retry_cap: Annotated[Duration, Field(description="longest wait between two tries")] = timedelta(seconds=30)
    book_every: Annotated[Duration, Field(description="book summaries per product come at most this often")] = (
        timedelta(milliseconds=250)
    )
    candle_grace: Annotated[Duration, Field(description="how long after its end a candle waits for late trades")] = (
        timedelta(seconds=1)
    )
    catalogue_every: Annotated[Duration, Field(description="how often the product catalogue is read again")] = (
        timedelta(minutes=5)
    )
    outlier_sigmas: Annotated[Positive, Field(description="jump in standard deviations that is quarantined")] = Decimal(
        6
    )
    outlier_window: Annotated[Duration, Field(description="trading time over which deviations are measured")] = (
        timedelta(seconds=60)
    )
    outlier_floor: Annotated[Fraction, Field(description="moves up to this share are never quarantined")] = Decimal(
        "0.0025"
    )
    outlier_move: Annotated[Fraction, Field(description="move that is always quarantined unless trades confirm it")] = (
        Decimal("0.1")
    )
    outlier_confirmed_within: Annotated[
        Fraction, Field(description="distance to the last trade at which a price counts as confirmed")
    ] = Decimal("0.01")
