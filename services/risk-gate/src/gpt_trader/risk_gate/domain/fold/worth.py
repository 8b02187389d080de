"""What the portfolio is worth: how it began, and each valuation worth keeping."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from gpt_trader.contracts.market import is_future
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.portfolio import Holding, Portfolio
from gpt_trader.risk_gate.domain.state import GateState


def marked(state: GateState, record: records.Marked) -> GateState:
    """Keep a valuation: the first of a UTC day begins that day, the first of an ISO week that week.

    Days that a wrong clock began are taken back, with the higher of the levels, so that nothing is looser than it was.
    """
    day = record.at.date()
    if is_day_wrong(state.day, day):
        known = (state.day_start_equity, state.week_start_equity, record.equity)
        highest = max(level for level in known if level is not None)
        return replace(state, day=day, day_start_equity=highest, week=monday_of(day), week_start_equity=highest)
    peak = record.equity if state.peak_equity is None else max(state.peak_equity, record.equity)
    if state.day is not None and day <= state.day:
        return replace(state, peak_equity=peak)
    week, monday = state.week, monday_of(day)
    return replace(
        state,
        day=day,
        day_start_equity=record.equity,
        week=monday,
        week_start_equity=record.equity if week != monday else state.week_start_equity,
        peak_equity=peak,
    )


def opened(state: GateState, record: records.Opened) -> GateState:
    """Begin the books; what they are worth at that moment begins the day."""
    holdings: dict[str, Holding] = {}
    for position in record.positions:
        holdings[position.product] = Holding(
            quantity=position.quantity,
            cost=position.quantity * position.mark,
            strategy="opening",
            opened_at=record.at,
        )
    cash: dict[str, Decimal] = dict(record.cash)
    spot = (holding.cost for product, holding in holdings.items() if not is_future(product))
    equity = sum(cash.values(), ZERO) + sum(spot, ZERO)
    return replace(
        state,
        portfolio=Portfolio(cash=cash, holdings=holdings),
        is_opened=True,
        opened_at=record.at,
        opening_equity=equity,
        day=record.at.date(),
        day_start_equity=equity,
        week=monday_of(record.at.date()),
        week_start_equity=equity,
        peak_equity=equity,
    )


def is_day_wrong(known: date | None, today: date) -> bool:
    """Whether the books have begun a day that no clock set back over midnight explains."""
    return known is not None and known - today > timedelta(days=1)


def monday_of(day: date) -> date:
    """Return the day on which the ISO week of a day began."""
    return day - timedelta(days=day.weekday())
