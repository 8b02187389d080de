"""Products, books, candles, trades and time: private routes and their public twins."""

from datetime import UTC, datetime
from decimal import Decimal

from gpt_trader.exchange_sim.adapters.futures_render import future_json
from gpt_trader.exchange_sim.adapters.keys import Scope
from gpt_trader.exchange_sim.adapters.rest.wire import (
    Call,
    Json,
    Refused,
    Reply,
    Route,
    invalid,
    ratio,
    text,
    timestamp,
)
from gpt_trader.exchange_sim.domain.book import BookSide
from gpt_trader.exchange_sim.domain.candles import Granularity
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.orders import ZERO

PREFIX = "/api/v3/brokerage"
MAX_CANDLES = 350
MAX_TRADES = 100
MAX_LEVELS = 1000


def market_routes() -> list[Route]:
    """List every market data route."""
    routes = [
        Route(method="GET", path=f"{PREFIX}/time", scope=None, answer=_time),
        Route(method="GET", path=f"{PREFIX}/best_bid_ask", scope=Scope.VIEW, answer=_best_bid_ask),
    ]
    for prefix, scope in ((PREFIX, Scope.VIEW), (f"{PREFIX}/market", None)):
        routes += [
            Route(method="GET", path=f"{prefix}/products", scope=scope, answer=_products),
            Route(method="GET", path=f"{prefix}/products/{{product_id}}", scope=scope, answer=_product),
            Route(method="GET", path=f"{prefix}/product_book", scope=scope, answer=_product_book),
            Route(method="GET", path=f"{prefix}/products/{{product_id}}/candles", scope=scope, answer=_candles),
            Route(method="GET", path=f"{prefix}/products/{{product_id}}/ticker", scope=scope, answer=_trades),
        ]
    return routes


