"""Exits that follow from price and time alone, in the order in which they are evaluated."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.strategy.domain.parameters import StrategyParameters
from gpt_trader.strategy.domain.strategy import Holding

Rule = Callable[[Holding, Decimal, StrategyParameters, datetime], str | None]


def exit_reason(holding: Holding, price: Decimal, parameters: StrategyParameters, now: datetime) -> str | None:
    """Return why the position must be closed at this price, or None to keep it."""
    found = (rule(holding, price, parameters, now) for rule in RULES)
    return next((reason for reason in found if reason is not None), None)


def stop(holding: Holding, price: Decimal, parameters: StrategyParameters, now: datetime) -> str | None:  # noqa: ARG001 - rules share one shape
    """Close at the position's stop, or at the widest one allowed where it has none."""
    level = holding.stop_price or holding.entry_price * (1 - parameters.stop_loss)
    return f"stop: {price:f} is at or below {level:f}" if price <= level else None


def target(holding: Holding, price: Decimal, parameters: StrategyParameters, now: datetime) -> str | None:  # noqa: ARG001 - rules share one shape
    """Close at the position's target, or at the farthest one allowed where it has none."""
    level = holding.target_price or holding.entry_price * (1 + parameters.take_profit)
    return f"target: {price:f} is at or above {level:f}" if price >= level else None


def trailing_stop(holding: Holding, price: Decimal, parameters: StrategyParameters, now: datetime) -> str | None:  # noqa: ARG001 - rules share one shape
    """Close once price fell too far from its peak; the peak must be above entry, below it the stop rules."""
    level = holding.peak * (1 - parameters.trail)
    if holding.peak <= holding.entry_price or price > level:
        return None
    return f"trailing stop: {price:f} fell {parameters.trail:%} from the peak {holding.peak:f}"


def time_stop(holding: Holding, price: Decimal, parameters: StrategyParameters, now: datetime) -> str | None:  # noqa: ARG001 - rules share one shape
    """Close a position that outlived its idea."""
    if holding.opened_at is None:
        return None
    longest = timedelta(minutes=int(parameters.hold_minutes))
    return f"time stop: held longer than {longest}" if now - holding.opened_at >= longest else None


RULES: tuple[Rule, ...] = (stop, target, trailing_stop, time_stop)
