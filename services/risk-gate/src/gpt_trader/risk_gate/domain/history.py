"""What pacing, cooldowns and escalation count: approvals, closings, refusals; all in time order, kept for a day."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.risk_gate.domain.increments import ZERO

KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """One approval; the entry notional is summed over all time, so that a window's sum is a difference."""

    at: datetime
    product: str
    is_entry: bool
    is_trade: bool
    content: str
    kind: str
    entry_notional_before: Decimal
    entry_notional_so_far: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What one closing order realized, net of fees; `is_stop` when it sold at or below the stop."""

    client_order_id: ClientOrderId
    product: str
    pnl: Decimal
    is_stop: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened on a product."""

    at: datetime
    product: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The recent past that rules look back on."""

    paced: tuple[Paced, ...] = ()
    closings: tuple[Closing, ...] = ()
    infrastructure_denials: tuple[Moment, ...] = ()
    rejections: tuple[Moment, ...] = ()
    slippages: tuple[Moment, ...] = ()

    def since(self, start: datetime) -> tuple[Paced, ...]:
        """Approvals later than `start`."""
        if not self.paced or self.paced[-1].at <= start:
            return ()
        return self.paced[bisect_right(self.paced, start, key=_at) :]

    def entry_notional_since(self, start: datetime) -> Decimal:
        """Worst-case notional of the entries approved later than `start`."""
        if not self.paced or self.paced[-1].at <= start:
            return ZERO
        first = bisect_right(self.paced, start, key=_at)
        before = self.paced[first - 1].entry_notional_so_far if first else self.paced[0].entry_notional_before
        return self.paced[-1].entry_notional_so_far - before

    def losses_in_a_row(self) -> tuple[int, datetime | None]:
        """Count the closings with a loss since the last one without, and when the last was."""
        count = 0
        for closing in reversed(self.closings):
            if closing.pnl >= 0:
                break
            count += 1
        return count, self.closings[-1].at if count else None

    def last_closing(self, product: str) -> Closing | None:
        """Return the latest closing order of a product."""
        for closing in reversed(self.closings):
            if closing.product == product:
                return closing
        return None

    def with_approval(self, paced: Paced) -> "History":
        """Remember an approval; drop what no window reaches any more."""
        return replace(self, paced=(*self.since(paced.at - KEPT), paced))

    def with_closing(self, closing: Closing) -> "History":
        """Add a fill's result to its closing order, which moves to the end."""
        known = next((kept for kept in self.closings if kept.client_order_id == closing.client_order_id), None)
        others = tuple(kept for kept in self.closings if kept is not known and kept.at > closing.at - KEPT)
        summed = closing if known is None else replace(closing, pnl=closing.pnl + known.pnl)
        return replace(self, closings=(*others, summed))


def later_than(moments: tuple[Moment, ...], start: datetime) -> tuple[Moment, ...]:
    """Keep the moments after `start`."""
    return moments[bisect_right(moments, start, key=_moment_at) :]


def _at(paced: Paced) -> datetime:
    return paced.at


def _moment_at(moment: Moment) -> datetime:
    return moment.at
