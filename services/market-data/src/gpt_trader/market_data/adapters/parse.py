"""The venue's JSON into our types, exact to the last digit, or `Malformed` naming the field.

Unknown fields are ignored; `client_id` may be absent. Pure: the network is elsewhere.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from gpt_trader.contracts.market import Candle, CandleOrigin
from gpt_trader.market_data.domain.catalogue import Listing
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

Json = Any
"""Foreign data before it is read; it does not leave this module."""

_SIDES = {"bid": BookSide.BID, "offer": BookSide.ASK, "ask": BookSide.ASK}
_ZERO = Decimal(0)


def envelope(raw: str | bytes) -> Envelope:
    """Read channel, number and time; a venue's error message is Malformed with its text as reason."""
    message = document(raw)
    if _get(message, "type", "message") == "error":
        raise Malformed("type", "error", f"the venue refused: {_get(message, 'message', 'message')}")
    sequence = _get(message, "sequence_num", "message")
    if type(sequence) is not int or sequence < 0:
        raise Malformed("sequence_num", sequence, "must be a whole number of at least 0")
    return Envelope(
        channel=_text(message, "channel", "message"),
        sequence=sequence,
        sent_at=_time(message, "timestamp", "message"),
        content=_list(message, "events", "message"),
    )


def events(read: Envelope) -> tuple[VenueEvent, ...]:
    """Read the events of a message; channels we do not know say nothing."""
    reader = _READERS.get(read.channel)
    if reader is None:
        return ()
    found: list[VenueEvent] = []
    for event in _elements(read.content, read.channel):
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


def listing(product: Json) -> Listing:
    """Read one spot product's rules. A flag that is absent is a flag that is not set; a number must be there."""
    where = f"product {_text(product, 'product_id', 'product')}"
    kind = _get(product, "product_type", where)
    if kind != "SPOT":
        raise Malformed(f"{where}.product_type", kind, "only spot products can be followed")
    return Listing(
        product=_text(product, "product_id", where),
        wire_id=_text(product, "alias" if _get(product, "alias", where) else "product_id", where),
        base_currency=_text(product, "base_currency_id", where),
        quote_currency=_text(product, "quote_currency_id", where),
        base_increment=_positive(product, "base_increment", where),
        price_increment=_positive(product, "price_increment", where),
        base_min_size=_positive(product, "base_min_size", where),
        base_max_size=_positive(product, "base_max_size", where),
        quote_min_size=_amount(product, "quote_min_size", where),
        is_disabled=_is_disabled(product, where),
        is_cancel_only=_flag(product, "cancel_only", where),
        is_limit_only=_flag(product, "limit_only", where),
        is_post_only=_flag(product, "post_only", where),
        is_auction=_flag(product, "auction_mode", where),
        volume_24h_notional=_volume(product, where),
    )


def candles(reply: Json, product: str, interval: str, now: datetime) -> tuple[Candle, ...]:
    """Read a candle reply (the venue sends newest first) oldest first."""
    found = [_candle(candle, product, interval, now) for candle in _list(reply, "candles", "reply")]
    return tuple(sorted(found, key=lambda candle: candle.start))


def trades(reply: Json) -> tuple[Trade, ...]:
    """Read a trade reply."""
    return tuple(_trade(trade) for trade in _list(reply, "trades", "reply"))


def _candle(candle: Json, product: str, interval: str, now: datetime) -> Candle:
    read = Candle(
        product=product,
        interval=interval,
        start=_unix_seconds(candle, "start", "candle"),
        open=_positive(candle, "open", "candle"),
        high=_positive(candle, "high", "candle"),
        low=_positive(candle, "low", "candle"),
        close=_positive(candle, "close", "candle"),
        volume=_amount(candle, "volume", "candle"),
        origin=CandleOrigin.BACKFILL,
        published_at=now,
    )
    if not (read.low <= min(read.open, read.close) and max(read.open, read.close) <= read.high):
        raise Malformed("candle", candle, "open and close must lie between low and high")
    return read


def _book_events(event: Json) -> list[VenueEvent]:
    kind = _text(event, "type", "l2_data")
    if kind not in {"snapshot", "update"}:
        raise Malformed("l2_data.type", kind, "must be snapshot or update")
    levels = tuple(_level(update) for update in _list(event, "updates", "l2_data"))
    return [
        BookChanged(product=_text(event, "product_id", "l2_data"), is_snapshot=kind == "snapshot", levels=levels),
    ]


def _level(update: Json) -> Level:
    side = _SIDES.get(_text(update, "side", "l2_data"))
    if side is None:
        raise Malformed("l2_data.side", update["side"], "must be bid or offer")
    return Level(side, _positive(update, "price_level", "l2_data"), _amount(update, "new_quantity", "l2_data"))


def _trade_events(event: Json) -> list[VenueEvent]:
    by_product: dict[str, list[Trade]] = {}
    for trade in _list(event, "trades", "market_trades"):
        read = _trade(trade)
        by_product.setdefault(read.product, []).append(read)
    return [Traded(product=product, trades=tuple(found)) for product, found in by_product.items()]


