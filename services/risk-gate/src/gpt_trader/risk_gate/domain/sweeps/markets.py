"""RG5, RG7-RG9: markets that move too fast, go silent or dry up, and holdings that weigh too much."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from gpt_trader.contracts.decisions import MarketStatistics
from gpt_trader.risk_gate.domain.increments import BPS, ZERO
from gpt_trader.risk_gate.domain.policy.sweeps import BreakerRules
from gpt_trader.risk_gate.domain.pricing import mark_age
from gpt_trader.risk_gate.domain.sweeps.conditions import restricts
from gpt_trader.risk_gate.domain.sweeps.guard import Reading
from gpt_trader.risk_gate.domain.sweeps.orders import seconds
from gpt_trader.risk_gate.domain.sweeps.view import SweepView
from gpt_trader.risk_gate.domain.trading_state import CauseCode


def stale_marks(view: SweepView) -> tuple[Reading, ...]:
    """Age of the mark of each held product, and of one sold while it was stale: else nothing would lift its pause.

    While the gate starts, markets have not spoken yet.
    """
    if restricts(view.state, CauseCode.STARTING, view.now):
        return ()
    limit = seconds(view.policy.marks.stale_seconds)
    held = view.held()
    sold = (one.product for one in view.state.causes if one.code == CauseCode.STALE_MARK and one.until is None)
    products = (*held, *(product for product in sold if product is not None and product not in held))
    return tuple(Reading(value=_age(view, product), limit=limit, product=product) for product in products)


def volatility(view: SweepView) -> tuple[Reading, ...]:
    """Realised volatility of each market against a multiple of its own median."""
    rules = view.policy.breakers
    return tuple(
        _against(
            product,
            found.volatility,
            _scaled(_median_of(found, view), rules.volatility_multiple, rules.volatility_floor),
            rules,
        )
        for product, found in _measured(view)
    )


def moves(view: SweepView) -> tuple[Reading, ...]:
    """How far each market moved within five minutes, high to low."""
    limit, warn = view.policy.breakers.move_fraction, view.policy.breakers.warn_share
    return tuple(
        Reading(value=found.move_5m, limit=limit, warn=limit * warn, product=product)
        for product, found in _measured(view)
    )


def spreads(view: SweepView) -> tuple[Reading, ...]:
    """Spread of each market against a multiple of its own median."""
    rules = view.policy.breakers
    return tuple(
        _against(
            product,
            _spread_bps(view, product),
            _scaled(found.spread_median_bps, rules.spread_multiple, rules.spread_floor_bps),
            rules,
        )
        for product, found in _measured(view)
    )


def depths(view: SweepView) -> tuple[Reading, ...]:
    """Depth of each market's thinner side against a share of its own median."""
    rules = view.policy.breakers
    return tuple(
        Reading(
            value=_depth(view, product),
            limit=_least_depth(found.depth_median_notional, rules),
            product=product,
        )
        for product, found in _measured(view)
    )


def concentration(view: SweepView) -> tuple[Reading, ...]:
    """Share of equity that each product holds at its mark."""
    rules = view.policy.breakers
    limit = rules.concentration_fraction
    return tuple(
        Reading(value=_share(view, product), limit=limit, warn=limit * rules.warn_share, product=product)
        for product in view.markets
    )


def correlation(view: SweepView) -> tuple[Reading, ...]:
    """Largest share of equity in held products that move together; the unknown between two of them leaves it open."""
    limit = view.policy.breakers.correlated_fraction
    shares = {product: _share(view, product) for product in view.held()}
    together = [_together(view, product, shares) for product in shares]
    if any(share is None for share in together):
        return (Reading(value=None, limit=limit),)
    largest = max((share for share in together if share is not None), default=ZERO)
    return (Reading(value=largest, limit=limit, warn=limit * view.policy.breakers.warn_share),)


def _together(view: SweepView, product: str, shares: Mapping[str, Decimal | None]) -> Decimal | None:
    """Return the share of equity in a product and all that correlate with it; one that none moves with counts nothing.

    How much a single product may hold is the limit of `concentration`.
    """
    market = view.markets.get(product)
    known = {} if market is None or market.statistics is None else market.statistics.correlations
    least, joined = view.policy.breakers.correlation, [shares[product]]
    for other in shares.keys() - {product}:
        coefficient = known.get(other)
        if coefficient is None:
            return None
        if coefficient >= least:
            joined.append(shares[other])
    if len(joined) == 1:
        return ZERO
    return None if None in joined else sum((share for share in joined if share is not None), ZERO)


def _measured(view: SweepView) -> Iterator[tuple[str, MarketStatistics]]:
    """Yield each product with its statistics; one without any is not looked at, so nothing of it is lifted."""
    for product, market in view.markets.items():
        if market.statistics is not None:
            yield product, market.statistics


def _against(product: str, value: Decimal | None, limit: Decimal | None, rules: BreakerRules) -> Reading:
    warn = None if limit is None else limit * rules.warn_share
    return Reading(value=value, limit=limit, warn=warn, product=product)


def _scaled(median: Decimal | None, multiple: Decimal, floor: Decimal) -> Decimal | None:
    """Return a multiple of the median; of a tiny one that is no limit, so nothing below the floor trips."""
    return None if median is None else max(median * multiple, floor)


def _least_depth(median: Decimal | None, rules: BreakerRules) -> Decimal | None:
    """Return a share of the median; a book that is deep enough in any case is not thin."""
    return None if median is None else min(median * rules.depth_share, rules.depth_enough_notional)


def _median_of(found: MarketStatistics, view: SweepView) -> Decimal | None:
    is_enough = found.volatility_samples >= view.policy.breakers.volatility_samples
    return found.volatility_median if is_enough else None


def _spread_bps(view: SweepView, product: str) -> Decimal | None:
    tick = view.tick(product)
    return None if tick is None or not tick.mid else (tick.ask - tick.bid) / tick.mid * BPS


def _depth(view: SweepView, product: str) -> Decimal | None:
    book = view.markets[product].book
    within = view.policy.prices.depth_within_bps
    for band in () if book is None else book.depth:
        if band.within_bps == within:
            return min(band.bid_notional, band.ask_notional)
    return None


def _age(view: SweepView, product: str) -> Decimal | None:
    """Seconds since the market was last heard; one from the future is as useless as none."""
    tick = view.tick(product)
    if tick is None:
        return None
    age = mark_age(tick, view.now, view.policy)
    return seconds(age) if age >= -view.policy.signals.max_clock_skew_seconds else None


def _share(view: SweepView, product: str) -> Decimal | None:
    if not view.state.portfolio.quantity(product):
        return ZERO
    worth = view.worth(product)
    if worth is None or view.equity is None or view.equity <= ZERO:
        return None
    return worth / view.equity
