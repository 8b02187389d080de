"""Events of each channel, serialised once and shared by all connections."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

import orjson

from gpt_trader.exchange_sim.adapters.render import user_order_json
from gpt_trader.exchange_sim.adapters.rest.wire import Json, ratio, text, timestamp
from gpt_trader.exchange_sim.domain.book import BookSide
from gpt_trader.exchange_sim.domain.execution import Traded
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.orders import Order, Side, Trade

USER_BATCH = 50
CANDLES_IN_SNAPSHOT = 100
FIVE_MINUTES = 300
_NOT_TIMED = "1970-01-01T00:00:00Z"


class Frame:
    """A message without its sequence number, which every connection counts for itself."""

    __slots__ = ("head", "product", "side", "tail", "target")

    def __init__(self, channel: str, target: str, now: datetime, events: object, client_id: str | None) -> None:
        self.target = target
        self.product = target.partition(":")[2]
        self.side = ""
        client = "" if client_id is None else f'"client_id":"{client_id}",'
        stamp = f"{timestamp(now)[:-1]}000Z"
        self.head = f'{{"channel":"{channel}",{client}"timestamp":"{stamp}","sequence_num":'.encode()
        self.tail = b',"events":' + orjson.dumps(events) + b"}"

    def numbered(self, sequence: int) -> bytes:
        """Complete the message."""
        return b"%b%d%b" % (self.head, sequence, self.tail)


def ticker_json(traded: Traded, listing: Listing, now: datetime) -> Json:
    """Render a ticker at the moment of a print."""
    return {
        **shut_ticker_json(traded.trade.price, listing, now),
        "best_bid": text(traded.bid),
        "best_bid_quantity": text(traded.bid_quantity),
        "best_ask": text(traded.ask),
        "best_ask_quantity": text(traded.ask_quantity),
    }


def shut_ticker_json(price: Decimal, listing: Listing, now: datetime) -> Json:
    """Render a ticker while nobody quotes."""
    day = listing.day(now)
    high, low = text(max(day.high, price)), text(min(day.low, price))
    return {
        "type": "ticker",
        "product_id": listing.product.product_id,
        "price": text(price),
        "volume_24_h": text(day.volume),
        "low_24_h": low,
        "high_24_h": high,
        "low_52_w": low,
        "high_52_w": high,
        "price_percent_chg_24_h": text(ratio((price - day.open) * 100, day.open)),
        "best_bid": "",
        "best_bid_quantity": "",
        "best_ask": "",
        "best_ask_quantity": "",
    }


def batch_ticker_json(ticker: Json) -> Json:
    """Leave out what ticker_batch does not carry."""
    return {name: value for name, value in ticker.items() if not name.startswith("best_")}


def trades_event(kind: str, trades: Iterable[Trade]) -> Json:
    """Render prints, newest first."""
    return {
        "type": kind,
        "trades": [
            {
                "trade_id": trade.trade_id,
                "product_id": trade.product_id,
                "price": text(trade.price),
                "size": text(trade.quantity),
                "time": timestamp(trade.at),
                "side": trade.maker_side.value,
            }
            for trade in trades
        ],
    }


def book_snapshot_event(listing: Listing, padding: int = 0) -> Json:
    """Render the whole book, and so many bytes of offers that nobody will ever reach."""
    updates = [
        _level_json(side, text(price), text(quantity), _NOT_TIMED)
        for side in (listing.book.bids, listing.book.asks)
        for price, quantity in side.levels()
    ]
    far, tick = listing.last_or_start() * 100, listing.product.price_increment
    size = (
        len(orjson.dumps(_level_json(listing.book.asks, text(far + tick), "1", _NOT_TIMED))) - 4
    )  # prices differ in length
    updates += [
        _level_json(listing.book.asks, text(far + tick * number), "1", _NOT_TIMED)
        for number in range(-(-padding // size))
    ]
    return {"type": "snapshot", "product_id": listing.product.product_id, "updates": updates}


def book_update_event(listing: Listing, now: datetime) -> Json:
    """Render the levels that changed since the last update."""
    at = timestamp(now)
    updates = [
        _level_json(side, text(price), text(side.quantity(price)), at)
        for side in (listing.book.bids, listing.book.asks)
        for price in side.changed
    ]
    return {"type": "update", "product_id": listing.product.product_id, "updates": updates}


def _level_json(side: BookSide, price: str, quantity: str, at: str) -> Json:
    return {
        "side": "bid" if side.side is Side.BUY else "offer",
        "event_time": at,
        "price_level": price,
        "new_quantity": quantity,
    }


def candles_event(kind: str, listing: Listing, now: datetime, count: int) -> Json:
    """Render the newest five-minute buckets."""
    at = int(now.timestamp())
    current = at - at % FIVE_MINUTES
    buckets = listing.candles.newest_first(current - (count - 1) * FIVE_MINUTES, current, FIVE_MINUTES)
    return {
        "type": kind,
        "candles": [
            {
                "start": str(candle.start),
                "high": text(candle.high),
                "low": text(candle.low),
                "open": text(candle.open),
                "close": text(candle.close),
                "volume": text(candle.volume),
                "product_id": listing.product.product_id,
            }
            for candle in buckets
        ],
    }


def status_event(kind: str, listings: Iterable[Listing]) -> Json:
    """Render product status."""
    return {
        "type": kind,
        "products": [
            {
                "product_type": "SPOT" if listing.product.contract is None else "FUTURE",
                "id": listing.product.product_id,
                "base_currency": listing.product.base,
                "quote_currency": listing.product.quote,
                "base_increment": text(listing.product.base_increment),
                "quote_increment": text(listing.product.quote_increment),
                "display_name": listing.product.product_id.replace("-", "/"),
                "status": "online" if listing.product.is_tradable else "offline",
                "status_message": "",
                "min_market_funds": text(listing.product.quote_min_size),
            }
            for listing in listings
        ],
    }


def heartbeat_event(now: datetime, counter: int) -> Json:
    """Render a heartbeat with Go's time text."""
    plain = now.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return {"current_time": f"{plain} +0000 UTC m=+{counter}.0", "heartbeat_counter": counter}


def user_event(kind: str, orders: Sequence[Order], portfolio_id: str, positions: Sequence[Json]) -> Json:
    """Render cumulative order states and all futures positions."""
    return {
        "type": kind,
        "orders": [user_order_json(order, portfolio_id) for order in orders],
        "positions": {"perpetual_futures_positions": [], "expiring_futures_positions": positions},
    }


def user_batches(orders: Sequence[Order]) -> list[Sequence[Order]]:
    """Cut a snapshot so that a batch below the full size ends it."""
    return [orders[at : at + USER_BATCH] for at in range(0, len(orders) + 1, USER_BATCH)]
