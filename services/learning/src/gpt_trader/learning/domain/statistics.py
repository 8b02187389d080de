"""How a strategy's closed trades turned out: the numbers that sizing will learn from."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from gpt_trader.learning.domain.attribution import ClosedTrade

_STEP = Decimal("0.00000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Net of fees, in quote currency; a break-even trade is neither win nor loss, and what has no sample is None."""

    strategy: str
    trades: int
    wins: int
    losses: int
    win_rate: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    profit_factor: Decimal | None
    net: Decimal
    fees: Decimal


def statistics_by_strategy(trades: Iterable[ClosedTrade]) -> tuple[Statistics, ...]:
    """Summarize each strategy, by name."""
    ordered = sorted(trades, key=_strategy)
    return tuple(_statistics(strategy, tuple(group)) for strategy, group in groupby(ordered, key=_strategy))


def _strategy(trade: ClosedTrade) -> str:
    return trade.strategy


def _statistics(strategy: str, trades: tuple[ClosedTrade, ...]) -> Statistics:
    wins = tuple(trade.net for trade in trades if trade.net > 0)
    losses = tuple(-trade.net for trade in trades if trade.net < 0)
    won, lost = sum(wins, Decimal(0)), sum(losses, Decimal(0))
    return Statistics(
        strategy=strategy,
        trades=len(trades),
        wins=len(wins),
        losses=len(losses),
        win_rate=_ratio(Decimal(len(wins)), len(wins) + len(losses)),
        average_win=_ratio(won, len(wins)),
        average_loss=_ratio(lost, len(losses)),
        profit_factor=_ratio(won, lost),
        net=won - lost,
        fees=sum((trade.fees for trade in trades), Decimal(0)),
    )


def _ratio(numerator: Decimal, denominator: Decimal | int) -> Decimal | None:
    return (numerator / denominator).quantize(_STEP) if denominator else None
