"""RG6: whether the venue takes our requests, and how much of the rate budget is left."""

from decimal import Decimal

from gpt_trader.risk_gate.domain.sweeps.guard import Reading
from gpt_trader.risk_gate.domain.sweeps.view import SweepView


def error_share(view: SweepView) -> tuple[Reading, ...]:
    """Share of recent requests that failed."""
    rules = view.policy.venue_health
    limit = rules.error_fraction
    return (Reading(value=_failed(view), limit=limit, warn=limit * view.policy.breakers.warn_share, detail=_of(view)),)


def halting_error_share(view: SweepView) -> tuple[Reading, ...]:
    """Measure the same share, where the venue counts as gone."""
    return (Reading(value=_failed(view), limit=view.policy.venue_health.halt_fraction, detail=_of(view)),)


def budget_share(view: SweepView) -> tuple[Reading, ...]:
    """Share of the rate budget that is spent."""
    limit = view.policy.venue_health.budget_fraction
    used = None if view.traffic is None else view.traffic.budget_used
    return (Reading(value=used, limit=limit, warn=limit * view.policy.breakers.warn_share),)


def _failed(view: SweepView) -> Decimal | None:
    """Return the share; with too few requests nobody can tell."""
    traffic = view.traffic
    if traffic is None or traffic.requests < view.policy.venue_health.min_requests:
        return None
    return Decimal(traffic.errors) / Decimal(traffic.requests)


def _of(view: SweepView) -> str:
    return "" if view.traffic is None else f"{view.traffic.errors} of {view.traffic.requests} requests"
