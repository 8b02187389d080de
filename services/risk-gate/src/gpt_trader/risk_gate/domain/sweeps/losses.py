"""RG2 and RG3: what was lost since the day, the week and the peak; on equity, so fees and open positions count."""

from decimal import Decimal

from gpt_trader.risk_gate.domain.sweeps.guard import Reading
from gpt_trader.risk_gate.domain.sweeps.view import SweepView


def daily_loss(view: SweepView) -> tuple[Reading, ...]:
    """Measure the loss since the start of the UTC day, against the smaller of share and amount."""
    start = _day_start(view)
    if start is None:
        return (Reading(value=None, limit=None),)
    limits, bands = view.policy.limits, view.policy.losses
    return (
        Reading(
            value=_lost(view, start),
            limit=min(start * limits.daily_loss_fraction, limits.daily_loss_notional),
            warn=min(start * bands.daily_warn_fraction, limits.daily_loss_notional),
            detail=f"the day began at {start:.2f}",
        ),
    )


def halting_daily_loss(view: SweepView) -> tuple[Reading, ...]:
    """Measure the same loss, where nothing at all may be sent any more."""
    start = _day_start(view)
    if start is None:
        return (Reading(value=None, limit=None),)
    limit = start * view.policy.losses.daily_halt_fraction
    return (Reading(value=_lost(view, start), limit=limit, detail=f"the day began at {start:.2f}"),)


def weekly_loss(view: SweepView) -> tuple[Reading, ...]:
    """Measure the loss since the start of the ISO week, Monday 00:00 UTC."""
    start = view.state.week_start_equity if _is_day_valued(view) else None
    if start is None:
        return (Reading(value=None, limit=None),)
    bands = view.policy.losses
    return (
        Reading(
            value=_lost(view, start),
            limit=start * bands.weekly_fraction,
            warn=start * bands.weekly_warn_fraction,
            detail=f"the week began at {start:.2f}",
        ),
    )


def drawdown(view: SweepView) -> tuple[Reading, ...]:
    """Fall of equity from its peak, as a share of it."""
    peak = view.state.peak_equity
    if not peak or view.equity is None:
        return (Reading(value=None, limit=None),)
    return (
        Reading(
            value=(peak - view.equity) / peak,
            limit=view.policy.limits.drawdown_fraction,
            warn=view.policy.losses.drawdown_warn_fraction,
            detail=f"equity {view.equity:.2f} from {peak:.2f}",
        ),
    )


def _day_start(view: SweepView) -> Decimal | None:
    """Return the equity the day began with; unknown until the day's first valuation."""
    return view.state.day_start_equity if _is_day_valued(view) else None


def _is_day_valued(view: SweepView) -> bool:
    """Whether the day has begun for the books, too; a clock that was set back does not begin an old one."""
    return view.state.day is not None and view.state.day >= view.now.date()


def _lost(view: SweepView, start: Decimal) -> Decimal | None:
    return None if view.equity is None else start - view.equity
