"""Why the venue refuses an order, with both reason fields clients look at."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.exchange_sim.domain.book import Book
from gpt_trader.exchange_sim.domain.orders import (
    BRACKET_KINDS,
    GTD_KINDS,
    MARKET_KINDS,
    STOP_KINDS,
    UNSUPPORTED_KINDS,
    OrderKind,
    OrderRequest,
    Side,
    StopDirection,
    Terms,
)
from gpt_trader.exchange_sim.domain.products import Product

MAX_OPEN_ORDERS = 500
MAX_LIFE = timedelta(days=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The order exists; `is_repeat` when its client id was known and nothing was created."""

    order_id: str
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A definitive no: the reason for a new order and its preview twin."""

    reason: str
    preview: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the checks look at."""

    request: OrderRequest
    product: Product
    book: Book
    last: Decimal | None
    open_orders: int
    now: datetime

    @property
    def terms(self) -> Terms:
        """The order's configuration."""
        return self.request.terms


def refuse(reason: str, message: str = "") -> Refusal:
    """Give a reason that exists for new orders and, prefixed, for previews."""
    return Refusal(reason, f"PREVIEW_{reason}", message)


def refuse_preview(preview: str, message: str = "") -> Refusal:
    """Give a reason only the preview family knows; the new-order field says unknown."""
    return Refusal("UNKNOWN_FAILURE_REASON", preview, message)


def named(reason: str) -> Refusal:
    """Give a reason by its name, of either family."""
    return refuse_preview(reason) if reason.startswith("PREVIEW_") else refuse(reason)


def _configuration(s: Situation) -> Refusal | None:
    terms = s.terms
    if terms.kind in UNSUPPORTED_KINDS and (s.product.contract is None or terms.kind is not OrderKind.MARKET_FOK):
        return refuse("UNSUPPORTED_ORDER_CONFIGURATION", f"{terms.kind} is not supported")
    if (terms.base_size is None) == (terms.quote_size is None):
        return refuse("INVALID_REQUEST", "exactly one of base_size and quote_size is required")
    if terms.kind in MARKET_KINDS and terms.quote_size is not None and s.request.side is Side.SELL:
        return refuse("UNSUPPORTED_ORDER_CONFIGURATION", "a market sell is sized in base currency")
    if s.request.attached is not None and s.request.attached.base_size is not None:
        return refuse("ATTACHED_ORDER_SIZE_MUST_BE_NIL")
    return None


def _session(s: Situation) -> Refusal | None:
    if s.product.contract is None:
        return None
    if s.product.contract.is_expired(s.now):
        return refuse("UNTRADABLE_PRODUCT", "the contract has expired")
    is_open = s.product.contract.is_open(s.now)
    return None if is_open else refuse("INVALID_FCM_TRADING_SESSION", "the trading session is closed")


def _futures(s: Situation) -> Refusal | None:
    if s.product.contract is None:
        is_reducing = s.request.is_reduce_only
        return refuse("REDUCE_ONLY_NOT_ALLOWED_ON_SPOT_PRODUCTS", "use a plain sell") if is_reducing else None
    if s.terms.quote_size is not None:
        return refuse("UNSUPPORTED_ORDER_CONFIGURATION", "futures are sized in contracts")
    if s.request.is_isolated:
        return refuse("INVALID_MARGIN_TYPE", "US futures are cross margined")
    if s.request.is_reduce_only:
        return refuse("REDUCE_ONLY_NOT_ALLOWED_ON_VENUE", "use close_position")
    return None


def _market_state(s: Situation) -> Refusal | None:
    flags = s.product.flags
    if flags.trading_disabled or flags.auction_mode:
        return refuse("TRADING_DISABLED")
    if flags.is_disabled or flags.view_only:
        return refuse("UNTRADABLE_PRODUCT")
    if flags.cancel_only:
        return refuse("ORDER_ENTRY_DISABLED")
    if flags.limit_only and s.terms.kind in MARKET_KINDS:
        return refuse("UNSUPPORTED_ORDER_CONFIGURATION", "limit orders only")
    if flags.post_only and not s.terms.post_only:
        return refuse_preview("PREVIEW_NOT_ALLOWED_BY_MARKET_STATE", "post-only orders only")
    return None


def _base_size(s: Situation) -> Refusal | None:
    size = s.terms.base_size
    if size is None:
        return None
    if size < s.product.base_min_size:
        return refuse_preview("PREVIEW_INVALID_BASE_SIZE_TOO_SMALL")
    if size > s.product.base_max_size:
        return refuse_preview("PREVIEW_INVALID_BASE_SIZE_TOO_LARGE")
    if size % s.product.base_increment:
        return refuse("INVALID_SIZE_PRECISION")
    price = s.terms.limit_price or s.book.mid
    if price is not None and size * price * s.product.multiplier < s.product.quote_min_size:
        return refuse_preview("PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL", "notional is below quote_min_size")
    return None


