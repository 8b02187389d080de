"""The table of guards. All are looked at, in this order; whoever adds a row adds its cause and a trip in the tests."""

from datetime import timedelta

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.risk_gate.domain.consequences import end_of_day, end_of_week
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.sweeps import futures, losses, markets, orders, venue_health
from gpt_trader.risk_gate.domain.sweeps.comparison import Comparison
from gpt_trader.risk_gate.domain.sweeps.guard import Guard, Nature, Restriction
from gpt_trader.risk_gate.domain.trading_state import CauseCode

_HALTED, _PAUSED, _REDUCE = TradingStatus.HALTED, TradingStatus.PAUSED, TradingStatus.REDUCE_ONLY


def _breaker_pause(policy: Policy) -> timedelta:
    return policy.breakers.pause_seconds


def _venue_pause(policy: Policy) -> timedelta:
    return policy.venue_health.pause_seconds


def _stale_pause(policy: Policy) -> timedelta:
    return policy.marks.stale_pause_seconds


def _burst_pause(policy: Policy) -> timedelta:
    return policy.working.burst_pause_seconds


GUARDS: tuple[Guard, ...] = (
    Guard(
        spec="RG2",
        name="daily_loss",
        unit="quote",
        comparison=Comparison.GE,
        measure=losses.daily_loss,
        restriction=Restriction(code=CauseCode.DAILY_LOSS, status=_REDUCE, nature=Nature.CRITICAL, until=end_of_day),
    ),
    Guard(
        spec="RG2",
        name="halting_daily_loss",
        unit="quote",
        comparison=Comparison.GE,
        measure=losses.halting_daily_loss,
        restriction=Restriction(code=CauseCode.DAILY_LOSS_HALT, status=_HALTED, nature=Nature.CRITICAL),
    ),
    Guard(
        spec="RG2",
        name="weekly_loss",
        unit="quote",
        comparison=Comparison.GE,
        measure=losses.weekly_loss,
        restriction=Restriction(code=CauseCode.WEEKLY_LOSS, status=_REDUCE, nature=Nature.CRITICAL, until=end_of_week),
    ),
    Guard(
        spec="RG3",
        name="drawdown",
        unit="fraction",
        comparison=Comparison.GE,
        measure=losses.drawdown,
        restriction=Restriction(code=CauseCode.DRAWDOWN, status=_PAUSED, nature=Nature.CRITICAL),
    ),
    Guard(
        spec="RG4",
        name="liquidation_buffer",
        unit="of maintenance margin",
        comparison=Comparison.LT,
        measure=futures.liquidation_buffer,
        restriction=Restriction(code=CauseCode.LIQUIDATION_BUFFER, status=_REDUCE, nature=Nature.RECOVERABLE),
    ),
    Guard(
        spec="RG5",
        name="volatility",
        unit="a day",
        comparison=Comparison.GT,
        measure=markets.volatility,
        restriction=Restriction(
            code=CauseCode.VOLATILITY, status=_PAUSED, nature=Nature.RECOVERABLE, cooldown=_breaker_pause
        ),
    ),
    Guard(
        spec="RG5",
        name="move_in_5_min",
        unit="fraction",
        comparison=Comparison.GT,
        measure=markets.moves,
        restriction=Restriction(
            code=CauseCode.FAST_MOVE, status=_PAUSED, nature=Nature.RECOVERABLE, cooldown=_breaker_pause
        ),
    ),
    Guard(
        spec="RG6",
        name="venue_error_share",
        unit="fraction",
        comparison=Comparison.GE,
        measure=venue_health.error_share,
        restriction=Restriction(
            code=CauseCode.VENUE_ERRORS,
            status=_PAUSED,
            nature=Nature.RECOVERABLE,
            cooldown=_venue_pause,
        ),
    ),
    Guard(
        spec="RG6",
        name="halting_venue_error_share",
        unit="fraction",
        comparison=Comparison.GE,
        measure=venue_health.halting_error_share,
        restriction=Restriction(
            code=CauseCode.VENUE_FAILING,
            status=_HALTED,
            nature=Nature.RECOVERABLE,
            cooldown=_venue_pause,
        ),
    ),
    Guard(
        spec="RG6",
        name="rate_budget_used",
        unit="fraction",
        comparison=Comparison.GE,
        measure=venue_health.budget_share,
        restriction=Restriction(
            code=CauseCode.RATE_BUDGET,
            status=_PAUSED,
            nature=Nature.RECOVERABLE,
            cooldown=_venue_pause,
        ),
    ),
    Guard(
        spec="RG7",
        name="mark_age",
        unit="s",
        comparison=Comparison.GT,
        measure=markets.stale_marks,
        restriction=Restriction(
            code=CauseCode.STALE_MARK,
            status=_PAUSED,
            nature=Nature.RECOVERABLE,
            cooldown=_stale_pause,
        ),
        trips_blind=True,
    ),
    Guard(
        spec="RG8",
        name="concentration",
        unit="of equity",
        comparison=Comparison.GT,
        measure=markets.concentration,
        restriction=Restriction(
            code=CauseCode.CONCENTRATION, status=_PAUSED, nature=Nature.RECOVERABLE, cooldown=_breaker_pause
        ),
    ),
    Guard(
        spec="RG8",
        name="correlated_share",
        unit="of equity",
        comparison=Comparison.GT,
        measure=markets.correlation,
        restriction=Restriction(
            code=CauseCode.CORRELATION, status=_REDUCE, nature=Nature.RECOVERABLE, cooldown=_breaker_pause
        ),
    ),
    Guard(
        spec="RG9",
        name="spread_bps",
        unit="bps",
        comparison=Comparison.GT,
        measure=markets.spreads,
        restriction=Restriction(
            code=CauseCode.WIDE_SPREAD, status=_PAUSED, nature=Nature.RECOVERABLE, cooldown=_breaker_pause
        ),
    ),
    Guard(
        spec="RG9",
        name="depth_notional",
        unit="quote",
        comparison=Comparison.LT,
        measure=markets.depths,
        restriction=Restriction(
            code=CauseCode.THIN_BOOK, status=_PAUSED, nature=Nature.RECOVERABLE, cooldown=_breaker_pause
        ),
    ),
    Guard(
        spec="RG11",
        name="unresolved_orders",
        unit="orders",
        comparison=Comparison.GT,
        measure=orders.unresolved_orders,
        restriction=Restriction(code=CauseCode.UNRESOLVED_ORDER, status=_REDUCE, nature=Nature.RECOVERABLE),
    ),
    Guard(
        spec="RG11",
        name="stale_open_orders",
        unit="s",
        comparison=Comparison.GT,
        measure=orders.unfilled_orders,
        restriction=None,
    ),
    Guard(
        spec="RG12",
        name="buffer_after_the_window",
        unit="of maintenance margin",
        comparison=Comparison.LT,
        measure=futures.buffer_after_the_window,
        restriction=Restriction(code=CauseCode.MARGIN_WINDOW, status=_REDUCE, nature=Nature.RECOVERABLE),
    ),
    Guard(
        spec="RG12",
        name="contract_expiry",
        unit="s",
        comparison=Comparison.LE,
        measure=futures.contract_expiries,
        restriction=Restriction(code=CauseCode.CONTRACT_EXPIRY, status=_REDUCE, nature=Nature.RECOVERABLE),
    ),
    Guard(
        spec="C25",
        name="fills_in_a_second",
        unit="fills",
        comparison=Comparison.GT,
        measure=orders.fills_in_a_second,
        restriction=Restriction(
            code=CauseCode.FILL_BURST,
            status=_PAUSED,
            nature=Nature.RECOVERABLE,
            cooldown=_burst_pause,
        ),
    ),
    Guard(
        spec="C25",
        name="value_in_a_second",
        unit="quote",
        comparison=Comparison.GT,
        measure=orders.value_in_a_second,
        restriction=Restriction(
            code=CauseCode.FILLED_VALUE,
            status=_PAUSED,
            nature=Nature.RECOVERABLE,
            cooldown=_burst_pause,
        ),
    ),
)
