"""The venue's JSON into our types, exact to the last digit, or `Malformed` naming the field.

Unknown fields are ignored; `client_id` may be absent. Pure: the network is elsewhere.
"""

from collections.abc import Callable
from datetime import datetime

import orjson

from gpt_trader.contracts.market import Candle, CandleOrigin
from gpt_trader.market_data.adapters.fields import (
    Json,
    amount,
    elements,
    entries,
    field,
    instant,
    positive,
    text,
    unix_seconds,
)
from gpt_trader.market_data.domain.events import (
    Best,
    BookChanged,
    BookSide,
    Level,
    Pulse,
    Quoted,
    StatusChanged,
    Subscribed,
    Trade,
    Traded,
    VenueEvent,
)
from gpt_trader.market_data.ports import Envelope, Malformed

_SIDES = {"bid": BookSide.BID, "offer": BookSide.ASK, "ask": BookSide.ASK}


def envelope(raw: str | bytes) -> Envelope:
    """Read channel, number and time; a venue's error message is Malformed with its text as reason."""
    message = document(raw)
    if field(message, "type", "message") == "error":
        raise Malformed("type", "error", f"the venue refused: {field(message, 'message', 'message')}")
    sequence = field(message, "sequence_num", "message")
    if type(sequence) is not int or sequence < 0:
        raise Malformed("sequence_num", sequence, "must be a whole number of at least 0")
    return Envelope(
        channel=text(message, "channel", "message"),
        sequence=sequence,
        sent_at=instant(message, "timestamp", "message"),
        content=entries(message, "events", "message"),
    )


def events(read: Envelope) -> tuple[VenueEvent, ...]:
    """Read the events of a message; channels we do not know say nothing."""
    reader = _READERS.get(read.channel)
    if reader is None:
        return ()
    found: list[VenueEvent] = []
    for event in elements(read.content, read.channel):
        found.extend(reader(event))
    return tuple(found)


def document(raw: str | bytes) -> Json:
    """Parse JSON text that must be an object."""
    try:
        message = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Malformed("message", raw[:80], f"is no JSON: {error}") from error
    if not isinstance(message, dict):
        raise Malformed("message", raw[:80], "must be a JSON object")
    return message


def candles(reply: Json, product: str, interval: str, now: datetime) -> tuple[Candle, ...]:
    """Read a candle reply (the venue sends newest first) oldest first."""
    found = [_candle(candle, product, interval, now) for candle in entries(reply, "candles", "reply")]
    return tuple(sorted(found, key=lambda candle: candle.start))


def trades(reply: Json) -> tuple[Trade, ...]:
    """Read a trade reply."""
    return tuple(_trade(trade) for trade in entries(reply, "trades", "reply"))


def _candle(candle: Json, product: str, interval: str, now: datetime) -> Candle:
    read = Candle(
        product=product,
        interval=interval,
        start=unix_seconds(candle, "start", "candle"),
        open=positive(candle, "open", "candle"),
        high=positive(candle, "high", "candle"),
        low=positive(candle, "low", "candle"),
        close=positive(candle, "close", "candle"),
        volume=amount(candle, "volume", "candle"),
        origin=CandleOrigin.BACKFILL,
        published_at=now,
    )
    if not (read.low <= min(read.open, read.close) and max(read.open, read.close) <= read.high):
        raise Malformed("candle", candle, "open and close must lie between low and high")
    return read


def _book_events(event: Json) -> list[VenueEvent]:
    kind = text(event, "type", "l2_data")
    if kind not in {"snapshot", "update"}:
        raise Malformed("l2_data.type", kind, "must be snapshot or update")
    levels = tuple(_level(update) for update in entries(event, "updates", "l2_data"))
    return [
        BookChanged(product=text(event, "product_id", "l2_data"), is_snapshot=kind == "snapshot", levels=levels),
    ]


def _level(update: Json) -> Level:
    side = _SIDES.get(text(update, "side", "l2_data"))
    if side is None:
        raise Malformed("l2_data.side", update["side"], "must be bid or offer")
    return Level(side, positive(update, "price_level", "l2_data"), amount(update, "new_quantity", "l2_data"))


def _trade_events(event: Json) -> list[VenueEvent]:
    by_product: dict[str, list[Trade]] = {}
    for trade in entries(event, "trades", "market_trades"):
        read = _trade(trade)
        by_product.setdefault(read.product, []).append(read)
    return [Traded(product=product, trades=tuple(found)) for product, found in by_product.items()]


def _trade(trade: Json) -> Trade:
    return Trade(
        product=text(trade, "product_id", "trade"),
        trade_id=text(trade, "trade_id", "trade"),
        price=positive(trade, "price", "trade"),
        quantity=positive(trade, "size", "trade"),
        occurred_at=instant(trade, "time", "trade"),
    )


def _quote_events(event: Json) -> list[VenueEvent]:
    return [
        Quoted(
            product=text(ticker, "product_id", "ticker"),
            last_price=positive(ticker, "price", "ticker"),
            best=_best(ticker),
        )
        for ticker in entries(event, "tickers", "ticker")
        if field(ticker, "price", "ticker") != ""
    ]


def _best(ticker: Json) -> Best | None:
    """Both sides or none: the venue leaves them empty while a market is shut."""
    if not (field(ticker, "best_bid", "ticker") and field(ticker, "best_ask", "ticker")):
        return None
    bid, ask = amount(ticker, "best_bid", "ticker"), amount(ticker, "best_ask", "ticker")
    if not (bid and ask):
        return None
    return Best(
        bid=bid,
        bid_quantity=amount(ticker, "best_bid_quantity", "ticker"),
        ask=ask,
        ask_quantity=amount(ticker, "best_ask_quantity", "ticker"),
    )


def _pulse_events(event: Json) -> list[VenueEvent]:
    counter = field(event, "heartbeat_counter", "heartbeats")
    if isinstance(counter, str) and counter.isdecimal():
        return [Pulse(counter=int(counter))]
    if type(counter) is not int:
        raise Malformed("heartbeats.heartbeat_counter", counter, "must be a whole number")
    return [Pulse(counter=counter)]


def _status_events(event: Json) -> list[VenueEvent]:
    products = entries(event, "products", "status")
    rules = {text(product, "id", "status"): orjson.dumps(product).decode() for product in products}
    return [StatusChanged(status_by_product=rules)]


def _subscribed_events(event: Json) -> list[VenueEvent]:
    channels = field(event, "subscriptions", "subscriptions")
    if not isinstance(channels, dict):
        raise Malformed("subscriptions.subscriptions", channels, "must be an object")
    return [Subscribed(channels=tuple(channels))]


_READERS: dict[str, Callable[[Json], list[VenueEvent]]] = {
    "l2_data": _book_events,
    "market_trades": _trade_events,
    "ticker": _quote_events,
    "heartbeats": _pulse_events,
    "status": _status_events,
    "subscriptions": _subscribed_events,
}
