"""Trading rules of spot products and US futures, the latter turned from contracts into base currency."""

from dataclasses import replace
from decimal import Decimal

from gpt_trader.contracts.market import FutureTerms
from gpt_trader.market_data.adapters.fields import Json, amount, field, flag, instant, positive, text
from gpt_trader.market_data.domain.catalogue import Listing
from gpt_trader.market_data.ports import Malformed

_ZERO = Decimal(0)


def listing(product: Json) -> Listing:
    """Read one product's rules. A flag that is absent is a flag that is not set; a number must be there."""
    where = f"product {text(product, 'product_id', 'product')}"
    kind = field(product, "product_type", where)
    if kind not in {"SPOT", "FUTURE"}:
        raise Malformed(f"{where}.product_type", kind, "only spot products and US futures can be followed")
    if kind == "SPOT":
        return _rules(product, where, text(product, "base_currency_id", where))
    return _with_terms(_rules(product, where, _root_unit(product)), product)


def _rules(product: Json, where: str, base_currency: str) -> Listing:
    return Listing(
        product=text(product, "product_id", where),
        wire_id=text(product, "alias" if field(product, "alias", where) else "product_id", where),
        base_currency=base_currency,
        quote_currency=text(product, "quote_currency_id", where),
        base_increment=positive(product, "base_increment", where),
        price_increment=positive(product, "price_increment", where),
        base_min_size=positive(product, "base_min_size", where),
        base_max_size=positive(product, "base_max_size", where),
        quote_min_size=amount(product, "quote_min_size", where),
        is_disabled=_is_disabled(product, where),
        is_cancel_only=flag(product, "cancel_only", where),
        is_limit_only=flag(product, "limit_only", where),
        is_post_only=flag(product, "post_only", where),
        is_auction=flag(product, "auction_mode", where),
        volume_24h_notional=_volume(product, where),
    )


def _with_terms(listing: Listing, product: Json) -> Listing:
    """State sizes in base currency, and shut the product with its session: the venue goes on calling it online."""
    where = f"product {listing.product}"
    terms = _terms(field(product, "future_product_details", where), f"{where}.future_product_details")
    session = field(product, "fcm_trading_session_details", where)
    is_open = session is None or flag(session, "is_session_open", where)
    size = terms.contract_size
    return replace(
        listing,
        base_increment=listing.base_increment * size,
        base_min_size=listing.base_min_size * size,
        base_max_size=listing.base_max_size * size,
        is_disabled=listing.is_disabled or not is_open,
        future=terms,
    )


def _root_unit(product: Json) -> str:
    """Return the currency that contracts stand for; the venue leaves the base currency of futures empty."""
    details = field(product, "future_product_details", "product")
    return text(details, "contract_root_unit", "product.future_product_details")


def _terms(details: Json, where: str) -> FutureTerms:
    intraday = field(details, "intraday_margin_rate", where)
    overnight = field(details, "overnight_margin_rate", where)
    size = amount(details, "contract_size", where)
    if not size:
        raise Malformed(f"{where}.contract_size", size, "must be more than 0")
    return FutureTerms(
        contract_size=size,
        expires_at=instant(details, "contract_expiry", where),
        intraday_margin_long=amount(intraday, "long_margin_rate", f"{where}.intraday_margin_rate"),
        intraday_margin_short=amount(intraday, "short_margin_rate", f"{where}.intraday_margin_rate"),
        overnight_margin_long=amount(overnight, "long_margin_rate", f"{where}.overnight_margin_rate"),
        overnight_margin_short=amount(overnight, "short_margin_rate", f"{where}.overnight_margin_rate"),
        funding_rate=amount(details, "funding_rate", where) if details.get("funding_rate") else None,
    )


def _is_disabled(product: Json, where: str) -> bool:
    """Futures have no status text, and an absent one says nothing."""
    if field(product, "status", where) and text(product, "status", where) != "online":
        return True
    return any(flag(product, name, where) for name in ("is_disabled", "trading_disabled", "view_only"))


def _volume(product: Json, where: str) -> Decimal:
    """24 h volume in quote currency; a product that did not trade has empty text."""
    if field(product, "approximate_quote_24h_volume", where):
        return amount(product, "approximate_quote_24h_volume", where)
    if field(product, "volume_24h", where) and field(product, "price", where):
        return amount(product, "volume_24h", where) * amount(product, "price", where)
    return _ZERO