def _trade(trade: Json) -> Trade:
    return Trade(
        product=_text(trade, "product_id", "trade"),
        trade_id=_text(trade, "trade_id", "trade"),
        price=_positive(trade, "price", "trade"),
        quantity=_positive(trade, "size", "trade"),
        occurred_at=_time(trade, "time", "trade"),
    )


def _quote_events(event: Json) -> list[VenueEvent]:
    return [
        Quoted(
            product=_text(ticker, "product_id", "ticker"),
            last_price=_positive(ticker, "price", "ticker"),
            best=_best(ticker),
        )
        for ticker in _list(event, "tickers", "ticker")
        if _get(ticker, "price", "ticker") != ""
    ]


def _best(ticker: Json) -> Best | None:
    """Both sides or none: the venue leaves them empty while a market is shut."""
    if not (_get(ticker, "best_bid", "ticker") and _get(ticker, "best_ask", "ticker")):
        return None
    bid, ask = _amount(ticker, "best_bid", "ticker"), _amount(ticker, "best_ask", "ticker")
    if not (bid and ask):
        return None
    return Best(
        bid=bid,
        bid_quantity=_amount(ticker, "best_bid_quantity", "ticker"),
        ask=ask,
        ask_quantity=_amount(ticker, "best_ask_quantity", "ticker"),
    )


def _pulse_events(event: Json) -> list[VenueEvent]:
    counter = _get(event, "heartbeat_counter", "heartbeats")
    if isinstance(counter, str) and counter.isdecimal():
        return [Pulse(counter=int(counter))]
    if type(counter) is not int:
        raise Malformed("heartbeats.heartbeat_counter", counter, "must be a whole number")
    return [Pulse(counter=counter)]


def _status_events(event: Json) -> list[VenueEvent]:
    products = _list(event, "products", "status")
    rules = {_text(product, "id", "status"): orjson.dumps(product).decode() for product in products}
    return [StatusChanged(status_by_product=rules)]


def _subscribed_events(event: Json) -> list[VenueEvent]:
    channels = _get(event, "subscriptions", "subscriptions")
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


def _is_disabled(product: Json, where: str) -> bool:
    """Futures have no status text, and an absent one says nothing."""
    if _get(product, "status", where) and _text(product, "status", where) != "online":
        return True
    return any(_flag(product, name, where) for name in ("is_disabled", "trading_disabled", "view_only"))


def _volume(product: Json, where: str) -> Decimal:
    """24 h volume in quote currency; a product that did not trade has empty text."""
    if _get(product, "approximate_quote_24h_volume", where):
        return _amount(product, "approximate_quote_24h_volume", where)
    if _get(product, "volume_24h", where) and _get(product, "price", where):
        return _amount(product, "volume_24h", where) * _amount(product, "price", where)
    return _ZERO


def _get(holder: Json, field: str, where: str) -> Json:
    if not isinstance(holder, dict):
        raise Malformed(where, holder, "must be an object")
    return holder.get(field)


def _list(holder: Json, field: str, where: str) -> list[Json]:
    return _elements(_get(holder, field, where), f"{where}.{field}")


def _elements(value: Json, where: str) -> list[Json]:
    if not isinstance(value, list):
        raise Malformed(where, value, "must be a list")
    return value


def _text(holder: Json, field: str, where: str) -> str:
    value = _get(holder, field, where)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{where}.{field}", value, "must be text")
    return value


def _flag(holder: Json, field: str, where: str) -> bool:
    value = _get(holder, field, where)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise Malformed(f"{where}.{field}", value, "must be true or false")


def _amount(holder: Json, field: str, where: str) -> Decimal:
    value = _get(holder, field, where)
    if not isinstance(value, str):
        raise Malformed(f"{where}.{field}", value, "must be a decimal number as text")
    try:
        amount = Decimal(value)
    except InvalidOperation as error:
        raise Malformed(f"{where}.{field}", value, "must be a decimal number") from error
    if not amount.is_finite() or amount < 0:
        raise Malformed(f"{where}.{field}", value, "must be finite and at least 0")
    return amount


def _positive(holder: Json, field: str, where: str) -> Decimal:
    amount = _amount(holder, field, where)
    if not amount:
        raise Malformed(f"{where}.{field}", amount, "must be more than 0")
    return amount


def _time(holder: Json, field: str, where: str) -> datetime:
    """Read RFC 3339 with up to nanoseconds, of which microseconds are kept."""
    value = _text(holder, field, where)
    try:
        at = datetime.fromisoformat(value)
    except ValueError as error:
        raise Malformed(f"{where}.{field}", value, "must be an RFC 3339 time") from error
    if at.tzinfo is None:
        raise Malformed(f"{where}.{field}", value, "must name its UTC offset")
    return at.astimezone(UTC)


def _unix_seconds(holder: Json, field: str, where: str) -> datetime:
    value = _get(holder, field, where)
    if not isinstance(value, str) or not value.isdecimal():
        raise Malformed(f"{where}.{field}", value, "must be whole UNIX seconds as text")
    try:
        return datetime.fromtimestamp(int(value), UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise Malformed(f"{where}.{field}", value, "is no time of this era") from error