def _quote_size(s: Situation) -> Refusal | None:
    size = s.terms.quote_size
    if size is None:
        return None
    if size < s.product.quote_min_size:
        return refuse_preview("PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL")
    if size > s.product.quote_max_size:
        return refuse_preview("PREVIEW_INVALID_QUOTE_SIZE_TOO_LARGE")
    if size % s.product.price_increment:
        return refuse_preview("PREVIEW_INVALID_QUOTE_SIZE_PRECISION")
    return None


def _prices(s: Situation) -> Refusal | None:
    attached = s.request.attached
    prices = [s.terms.limit_price, s.terms.stop_price]
    if attached is not None:
        prices += [attached.limit_price, attached.stop_price]
    for price in prices:
        if price is not None and price <= 0:
            return refuse("INVALID_LIMIT_PRICE")
        if price is not None and price % s.product.price_increment:
            return refuse("INVALID_PRICE_PRECISION")
    return None


def _end_time(s: Situation) -> Refusal | None:
    if s.terms.kind not in GTD_KINDS:
        return None
    if s.terms.end_time is None:
        return refuse("GTD_ORDERS_MUST_HAVE_END_TIME")
    if s.terms.end_time <= s.now:
        return refuse("END_TIME_IS_IN_THE_PAST")
    if s.terms.end_time > s.now + MAX_LIFE:
        return refuse("END_TIME_TOO_FAR_IN_FUTURE")
    return None


def _post_only(s: Situation) -> Refusal | None:
    if s.terms.post_only and s.terms.limit_price is not None and crosses(s.book, s.request.side, s.terms.limit_price):
        return refuse("INVALID_LIMIT_PRICE_POST_ONLY", "post-only order would trade")
    return None


def _stop(s: Situation) -> Refusal | None:
    stop, limit = s.terms.stop_price, s.terms.limit_price
    if s.terms.kind not in STOP_KINDS or stop is None or limit is None:
        return None
    if s.terms.stop_direction is StopDirection.UP and s.last is not None and stop <= s.last:
        return refuse_preview("PREVIEW_STOP_PRICE_BELOW_LAST_TRADE_PRICE")
    if s.terms.stop_direction is StopDirection.DOWN and s.last is not None and stop >= s.last:
        return refuse_preview("PREVIEW_STOP_PRICE_ABOVE_LAST_TRADE_PRICE")
    if s.request.side is Side.BUY and stop > limit:
        return refuse_preview("PREVIEW_STOP_PRICE_ABOVE_LIMIT_PRICE")
    if s.request.side is Side.SELL and stop < limit:
        return refuse_preview("PREVIEW_STOP_PRICE_BELOW_LIMIT_PRICE")
    return None


def _bracket(s: Situation) -> Refusal | None:
    stop, limit, last = s.terms.stop_price, s.terms.limit_price, s.last
    if s.terms.kind not in BRACKET_KINDS or stop is None or limit is None or last is None:
        return None
    is_sell = s.request.side is Side.SELL
    if (limit <= last) if is_sell else (limit >= last):
        return refuse("INVALID_LIMIT_PRICE", "take profit is on the wrong side of the last trade")
    if (stop >= last) if is_sell else (stop <= last):
        return refuse_preview("PREVIEW_INVALID_STOP_PRICE", "stop loss is on the wrong side of the last trade")
    return None


def _capacity(s: Situation) -> Refusal | None:
    if s.open_orders >= MAX_OPEN_ORDERS:
        return refuse("COMMANDER_REJECTED_NEW_ORDER", "too many open orders")
    if s.terms.kind in MARKET_KINDS and s.book.side(s.request.side.opposite).best is None:
        return refuse("INVALID_NO_LIQUIDITY")
    return None


_CHECKS = (
    _configuration,
    _session,
    _futures,
    _market_state,
    _base_size,
    _quote_size,
    _prices,
    _end_time,
    _post_only,
    _stop,
    _bracket,
    _capacity,
)


def validate(situation: Situation) -> Refusal | None:
    """Return the first reason to refuse, in the venue's order; funds are checked by the caller."""
    for check in _CHECKS:
        refusal = check(situation)
        if refusal is not None:
            return refusal
    return None


def crosses(book: Book, side: Side, limit: Decimal) -> bool:
    """Whether an order at this limit would trade at once."""
    opposite = book.side(side.opposite)
    best = opposite.best
    return best is not None and opposite.reaches(best, limit)
