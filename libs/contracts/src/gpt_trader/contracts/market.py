"""What market-data publishes: ticks, candles, books, feed health, the tradable set."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from gpt_trader.contracts.message import Amount, Fraction, Instant, Message, Name, NonNegative, Positive, Product

Interval = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3}[smhd]$")]
"""Length of a candle: `15s`, `1m`, `5m`, `15m`, `1h`, `6h`, `1d`."""

_FUTURE = "-CDE"
_FUTURES_CURRENCY = "USD"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def interval_length(interval: str) -> timedelta:
    """Return the duration that an interval name stands for."""
    return timedelta(seconds=int(interval[:-1]) * _SECONDS[interval[-1]])


def is_future(product: str) -> bool:
    """Whether a product is a US future: Coinbase names them `<code>-<expiry>-CDE`, and nothing else so."""
    return product.endswith(_FUTURE)


def quote_currency_of(product: str) -> str:
    """Return the currency that a product is paid in; futures settle in US dollars."""
    return _FUTURES_CURRENCY if is_future(product) else product.rpartition("-")[2]


class Tick(Message):
    """Best bid and ask with the last trade; one per change at the venue."""

    product: Product
    bid: Positive
    ask: Positive
    bid_quantity: NonNegative
    ask_quantity: NonNegative
    last_price: Positive
    sequence: Annotated[int, Field(ge=0)]
    occurred_at: Instant
    received_at: Instant

    @property
    def mid(self) -> Amount:
        """Half way between bid and ask: the mark of spot products."""
        return (self.bid + self.ask) / 2


class CandleOrigin(StrEnum):
    """How a candle came about."""

    STREAM = "stream"
    BACKFILL = "backfill"
    CORRECTION = "correction"


class Candle(Message):
    """A closed candle; published once, never changed. A later correction is a message of its own."""

    product: Product
    interval: Interval
    start: Instant
    open: Positive
    high: Positive
    low: Positive
    close: Positive
    volume: NonNegative
    origin: CandleOrigin
    published_at: Instant


class BookDepth(Message):
    """Notional in quote currency that rests within a band around mid, per side."""

    within_bps: Annotated[int, Field(gt=0)]
    bid_notional: NonNegative
    ask_notional: NonNegative


class BookSummary(Message):
    """The best levels and the depth around them; never crossed."""

    product: Product
    bid: Positive
    ask: Positive
    bid_quantity: NonNegative
    ask_quantity: NonNegative
    depth: tuple[BookDepth, ...]
    sequence: int
    occurred_at: Instant
    received_at: Instant

    @property
    def spread_bps(self) -> Amount:
        """Spread over mid, in basis points."""
        return (self.ask - self.bid) / ((self.ask + self.bid) / 2) * 10000


class FeedState(StrEnum):
    """Whether a product's feed can be traded on: only CLEAN can."""

    CLEAN = "clean"
    GAP = "gap"
    RESYNCING = "resyncing"
    STALE = "stale"
    DISCONNECTED = "disconnected"


class FeedStatus(Message):
    """Health of one product's feed; anything but clean denies entries."""

    product: Product
    state: FeedState
    reason: str
    since: Instant
    last_message_at: Instant | None
    gaps: int
    reconnects: int
    published_at: Instant

    @property
    def is_clean(self) -> bool:
        """Whether entries may rely on this feed."""
        return self.state is FeedState.CLEAN


class Tier(StrEnum):
    """How much a product is trusted with (SPEC UN1)."""

    T1 = "T1"
    T2 = "T2"
    T3 = "T3"


class FutureTerms(Message):
    """What a dated or perpetual-style contract adds to a product. Margins are fractions of notional.

    Quantities are in base currency everywhere; only the order's body and the venue's answers count contracts of
    `contract_size` base units. `funding_rate` is the share of notional that longs pay at a funding time; None = never.
    """

    contract_size: Positive
    expires_at: Instant | None
    intraday_margin_long: Fraction
    intraday_margin_short: Fraction
    overnight_margin_long: Fraction
    overnight_margin_short: Fraction
    funding_rate: Amount | None = None


class ProductSpec(Message):
    """Trading rules of one product, as the venue states them, plus our tier; `future` is there for futures only."""

    product: Product
    base_currency: Name
    quote_currency: Name
    kind: Literal["spot", "future"]
    base_increment: Positive
    price_increment: Positive
    base_min_size: Positive
    base_max_size: Positive
    quote_min_size: NonNegative
    is_disabled: bool
    is_cancel_only: bool
    is_limit_only: bool
    is_post_only: bool
    is_auction: bool
    tier: Tier
    volume_24h_notional: NonNegative
    future: FutureTerms | None = None


class ProductTerms(Message):
    """What the venue itself told the gate of a product, sizes in base currency: orders follow this, whoever says else.

    `taker_rate` is the dearest fee of the account's tier, a share of notional; `is_current` = the last answer had it.
    """

    product: Product
    quote_currency: Name
    kind: Literal["spot", "future"]
    base_increment: Positive
    price_increment: Positive
    base_min_size: Positive
    base_max_size: Positive
    quote_min_size: NonNegative
    is_disabled: bool
    is_cancel_only: bool
    is_limit_only: bool
    is_post_only: bool
    is_auction: bool
    future: FutureTerms | None
    taker_rate: Fraction
    is_current: bool = True


class Universe(Message):
    """The tradable set; a product that is not in it can only be exited."""

    version: int
    products: tuple[ProductSpec, ...]
    published_at: Instant
