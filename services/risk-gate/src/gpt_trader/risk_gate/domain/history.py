"""What pacing, cooldowns and escalation count: approvals, closings, refusals; all in time order, kept for a day."""

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.risk_gate.domain.increments import ZERO

KEPT = timedelta(days=1)
_KEPT_FILLS = timedelta(seconds=5)
MOST_MOMENTS = 1000
"""More denials or rejections are not counted apart: whoever makes them could fill the memory with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """One approval. What is so far counts from the beginning, itself included: a window's count is a difference."""

    at: datetime
    product: str
    is_entry: bool
    is_trade: bool
    content: str
    kind: str
    trades_so_far: int
    entries_so_far: int
    entry_notional_before: Decimal
    entry_notional_so_far: Decimal


@dataclass(frozen=True, slots=True)
class Alike:
    """The approvals of one kind: when they were, and what each asked for."""

    at: tuple[datetime, ...] = ()
    contents: tuple[str, ...] = ()

    def since(self, start: datetime) -> tuple[str, ...]:
        """Return what those later than `start` asked for."""
        return self.contents[bisect_right(self.at, start) :]

    def count_since(self, start: datetime) -> int:
        """Count those later than `start`."""
        return len(self.at) - bisect_right(self.at, start)

    def with_approval(self, paced: Paced) -> "Alike":
        """Remember an approval; drop what no window reaches any more."""
        kept = bisect_right(self.at, paced.at - KEPT)
        return Alike((*self.at[kept:], paced.at), (*self.contents[kept:], paced.content))


_NOTHING = Alike()


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
    """Something that happened, and what it was about: a product, or a strategy."""

    at: datetime
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """One execution: when it was counted, when it happened, what it was worth."""

    at: datetime
    occurred_at: datetime
    product: str
    notional: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The recent past that rules look back on.

    `times` are those of `paced`; `alike` is keyed by kind, `entries` by strategy. `denials` are about strategies, the
    other moments about products.
    """

    paced: tuple[Paced, ...] = ()
    times: tuple[datetime, ...] = ()
    alike: Mapping[str, Alike] = field(default_factory=dict)
    closings: tuple[Closing, ...] = ()
    infrastructure_denials: tuple[Moment, ...] = ()
    denials: tuple[Moment, ...] = ()
    rejections: tuple[Moment, ...] = ()
    slippages: tuple[Moment, ...] = ()
    fills: tuple[Filled, ...] = ()
    entries: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)

    def since(self, start: datetime) -> tuple[Paced, ...]:
        """Approvals later than `start`."""
        if not self.times or self.times[-1] <= start:
            return ()
        return self.paced[bisect_right(self.times, start) :]

    def approvals_since(self, start: datetime) -> int:
        """Count the approvals later than `start`."""
        return len(self.times) - bisect_right(self.times, start)

    def trades_since(self, start: datetime) -> int:
        """Count the trades approved later than `start`."""
        first = self._first_since(start)
        return self.paced[-1].trades_so_far - first.trades_so_far + first.is_trade if first else 0

    def entries_since(self, start: datetime) -> int:
        """Count the entries approved later than `start`."""
        first = self._first_since(start)
        return self.paced[-1].entries_so_far - first.entries_so_far + first.is_entry if first else 0

    def entry_notional_since(self, start: datetime) -> Decimal:
        """Worst-case notional of the entries approved later than `start`."""
        first = self._first_since(start)
        return self.paced[-1].entry_notional_so_far - first.entry_notional_before if first else ZERO

    def of_kind(self, kind: str) -> Alike:
        """Return the approvals of a kind."""
        return self.alike.get(kind, _NOTHING)

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

    def entries_of(self, strategy: str, start: datetime) -> int:
        """Count the entries of a strategy later than `start`, since it was last resumed."""
        entries = self.entries.get(strategy, ())
        return len(entries) - bisect_right(entries, start)

    def with_entry(self, strategy: str, at: datetime) -> "History":
        """Remember that a strategy entered."""
        entries = self.entries.get(strategy, ())
        kept = (*entries[bisect_right(entries, at - KEPT) :], at)
        return replace(self, entries={**self.entries, strategy: kept})

    def counting_anew(self, strategies: Collection[str | None]) -> "History":
        """Begin to count anew for strategies that an operator resumed."""
        entries = {name: kept for name, kept in self.entries.items() if name not in strategies}
        return replace(self, entries=entries, denials=tuple(one for one in self.denials if one.about not in strategies))

    def with_approval(self, paced: Paced) -> "History":
        """Remember an approval; drop what no window reaches any more."""
        kept = bisect_right(self.times, paced.at - KEPT)
        return replace(
            self,
            paced=(*self.paced[kept:], paced),
            times=(*self.times[kept:], paced.at),
            alike={**self.alike, paced.kind: self.alike.get(paced.kind, _NOTHING).with_approval(paced)},
        )

    def with_closing(self, closing: Closing) -> "History":
        """Add a fill's result to its closing order, which moves to the end."""
        known = next((kept for kept in self.closings if kept.client_order_id == closing.client_order_id), None)
        others = tuple(kept for kept in self.closings if kept is not known and kept.at > closing.at - KEPT)
        summed = closing if known is None else replace(closing, pnl=closing.pnl + known.pnl)
        return replace(self, closings=(*others, summed))

    def with_fill(self, filled: Filled) -> "History":
        """Remember an execution for the length of a burst."""
        return replace(self, fills=(*(one for one in self.fills if one.at > filled.at - _KEPT_FILLS), filled))

    def _first_since(self, start: datetime) -> Paced | None:
        if not self.times or self.times[-1] <= start:
            return None
        return self.paced[bisect_right(self.times, start)]


def noted(moments: tuple[Moment, ...], at: datetime, about: str) -> tuple[Moment, ...]:
    """Add a moment and drop what no window reaches; in order even if an earlier run's clock was ahead."""
    last = moments[-1].at if moments else at
    return (*later_than(moments, at - KEPT)[1 - MOST_MOMENTS :], Moment(max(at, last), about))


def later_than(moments: tuple[Moment, ...], start: datetime) -> tuple[Moment, ...]:
    """Keep the moments after `start`."""
    return moments[bisect_right(moments, start, key=_moment_at) :]


def _moment_at(moment: Moment) -> datetime:
    return moment.at
