"""G3-G5, G9, G10: whether the product may be traded, its market is seen, and it carries the order."""

from decimal import Decimal

from gpt_trader.contracts.market import is_future
from gpt_trader.risk_gate.domain.checks.case import NO, YES, Case, Finding, at_least, at_most, missing
from gpt_trader.risk_gate.domain.increments import ONE, ZERO
from gpt_trader.risk_gate.domain.pricing import distance_bps

_OPEN: Finding = (True, "open", "open")


def product_is_in_universe(case: Case) -> Finding:
    """Outside the universe nothing can be entered."""
    return YES if case.request.is_in_universe else NO


def product_accepts_orders(case: Case) -> Finding:
    """No status flag of the venue stands against a limit order; one that only makes suits a post-only market."""
    spec = case.spec
    if spec is None:
        return missing("product rules")
    is_taker = spec.is_post_only and not case.shape.post_only
    flags = (spec.is_disabled, spec.is_cancel_only, is_taker, spec.is_auction)
    if True not in flags and (spec.kind == "future") is is_future(spec.product) is (spec.future is not None):
        return _OPEN
    names = ("disabled", "cancel_only", "post_only", "auction")
    stated = [name for name, is_set in zip(names, flags, strict=True) if is_set]
    return False, ",".join([*stated, spec.kind]), "open"


def quote_is_ours(case: Case) -> Finding:
    """Require that the product is quoted in the currency that equity is counted in."""
    if case.spec is None:
        return missing("product rules")
    quote = case.spec.quote_currency
    return quote == case.policy.quote_currency, quote, case.policy.quote_currency


def mark_is_fresh(case: Case) -> Finding:
    """Require that the mark is not older than the limit, nor from the future."""
    if case.mark_age is None:
        return missing("a mark")
    limit = case.policy.marks.stale_seconds
    is_fresh = -case.policy.signals.max_clock_skew_seconds <= case.mark_age <= limit
    return is_fresh, case.mark_age, limit


def feed_is_clean(case: Case) -> Finding:
    """No gap, not resyncing; a product whose feed never reported is not clean."""
    feed = case.request.market.feed
    if feed is None:
        return missing("clean")
    return feed.is_clean, feed.state.value, "clean"


def limit_is_within_collar(case: Case) -> Finding:
    """Our own limit price stays near the mark, that of a waiting order near its trigger; a target is none of both."""
    if case.limit_price is None or case.mark is None or case.spec is None:
        return missing("a price")
    collar, start = case.policy.prices.collar_bps[case.spec.tier], case.mark
    if case.trigger is not None:
        collar, start = case.policy.protection.stop_limit_bps, case.trigger
    distance = distance_bps(case.limit_price, start)
    is_better = (start - case.limit_price) * case.signal.side.sign >= ZERO
    return at_most(ZERO if is_better and not case.purpose.is_entry and case.shape.form.rests else distance, collar)


def reference_is_within_collar(case: Case) -> Finding:
    """Require that the price the strategy decided on is still near the mark."""
    if case.mark is None or case.spec is None:
        return missing("a mark")
    collar = case.policy.prices.collar_bps[case.spec.tier]
    return at_most(distance_bps(case.signal.reference_price, case.mark), collar)


def spread_is_within_tier(case: Case) -> Finding:
    """Entries need the spread of their tier."""
    if case.tick is None or case.spec is None or case.mark is None:
        return missing("a spread")
    prices = case.policy.prices
    limit = min(prices.spread_bps[case.spec.tier], prices.hard_spread_bps)
    return at_most(distance_bps(case.tick.ask, case.tick.bid), limit)


def spread_is_within_hard_limit(case: Case) -> Finding:
    """Nothing ordinary trades across a broken book."""
    if case.tick is None:
        return missing("a spread")
    return at_most(distance_bps(case.tick.ask, case.tick.bid), case.policy.prices.hard_spread_bps)


def book_is_fresh(case: Case) -> Finding:
    """Require that the book is as recent as a mark must be."""
    if case.book is None:
        return missing("a book")
    age = case.now - case.book.occurred_at
    limit = case.policy.marks.stale_seconds
    return -case.policy.signals.max_clock_skew_seconds <= age <= limit, age, limit


def impact_is_small(case: Case) -> Finding:
    """Require that filling the order walks the book by less than the limit."""
    if case.book is None:
        return missing("a book")
    impact = _impact_bps(case)
    limit = case.policy.prices.impact_bps
    if impact is None:
        return False, "beyond the book", limit
    return impact < limit, impact, limit


def depth_is_enough(case: Case) -> Finding:
    """Require that the opposite side holds a multiple of the order."""
    needed = case.notional * case.policy.prices.depth_multiple
    depth = _depth(case, case.policy.prices.depth_within_bps)
    return missing("a book") if depth is None else at_least(depth, needed)


def _depth(case: Case, within_bps: int) -> Decimal | None:
    if case.book is None:
        return None
    for band in case.book.depth:
        if band.within_bps == within_bps:
            return band.ask_notional if case.signal.side.sign > 0 else band.bid_notional
    return None


def _impact_bps(case: Case) -> Decimal | None:
    """Assume depth spreads evenly within the narrowest band that holds the order; None if no band does."""
    if case.book is None:
        return None
    best = (
        case.book.ask_quantity * case.book.ask if case.signal.side.sign > 0 else case.book.bid_quantity * case.book.bid
    )
    if case.notional <= best:
        return ZERO
    for band in case.book.depth:
        depth = band.ask_notional if case.signal.side.sign > 0 else band.bid_notional
        if depth > ZERO and case.notional <= depth:
            return band.within_bps * ONE * case.notional / depth
    return None
