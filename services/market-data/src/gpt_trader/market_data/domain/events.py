"""What the venue tells us, in our words; made only by `adapters.parse`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class BookSide(StrEnum):
    """Where a level rests."""

    BID = "bid"
    ASK = "ask"


class Level(NamedTuple):
    """Absolute quantity at a price; zero removes the level."""

    side: BookSide
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One print at the venue. `trade_id` is unique per product."""

    product: str
    trade_id: str
    price: Decimal
    quantity: Decimal
    occurred_at: datetime

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Sort key: time, then the id as the number it spells."""
        return (self.occurred_at, len(self.trade_id), self.trade_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookChanged:
    """Levels of one product; a snapshot replaces the whole book."""

    product: str
    is_snapshot: bool
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """Prints of one product, in no promised order, possibly repeated."""

    product: str
    trades: tuple[Trade, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """Both best levels."""

    bid: Decimal
    bid_quantity: Decimal
    ask: Decimal
    ask_quantity: Decimal

    @property
    def mid(self) -> Decimal:
        """Half way between bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def is_crossed(self) -> bool:
        """Whether buyers seem to pay what sellers ask: a book like that is wrong."""
        return self.bid >= self.ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """A ticker; `best` is None when the venue left a side empty."""

    product: str
    last_price: Decimal
    best: Best | None


def levels_in_base(levels: Iterable[Level], unit: Decimal) -> tuple[Level, ...]:
    """Turn counts of `unit` base currency into base currency."""
    return tuple(Level(level.side, level.price, level.quantity * unit) for level in levels)


def best_in_base(best: Best, unit: Decimal) -> Best:
    """Turn counts of `unit` base currency into base currency."""
    return replace(best, bid_quantity=best.bid_quantity * unit, ask_quantity=best.ask_quantity * unit)


def trades_in_base(trades: Iterable[Trade], unit: Decimal) -> tuple[Trade, ...]:
    """Turn counts of `unit` base currency into base currency."""
    return tuple(replace(trade, quantity=trade.quantity * unit) for trade in trades)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The venue's heartbeat."""

    counter: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged:
    """Rules or status of products as the status channel states them; compared only with what it said before."""

    status_by_product: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """The venue acknowledged subscriptions; lists the channels now open."""

    channels: tuple[str, ...]


VenueEvent = BookChanged | Traded | Quoted | Pulse | StatusChanged | Subscribed


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Where and when something was said: place in the connection, the venue's send time, our trading time."""

    sequence: int
    sent_at: datetime
    received_at: datetime
