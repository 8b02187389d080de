"""G6 and G7: hard limits that nothing can loosen, and shares of equity at risk; open orders count at their worst."""

from datetime import timedelta
from decimal import Decimal

from gpt_trader.risk_gate.domain.checks.case import NO, YES, Case, Finding, at_most, below, missing
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.scaling import usual_volume

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def equity_is_known(case: Case) -> Finding:
    """Every held product has a fresh mark, and something is left."""
    return YES if case.account.equity is not None and case.account.equity > ZERO else NO


def order_is_within_limit(case: Case) -> Finding:
    """Worst-case notional of this order."""
    return at_most(case.notional, case.policy.limits.max_order_notional)


def order_is_within_share(case: Case) -> Finding:
    """Worst-case notional of this order against equity (C04)."""
    if case.account.equity is None:
        return missing("equity")
    return at_most(case.notional, case.account.equity * case.policy.limits.order_fraction)


def order_is_within_volume(case: Case) -> Finding:
    """Worst-case notional of this order against what the market trades in five minutes (C04)."""
    if case.spec is None:
        return missing("a volume")
    volume = usual_volume(case.request.market.statistics, case.spec)
    return at_most(case.notional, volume * case.policy.limits.volume_fraction)


def position_is_within_limit(case: Case) -> Finding:
    """Worst-case notional of the product after this order."""
    after = _product_after(case)
    return missing("marks") if after is None else at_most(after, case.policy.limits.max_position_notional)


def leverage_is_within_limit(case: Case) -> Finding:
    """Worst-case exposure over equity after this order."""
    if case.account.exposure is None or not case.account.equity or case.account.equity <= ZERO:
        return missing("equity")
    return at_most((case.account.exposure.total + case.notional) / case.account.equity, case.policy.limits.max_leverage)


def daily_loss_is_within_limit(case: Case) -> Finding:
    """Loss since the start of the UTC day, unrealized included."""
    if case.account.equity is None or case.state.day_start_equity is None:
        return missing("equity")
    start = case.state.day_start(case.account.equity, case.request.now)
    return _under(start - case.account.equity, daily_loss_limit(start, case.policy.limits.daily_loss_fraction, case))


def drawdown_is_within_limit(case: Case) -> Finding:
    """Fall of equity from its peak."""
    peak = case.state.peak_equity
    if case.account.equity is None or not peak:
        return missing("equity")
    return _under((peak - case.account.equity) / peak, case.policy.limits.drawdown_fraction)


def open_orders_are_few(case: Case) -> Finding:
    """Orders that are approved and not over; a stop that waits at the venue belongs to its position."""
    return below(len(case.state.approvals.in_motion), case.policy.limits.max_open_orders)


def minute_is_within_limit(case: Case) -> Finding:
    """Worst-case notional of entries approved within a minute."""
    return _rolling(case, _MINUTE, case.policy.limits.notional_per_minute)


def hour_is_within_limit(case: Case) -> Finding:
    """Worst-case notional of entries approved within an hour."""
    return _rolling(case, _HOUR, case.policy.limits.notional_per_hour)


def day_is_within_limit(case: Case) -> Finding:
    """Worst-case notional of entries approved within a day."""
    return _rolling(case, _DAY, case.policy.limits.notional_per_day)


def asset_is_within_share(case: Case) -> Finding:
    """Worst-case share of one product."""
    after = _product_after(case)
    if after is None or case.account.equity is None:
        return missing("equity")
    return at_most(after, case.account.equity * case.policy.exposure.per_asset_fraction)


def total_is_within_share(case: Case) -> Finding:
    """Worst-case share of all products together."""
    if case.account.exposure is None or case.account.equity is None:
        return missing("equity")
    return at_most(
        case.account.exposure.total + case.notional, case.account.equity * case.policy.exposure.total_fraction
    )


def cluster_is_within_share(case: Case) -> Finding:
    """Worst-case share of products that are said to move together."""
    groups, equity = case.account.grouped, case.account.equity
    if groups is None or equity is None:
        return missing("equity")
    return at_most(groups.cluster + case.notional, equity * groups.fraction)


def correlated_is_within_share(case: Case) -> Finding:
    """Worst-case share of what was measured to move with the product, this order included."""
    groups, equity = case.account.grouped, case.account.equity
    if groups is None or equity is None:
        return missing("equity")
    return at_most(groups.correlated + case.notional, equity * case.policy.exposure.correlated_fraction)


def daily_loss_limit(start: Decimal, fraction: Decimal, case: Case) -> Decimal:
    """Return the smaller of the fraction of the day's start and the absolute amount."""
    return min(start * fraction, case.policy.limits.daily_loss_notional)


def _product_after(case: Case) -> Decimal | None:
    return None if case.account.exposure is None else case.account.exposure.of(case.signal.product) + case.notional


def _rolling(case: Case, window: timedelta, limit: Decimal) -> Finding:
    return at_most(case.state.history.entry_notional_since(case.now - window) + case.notional, limit)


def _under(value: Decimal, limit: Decimal) -> Finding:
    return value < limit, value, limit
