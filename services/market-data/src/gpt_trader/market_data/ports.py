"""What the shell needs from the world, and how the world may fail."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gpt_trader.contracts.market import BookSummary, Candle, FeedStatus, Tick, Universe
from gpt_trader.market_data.domain.catalogue import Listing
from gpt_trader.market_data.domain.events import Trade, VenueEvent


class Malformed(Exception):
    """The venue said something we cannot read; `field` names what."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field} = {str(value)[:80]!r}: {reason}")


class FeedLost(Exception):
    """The connection to the feed is gone or never came about; connecting again is right."""


class VenueUnavailable(Exception):
    """The venue's REST gave no usable answer; asking again later is right."""


class UnknownProduct(Exception):
    """The venue does not list a product that we were told to trade."""


class Channel(StrEnum):
    """The venue's channels that we listen to, in the order in which they are asked for."""

    HEARTBEATS = "heartbeats"
    LEVEL2 = "level2"
    TRADES = "market_trades"
    TICKER = "ticker"
    STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A numbered message, its content still unread: the number counts even if the content is malformed."""

    channel: str
    sequence: int
    sent_at: datetime
    content: object


class Line(Protocol):
    """One open connection to the feed."""

    async def subscribe(self, channel: Channel, products: Sequence[str]) -> None:
        """Ask for a channel; raises FeedLost."""
        ...

    async def unsubscribe(self, channel: Channel, products: Sequence[str]) -> None:
        """Stop a channel; raises FeedLost."""
        ...

    def frames(self) -> AsyncIterator[str | bytes]:
        """Yield raw messages; raises FeedLost when the connection ends, however it ends."""
        ...


class Feed(Protocol):
    """The venue's streaming side."""

    def connect(self) -> AbstractAsyncContextManager[Line]:
        """Open a connection; raises FeedLost."""
        ...

    def envelope(self, raw: str | bytes) -> Envelope:
        """Read the outside of a message; raises Malformed."""
        ...

    def events(self, envelope: Envelope) -> tuple[VenueEvent, ...]:
        """Read its inside; raises Malformed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeHistory:
    """Past trades; `is_complete` says whether none of the span is missing."""

    trades: tuple[Trade, ...]
    is_complete: bool


class Venue(Protocol):
    """The venue's public REST side."""

    async def listings(self, products: Sequence[str]) -> tuple[Listing, ...]:
        """Return the rules of those of these products that the venue lists; raises VenueUnavailable."""
        ...

    async def trades(self, product: str, span: tuple[datetime, datetime]) -> TradeHistory:
        """Return the trades of a span; raises VenueUnavailable."""
        ...

    def has_candles(self, interval: str) -> bool:
        """Whether the venue itself keeps candles of that interval."""
        ...

    async def candles(
        self, product: str, interval: str, span: tuple[datetime, datetime], now: datetime
    ) -> tuple[Candle, ...]:
        """Return the venue's candles that start in [start, end), oldest first; raises VenueUnavailable."""
        ...


class Archive(Protocol):
    """What was published before this process started."""

    async def universe(self) -> Universe | None:
        """Return the last published universe."""
        ...

    async def last_candle(self, interval: str, product: str) -> Candle | None:
        """Return the newest published candle."""
        ...


class Outlet(Protocol):
    """Where everything goes; kept messages are queued and stored in order, the newest book and status win."""

    async def tick(self, tick: Tick, received_wall: datetime) -> None:
        """Publish a tick now; dropped and counted while the bus is away."""
        ...

    def candle(self, candle: Candle) -> None:
        """Store a candle exactly once."""
        ...

    def book(self, summary: BookSummary) -> None:
        """Store a book summary, unless a newer one overtakes it."""
        ...

    def feed(self, status: FeedStatus) -> None:
        """Store a feed status, unless a newer one overtakes it."""
        ...

    def universe(self, universe: Universe) -> None:
        """Store the universe."""
        ...


class Gauges(Protocol):
    """What is counted and measured; see `adapters.metrics`."""

    def malformed(self, field: str) -> None:
        """Count a message that could not be read."""
        ...

    def missed(self, count: int) -> None:
        """Count messages that the sequence numbers show as lost."""
        ...

    def repeated(self) -> None:
        """Count a message from the past."""
        ...

    def gap(self, product: str) -> None:
        """Count a product that became dirty."""
        ...

    def wanted(self, connections: int) -> None:
        """Show how many connections there should be."""
        ...

    def connected(self, *, is_up: bool) -> None:
        """Count a connection in or out."""
        ...

    def reconnected(self) -> None:
        """Count a connection made again."""
        ...

    def quarantined(self, product: str) -> None:
        """Count a price that was not believed."""
        ...

    def history_failed(self, product: str) -> None:
        """Count a backfill that must be tried again."""
        ...

    def health(self, product: str, *, is_clean: bool, message_age_seconds: float, heartbeat_age_seconds: float) -> None:
        """Show a product's feed."""
        ...
