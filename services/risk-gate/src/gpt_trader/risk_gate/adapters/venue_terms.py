"""The venue's own terms of products over REST, with the fee of the account's tier, in base currency."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import ValidationError

from gpt_trader.contracts.market import FutureTerms, ProductTerms, is_future
from gpt_trader.risk_gate.adapters.parse import (
    Json,
    NotUnderstood,
    as_object,
    boolean,
    decimal,
    document,
    objects,
    text,
)
from gpt_trader.risk_gate.adapters.venue import RestVenue, query_of
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

_CHUNK = 100
"""Products that are asked for at once: an address has to stay of a sane length."""
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestTerms:
    """Implements TermsSource."""

    venue: RestVenue

    async def terms(self, products: Collection[str]) -> Mapping[str, ProductTerms]:
        """Ask for spot and futures apart, for their fees differ, and only for what is wanted of each."""
        spot = [name for name in products if not is_future(name)]
        futures = [name for name in products if is_future(name)]
        return {**await self._of_kind("SPOT", spot), **await self._of_kind("FUTURE", futures)}

    async def _of_kind(self, kind: str, names: list[str]) -> dict[str, ProductTerms]:
        if not names:
            return {}
        rate = await self.venue.read("/transaction_summary", f"product_type={kind}", taker_rate)
        found: dict[str, ProductTerms] = {}
        for start in range(0, len(names), _CHUNK):
            query = query_of(product_type=kind, product_ids=names[start : start + _CHUNK], cursor="")
            answer = await self.venue.read("/products", query, lambda body: objects(document(body), "products"))
            for entry in answer:
                try:
                    terms = product_terms(entry, rate)
                except NotUnderstood as error:
                    log.warning("terms_not_understood", product=entry.get("product_id"), reason=str(error))
                else:
                    found[terms.product] = terms
        return {name: found[name] for name in names if name in found}


def taker_rate(body: bytes) -> Decimal:
    """Read the dearest fee of `transaction_summary`: the taker's, as a share of notional."""
    return decimal(as_object(document(body), "fee_tier"), "taker_fee_rate")


def product_terms(entry: Json, rate: Decimal) -> ProductTerms:
    """Read one entry of `products`; the venue counts futures in contracts, we in what they stand for."""
    kind = text(entry, "product_type")
    future = _future(as_object(entry, "future_product_details")) if kind == "FUTURE" else None
    unit = _ONE if future is None else future.contract_size
    try:
        return ProductTerms.model_validate(
            {
                "product": text(entry, "product_id"),
                "quote_currency": text(entry, "quote_currency_id"),
                "kind": kind.lower(),
                "base_increment": decimal(entry, "base_increment") * unit,
                "price_increment": decimal(entry, "price_increment"),
                "base_min_size": decimal(entry, "base_min_size") * unit,
                "base_max_size": decimal(entry, "base_max_size") * unit,
                "quote_min_size": decimal(entry, "quote_min_size"),
                "is_disabled": _is_disabled(entry),
                "is_cancel_only": boolean(entry, "cancel_only"),
                "is_limit_only": boolean(entry, "limit_only"),
                "is_post_only": boolean(entry, "post_only"),
                "is_auction": boolean(entry, "auction_mode"),
                "future": future,
                "taker_rate": rate,
            }
        )
    except ValidationError as error:
        raise NotUnderstood(f"product terms: {error}") from None


def _is_disabled(entry: Json) -> bool:
    """Whether nothing can be ordered: futures have no status text, and look online while their session is shut."""
    session = entry.get("fcm_trading_session_details")
    is_shut = session is not None and not boolean(as_object(entry, "fcm_trading_session_details"), "is_session_open")
    flags = [boolean(entry, name) for name in ("is_disabled", "trading_disabled", "view_only")]
    return is_shut or any(flags) or entry.get("status") not in {None, "", "online"}


def _future(details: Json) -> FutureTerms:
    day, night = as_object(details, "intraday_margin_rate"), as_object(details, "overnight_margin_rate")
    try:
        return FutureTerms(
            contract_size=decimal(details, "contract_size"),
            expires_at=datetime.fromisoformat(text(details, "contract_expiry")),
            intraday_margin_long=decimal(day, "long_margin_rate"),
            intraday_margin_short=decimal(day, "short_margin_rate"),
            overnight_margin_long=decimal(night, "long_margin_rate"),
            overnight_margin_short=decimal(night, "short_margin_rate"),
            funding_rate=decimal(details, "funding_rate") if details.get("funding_rate") else None,
        )
    except ValueError as error:  # pydantic's ValidationError is one
        raise NotUnderstood(f"future_product_details: {error}") from None