def _time(call: Call) -> Reply:
    milliseconds = int(call.server_time.timestamp() * 1000)
    return Reply(
        body={
            "iso": timestamp(call.server_time),
            "epochSeconds": str(milliseconds // 1000),
            "epochMillis": str(milliseconds),
        }
    )


def _products(call: Call) -> Reply:
    wanted = call.many("product_ids")
    found = [
        listing
        for product_id, listing in call.floor.venue.listings.items()
        if (product_id in wanted if wanted else _is_shown(listing, call)) and _is_of_kind(listing, call)
    ]
    offset = call.integer("offset", 0, len(found))
    limit = call.integer("limit", 10000, 10000)
    page = [product_json(listing, call.now) for listing in found[offset : offset + limit]]
    return Reply(body={"products": page, "num_products": len(page), "pagination": None})


def _is_of_kind(listing: Listing, call: Call) -> bool:
    contract = listing.product.contract
    expiry_type = call.query.get("contract_expiry_type", "")
    if expiry_type not in {"", "UNKNOWN_CONTRACT_EXPIRY_TYPE"} and (contract is None or expiry_type != "EXPIRING"):
        return False
    kind = "SPOT" if contract is None else "FUTURE"
    return call.query.get("product_type", "") in {"", "UNKNOWN_PRODUCT_TYPE", kind}


def _is_shown(listing: Listing, call: Call) -> bool:
    contract = listing.product.contract
    status = call.query.get("expiring_contract_status", "")
    if contract is None or status == "STATUS_ALL":
        return True
    return contract.is_expired(call.now) is (status == "STATUS_EXPIRED")


def _product(call: Call) -> Reply:
    return Reply(body=product_json(call.listing(call.path["product_id"]), call.now))


def _product_book(call: Call) -> Reply:
    listing = call.listing(call.query.get("product_id", ""))
    limit = call.integer("limit", MAX_LEVELS, MAX_LEVELS)
    step_text = call.query.get("aggregation_price_increment", "0")
    step = Decimal(step_text) if step_text.replace(".", "", 1).isdecimal() else ZERO
    bid, ask = listing.book.bids.best, listing.book.asks.best
    mid = ZERO if bid is None or ask is None else (bid + ask) / 2
    spread = ZERO if bid is None or ask is None else ask - bid
    return Reply(
        body={
            "pricebook": pricebook_json(listing, call.now, limit, step),
            "last": text(listing.last_or_start()),
            "mid_market": text(mid),
            "spread_bps": text(ratio(spread * 10000, mid)),
            "spread_absolute": text(spread),
        }
    )


def _best_bid_ask(call: Call) -> Reply:
    wanted = call.many("product_ids", "product_id") or list(call.floor.venue.listings)
    return Reply(body={"pricebooks": [pricebook_json(call.listing(one), call.now, 1, ZERO) for one in wanted]})


def _candles(call: Call) -> Reply:
    listing = call.listing(call.path["product_id"])
    name = call.query.get("granularity", "")
    if name not in Granularity.__members__:
        raise invalid(f"granularity: {name!r} is not supported")
    length = Granularity[name].value
    start, end = _unix(call, "start"), _unix(call, "end")
    limit = call.integer("limit", MAX_CANDLES, MAX_CANDLES)
    if start > end:
        raise invalid("start and end argument is invalid - start must not be after end")
    if (end - start) // length + 1 > MAX_CANDLES:
        raise invalid("start and end argument is invalid - number of candles requested should be less than 350")
    found = listing.candles.newest_first(start, min(end, int(call.now.timestamp())), length)[:limit]
    return Reply(
        body={
            "candles": [
                {
                    "start": str(candle.start),
                    "low": text(candle.low),
                    "high": text(candle.high),
                    "open": text(candle.open),
                    "close": text(candle.close),
                    "volume": text(candle.volume),
                }
                for candle in found
            ]
        }
    )


def _trades(call: Call) -> Reply:
    listing = call.listing(call.path["product_id"])
    requested = call.integer("limit", MAX_TRADES, 10**6)
    if requested > MAX_LEVELS:
        raise Refused(500, "INTERNAL", "limit is too large")
    start = datetime.fromtimestamp(_unix(call, "start"), UTC) if call.query.get("start") else None
    end = datetime.fromtimestamp(_unix(call, "end"), UTC) if call.query.get("end") else None
    trades = [
        {
            "trade_id": trade.trade_id,
            "product_id": trade.product_id,
            "price": text(trade.price),
            "size": text(trade.quantity),
            "time": timestamp(trade.at),
            "side": trade.maker_side.value,
            "bid": "",
            "ask": "",
            "exchange": "",
        }
        for trade in reversed(listing.trades)
        if (start is None or trade.at >= start) and (end is None or trade.at <= end)
    ]
    return Reply(
        body={
            "trades": trades[: min(requested, MAX_TRADES)],
            "best_bid": text(listing.book.bids.best),
            "best_ask": text(listing.book.asks.best),
        }
    )


def _unix(call: Call, name: str) -> int:
    given = call.query.get(name, "")
    if not given.isdecimal() or len(given) > 11:
        raise invalid(f"{name}: {given!r} is not a unix time in seconds")
    return int(given)


def pricebook_json(listing: Listing, now: datetime, limit: int, step: Decimal) -> Json:
    """Render levels, merged into steps when one is given."""
    return {
        "product_id": listing.product.product_id,
        "bids": _levels_json(listing.book.bids, limit, step, "ROUND_FLOOR"),
        "asks": _levels_json(listing.book.asks, limit, step, "ROUND_CEILING"),
        "time": timestamp(now),
    }


def _levels_json(side: BookSide, limit: int, step: Decimal, rounding: str) -> list[Json]:
    merged: dict[Decimal, Decimal] = {}
    for price, quantity in side.levels():
        key = (price / step).to_integral_value(rounding) * step if step else price
        if key not in merged and len(merged) == limit:
            break
        merged[key] = merged.get(key, ZERO) + quantity
    return [{"price": text(price), "size": text(quantity)} for price, quantity in merged.items()]


def product_json(listing: Listing, now: datetime) -> Json:
    """Render a product with its market figures."""
    product, day, last = listing.product, listing.day(now), listing.last_or_start()
    flags = product.flags
    future = {} if product.contract is None else future_json(listing, product.contract, now)
    return {
        "product_id": product.product_id,
        "price": text(last),
        "price_percentage_change_24h": text(ratio((last - day.open) * 100, day.open)),
        "volume_24h": text(day.volume),
        "volume_percentage_change_24h": "0",
        "approximate_quote_24h_volume": text((day.volume * last * product.multiplier).quantize(Decimal("0.01"))),
        "base_increment": text(product.base_increment),
        "quote_increment": text(product.quote_increment),
        "price_increment": text(product.price_increment),
        "quote_min_size": text(product.quote_min_size),
        "quote_max_size": text(product.quote_max_size),
        "base_min_size": text(product.base_min_size),
        "base_max_size": text(product.base_max_size),
        "base_name": product.base_name,
        "quote_name": {"USD": "US Dollar", "EUR": "Euro", "USDC": "USDC"}.get(product.quote, product.quote),
        "watched": False,
        "is_disabled": flags.is_disabled,
        "new": False,
        "status": "online",
        "cancel_only": flags.cancel_only,
        "limit_only": flags.limit_only,
        "post_only": flags.post_only,
        "trading_disabled": flags.trading_disabled,
        "auction_mode": flags.auction_mode,
        "product_type": "SPOT",
        "quote_currency_id": product.quote,
        "base_currency_id": product.base,
        "fcm_trading_session_details": None,
        "mid_market_price": text(listing.book.mid),
        "best_bid_price": text(listing.book.bids.best),
        "best_ask_price": text(listing.book.asks.best),
        "alias": "",
        "alias_to": [],
        "base_display_symbol": product.base,
        "quote_display_symbol": product.quote,
        "view_only": flags.view_only,
        "display_name": product.product_id,
        "product_venue": "CBE",
        **future,
    }
