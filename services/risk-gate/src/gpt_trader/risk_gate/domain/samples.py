"""The recent past of ticks and books: one slot per second or minute, the latest of it kept, a fixed number of them."""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.market import BookDepth, BookSummary, Tick

SECONDS = 300
MINUTES = 60
_MINUTE_OF_TICKS = 60


@dataclass(slots=True)
class Second:
    """One second of ticks: its last mid, and the extremes."""

    place: tuple[datetime, int]
    mid: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Settled:
    """What the seconds before the newest one say; only a late tick or another second changes it."""

    stamp: tuple[int, ...] = ()
    lows: tuple[Decimal, ...] = ()
    highs: tuple[Decimal, ...] = ()
    minute: tuple[Decimal, ...] = ()


@dataclass(slots=True)
class TickWindow:
    """Five minutes of mids. `taken` counts the ticks taken in, `late` those of a second that was not the newest."""

    slots: dict[int, Second] = field(default_factory=dict)
    newest: int = -1
    taken: int = 0
    late: int = 0
    _settled: Settled = field(default_factory=Settled)

    def on_tick(self, tick: Tick) -> None:
        """Take in a tick at the earlier of the venue's time and ours: none can claim the future."""
        at = min(tick.occurred_at, tick.received_at)
        second, mid, place = int(at.timestamp()), tick.mid, (at, tick.sequence)
        self.taken += 1
        self.late += second < self.newest
        slot = self.slots.get(second)
        if slot is None:
            self.slots[second] = Second(place, mid, mid, mid)
            self.newest = max(self.newest, second)
            if len(self.slots) > 2 * SECONDS:
                self.slots = {kept: one for kept, one in self.slots.items() if kept > self.newest - SECONDS}
            return
        if place >= slot.place:
            slot.place, slot.mid = place, mid
        slot.low, slot.high = min(slot.low, mid), max(slot.high, mid)

    def median_of_minute(self, now: datetime) -> Decimal | None:
        """Median of the seconds' last mids over 60 s."""
        last = int(now.timestamp())
        ordered = list(self._until(last).minute)
        if last - _MINUTE_OF_TICKS < self.newest <= last:
            insort(ordered, self.slots[self.newest].mid)
        return middle(ordered)

    def move(self, now: datetime) -> Decimal | None:
        """Highest over lowest mid of five minutes, less one."""
        last = int(now.timestamp())
        settled = self._until(last)
        lows, highs = settled.lows, settled.highs
        if last - SECONDS < self.newest <= last:
            slot = self.slots[self.newest]
            lows, highs = (*lows, slot.low), (*highs, slot.high)
        if not lows:
            return None
        low = min(lows)
        return (max(highs) - low) / low

    def _until(self, last: int) -> Settled:
        """Look through the seconds that end with `last`, without the newest, unless that was done for the same ones."""
        stamp = (last, self.newest, self.late)
        if self._settled.stamp != stamp:
            recent = self._slots(last, SECONDS)
            lows = (min([slot.low for slot in recent]),) if recent else ()
            highs = (max([slot.high for slot in recent]),) if recent else ()
            mids = sorted([slot.mid for slot in self._slots(last, _MINUTE_OF_TICKS)])
            self._settled = Settled(stamp, lows, highs, tuple(mids))
        return self._settled

    def _slots(self, last: int, seconds: int) -> list[Second]:
        slots, newest = self.slots, self.newest
        return [slots[one] for one in range(last - seconds + 1, last + 1) if one in slots and one != newest]


@dataclass(slots=True)
class Minute:
    """The last book of a minute."""

    place: tuple[datetime, int]
    spread_bps: Decimal
    depth: tuple[BookDepth, ...]


@dataclass(frozen=True, slots=True)
class Usual:
    """Median spread in basis points, and median notional of the thinner side within a band of the mid."""

    spread_bps: Decimal | None
    depth: Decimal | None


@dataclass(slots=True)
class BookWindow:
    """An hour of books; `taken` and `late` count as those of ticks, by the minute."""

    slots: dict[int, Minute] = field(default_factory=dict)
    newest: int = -1
    taken: int = 0
    late: int = 0
    _usual: tuple[tuple[int, ...], Usual] | None = None

    def on_book(self, book: BookSummary) -> None:
        """Take in a book; the latest of its minute stays. A crossed one tells nothing of spread and depth."""
        if book.bid >= book.ask:
            return
        at = min(book.occurred_at, book.received_at)
        minute, place = int(at.timestamp()) // 60, (at, book.sequence)
        slot = self.slots.get(minute)
        if slot is not None and slot.place > place:
            return
        self.taken += 1
        self.late += minute < self.newest
        self.slots[minute] = Minute(place, book.spread_bps, book.depth)
        self.newest = max(self.newest, minute)
        if len(self.slots) > 2 * MINUTES:
            self.slots = {kept: one for kept, one in self.slots.items() if kept > self.newest - MINUTES}

    def usual(self, within_bps: int, now: datetime) -> Usual:
        """Take the medians of the minutes before this one: what is judged against them must not move them."""
        last = int((now - timedelta(minutes=1)).timestamp()) // 60
        stamp = (within_bps, last, self.late, self.taken if self.newest <= last else 0)
        if self._usual is None or self._usual[0] != stamp:
            minutes = range(last - MINUTES + 1, last + 1)
            self._usual = (stamp, _usual([self.slots[one] for one in minutes if one in self.slots], within_bps))
        return self._usual[1]


def _usual(slots: Sequence[Minute], within_bps: int) -> Usual:
    depths = (
        min(band.bid_notional, band.ask_notional)
        for slot in slots
        for band in slot.depth
        if band.within_bps == within_bps
    )
    return Usual(middle(sorted(slot.spread_bps for slot in slots)), middle(sorted(depths)))


def middle(ordered: Sequence[Decimal]) -> Decimal | None:
    """Return the middle of sorted values, or the mean of the two; None of nothing."""
    if not ordered:
        return None
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
