"""The venue's own terms of a product, read by the gate itself, against what market-data says of them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.decisions import MarketView
from gpt_trader.contracts.market import FutureTerms, ProductSpec, ProductTerms
from gpt_trader.risk_gate.domain.records import CauseCleared, CauseRaised, Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode, holds


def rules_of(view: MarketView) -> ProductSpec | None:
    """Return the rules that an order follows: the venue's, as far as they are known; None = nobody told any.

    A status flag counts whoever of both states it: the venue's own was read a while ago, market-data can hide one.
    """
    spec, terms = view.spec, view.terms
    if spec is None or terms is None:
        return spec
    said, true = _flags(spec), _flags(terms)
    if said == true and agree(spec, terms):
        return spec
    stated = {name: value for name, value in terms if name in ProductSpec.model_fields}
    worst = (one or other for one, other in zip(said, true, strict=True))
    return spec.model_copy(update={**stated, **dict(zip(_FLAGS, worst, strict=True))})


def agree(spec: ProductSpec, terms: ProductTerms) -> bool:
    """Whether market-data and the venue state the same terms; neither funding nor a flag, which come and go, is one."""
    return (
        spec.base_increment == terms.base_increment
        and spec.price_increment == terms.price_increment
        and spec.base_min_size == terms.base_min_size
        and spec.base_max_size == terms.base_max_size
        and spec.quote_min_size == terms.quote_min_size
        and spec.kind == terms.kind
        and spec.quote_currency == terms.quote_currency
        and _contract(spec.future) == _contract(terms.future)
    )


def differences(spec: ProductSpec, terms: ProductTerms) -> tuple[tuple[str, str, str], ...]:
    """Name each term that differs, with market-data's word and the venue's."""
    said, true = dict(_spelled(spec)), dict(_spelled(terms))
    names = dict.fromkeys((*said, *true))
    return tuple(
        (name, str(said.get(name, "none")), str(true.get(name, "none")))
        for name in names
        if said.get(name) != true.get(name)
    )


def taken(
    known: Mapping[str, ProductTerms], found: Mapping[str, ProductTerms], products: Iterable[str]
) -> dict[str, ProductTerms]:
    """Take over an answer; a product that it lacks keeps its terms for exits, and takes no entries by them."""
    kept = {name: outdated(known[name]) for name in products if name in known}
    return kept | dict(found)


def outdated(terms: ProductTerms) -> ProductTerms:
    """Mark terms as ones that the venue did not confirm."""
    return terms.model_copy(update={"is_current": False})


def compared(
    state: GateState, specs: Mapping[str, ProductSpec], terms: Mapping[str, ProductTerms], now: datetime
) -> Iterator[Record]:
    """Restrict each product of which market-data says something else than the venue, and lift it once they agree."""
    code = CauseCode.TERMS_DIFFER
    known = {cause.product for cause in state.causes if cause.code == code and holds(cause, now)}
    differing = {name: one for name, one in terms.items() if name in specs and not agree(specs[name], one)}
    for name, one in differing.items():
        if name not in known:
            yield CauseRaised(cause=_differing(specs[name], one, now), at=now)
    for product in known:
        if product not in differing:
            yield CauseCleared(code=code, product=product, reason="market-data and the venue agree", at=now)


def _differing(spec: ProductSpec, terms: ProductTerms, now: datetime) -> Cause:
    named = (f"{name} is {true}, market-data says {said}" for name, said, true in differences(spec, terms))
    return Cause(
        code=CauseCode.TERMS_DIFFER,
        status=TradingStatus.REDUCE_ONLY,
        detail=f"at the venue {'; '.join(named)}",
        product=spec.product,
        since=now,
        until=None,
    )


_FLAGS = ("is_disabled", "is_cancel_only", "is_limit_only", "is_post_only", "is_auction")


def _flags(rules: ProductSpec | ProductTerms) -> tuple[bool, ...]:
    return rules.is_disabled, rules.is_cancel_only, rules.is_limit_only, rules.is_post_only, rules.is_auction


def _contract(future: FutureTerms | None) -> tuple[object, ...]:
    if future is None:
        return ()
    return (
        future.contract_size,
        future.expires_at,
        future.intraday_margin_long,
        future.intraday_margin_short,
        future.overnight_margin_long,
        future.overnight_margin_short,
    )


def _spelled(rules: ProductSpec | ProductTerms) -> Iterator[tuple[str, object]]:
    yield "product type", rules.kind
    yield "quote currency", rules.quote_currency
    yield "base increment", rules.base_increment
    yield "price increment", rules.price_increment
    yield "smallest quantity", rules.base_min_size
    yield "largest quantity", rules.base_max_size
    yield "smallest notional", rules.quote_min_size
    if rules.future is not None:
        names = ("contract size", "expiry", "day margin long", "day margin short", "night margin long")
        yield from zip((*names, "night margin short"), _contract(rules.future), strict=True)
