"""G5 and G9 beyond the present tick: whether the market makes sense, and its price over a minute (C03, C12)."""

from decimal import Decimal

from gpt_trader.risk_gate.domain.checks.case import NO, YES, Case, Finding, at_most, missing
from gpt_trader.risk_gate.domain.increments import BPS, ZERO
from gpt_trader.risk_gate.domain.pricing import distance_bps

_ROOT_OF_MINUTES_A_DAY = Decimal(1440).sqrt()


def market_is_two_sided(case: Case) -> Finding:
    """Both the tick and the book have bids below asks, and something rests on each side."""
    tick, book = case.tick, case.book
    if tick is None or book is None:
        return missing("a book")
    is_whole = tick.bid < tick.ask and book.bid < book.ask
    return YES if is_whole and min(book.bid_quantity, book.ask_quantity) > ZERO else NO


def trade_is_near_book(case: Case) -> Finding:
    """Require that the last trade and the book speak of the same price."""
    if case.tick is None or case.mark is None:
        return missing("a trade")
    return at_most(distance_bps(case.tick.last_price, case.mark), case.policy.prices.trade_distance_bps)


def mark_has_not_jumped(case: Case) -> Finding:
    """Require that the mark left its median of 60 s by no more than so many deviations of one minute.

    Unknown volatility counts as none: then only the floor is allowed.
    """
    median = _median(case)
    if case.mark is None or median is None:
        return missing("a median")
    statistics, prices = case.request.market.statistics, case.policy.prices
    volatility = ZERO if statistics is None else statistics.volatility or ZERO
    minute_bps = volatility / _ROOT_OF_MINUTES_A_DAY * BPS
    return at_most(distance_bps(case.mark, median), max(minute_bps * prices.jump_sigmas, prices.jump_floor_bps))


def limit_is_within_period_collar(case: Case) -> Finding:
    """Our limit price stays near the median of the last 60 s."""
    median = _median(case)
    if case.limit_price is None or median is None:
        return missing("a median")
    return at_most(distance_bps(case.limit_price, median), case.policy.prices.period_collar_bps)


def _median(case: Case) -> Decimal | None:
    statistics = case.request.market.statistics
    return None if statistics is None else statistics.mid_median_60s
