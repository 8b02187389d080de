"""RG11 and C25: orders whose fate is unknown or that work for too long, and fills that come too fast."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.domain.exposure import FATE_UNKNOWN, Approval
from gpt_trader.risk_gate.domain.history import Filled
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.sweeps.guard import Reading
from gpt_trader.risk_gate.domain.sweeps.view import SweepView

BURST = timedelta(seconds=1)


def unresolved_orders(view: SweepView) -> tuple[Reading, ...]:
    """Count creates let out so long ago that their fate must be known: the books may lack their fills."""
    silent = [
        key
        for key, kept in view.state.approvals.items()
        if kept.permitted_at is not None and kept.permitted_at <= view.answerable_since and kept.status in FATE_UNKNOWN
    ]
    detail = f"nothing is known of what became of {', '.join(silent)}" if silent else ""
    return (Reading(value=Decimal(len(silent)), limit=ZERO, detail=detail),)


def unfilled_orders(view: SweepView) -> tuple[Reading, ...]:
    """Measure the longest that an order of each product has worked; stops at the venue may work for ever."""
    rules = view.policy.working
    limit = seconds(rules.unfilled_seconds)
    oldest: dict[str, list[Approval]] = {}
    for kept in view.state.approvals.values():
        if kept.permitted_at is not None and kept.purpose is not Purpose.PROTECTIVE:
            oldest.setdefault(kept.product, []).append(kept)
    return tuple(
        Reading(
            value=max(_age(kept, view) for kept in working),
            limit=limit,
            product=product,
            detail=", ".join(kept.client_order_id for kept in working),
            orders=tuple(kept.client_order_id for kept in working if _age(kept, view) > limit)
            if rules.cancels_unfilled
            else (),
        )
        for product, working in oldest.items()
    )


def fills_in_a_second(view: SweepView) -> tuple[Reading, ...]:
    """Count the executions of each product within a second."""
    limit = Decimal(view.policy.working.fills_per_second)
    return tuple(_burst(view, product, Decimal(len(fills)), limit) for product, fills in _recent(view))


def value_in_a_second(view: SweepView) -> tuple[Reading, ...]:
    """Sum the notional executed of each product within a second."""
    limit = view.policy.working.notional_per_second
    return tuple(
        _burst(view, product, sum((one.notional for one in fills), ZERO), limit) for product, fills in _recent(view)
    )


def seconds(span: timedelta) -> Decimal:
    """Turn a duration into seconds."""
    return Decimal(span // timedelta(microseconds=1)).scaleb(-6)


def _age(kept: Approval, view: SweepView) -> Decimal:
    return seconds(view.now - (kept.permitted_at or view.now))


def _recent(view: SweepView) -> Iterator[tuple[str, list[Filled]]]:
    """Yield each product with the fills of the second that its newest one ends, if that one was just counted."""
    fills = view.state.history.fills
    for product in sorted({*view.markets, *(one.product for one in fills)}):
        of_product = [one for one in fills if one.product == product]
        newest = max((one.occurred_at for one in of_product), default=view.now)
        is_now = any(view.now - one.at < BURST for one in of_product)
        yield product, [one for one in of_product if is_now and newest - one.occurred_at < BURST]


def _burst(view: SweepView, product: str, value: Decimal, limit: Decimal) -> Reading:
    orders = tuple(
        kept.client_order_id
        for kept in view.state.approvals.values()
        if kept.product == product and kept.purpose is not Purpose.PROTECTIVE
    )
    return Reading(value=value, limit=limit, warn=None, product=product, orders=orders)
