"""Carry out what the board of faults decides: give it the time, keep the recording, change the venue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO

from gpt_trader.exchange_sim.domain.execution import Event, Traded
from gpt_trader.exchange_sim.domain.faults.board import FaultBoard, Firing, Occasion, concerns
from gpt_trader.exchange_sim.domain.faults.fault import Fault
from gpt_trader.exchange_sim.domain.faults.kinds import FLAGS, FaultKind
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, Fill
from gpt_trader.exchange_sim.ports import Floor, Stopwatch


@dataclass(slots=True, kw_only=True)
class Faults:
    """The board on real time; every firing is a line of the recording at once."""

    stopwatch: Stopwatch
    recording: BinaryIO | None = None
    board: FaultBoard = field(default_factory=FaultBoard)
    _started: float = 0.0
    _written: int = 0

    def restart(self) -> None:
        """Forget what was ordered and what happened; time, ordinals and firings count from here."""
        self.board = FaultBoard()
        self._started, self._written = self.stopwatch.elapsed(), 0

    def order(self, faults: Iterable[Fault]) -> None:
        """Arm faults from now on."""
        self.board.arm(faults, self.age())

    def strike(self, kind: FaultKind, occasion: Occasion) -> Fault | None:
        """Return the fault of this kind that strikes here, if one does."""
        fault = self.board.strike(kind, occasion, self.age())
        self._record()
        return fault

    def holding(self, kind: FaultKind, target: str = "", product: str = "") -> Fault | None:
        """Return the lasting fault of this kind that holds for a target."""
        occasion = Occasion(target=target, ordinal=0, product=product)
        return next((fault for fault in self.board.held(kind) if concerns(fault, occasion)), None)

    def pass_time(self) -> list[tuple[Fault, bool]]:
        """Let lasting faults begin and end."""
        changed = self.board.pass_time(self.age())
        self._record()
        return changed

    def age(self) -> timedelta:
        """Return the time since the start."""
        return timedelta(seconds=self.stopwatch.elapsed() - self._started)

    def _record(self) -> None:
        if self.recording is None or self._written == len(self.board.fired):
            return
        for firing in self.board.fired[self._written :]:
            self.recording.write(firing_json(firing) + b"\n")
        self.recording.flush()
        self._written = len(self.board.fired)


def firing_json(firing: Firing) -> bytes:
    """Write a firing as one line."""
    return firing.model_dump_json(exclude_defaults=True).encode()


@dataclass(slots=True, kw_only=True)
class Mishaps:
    """A feed that strikes fills and changes the venue while lasting faults hold."""

    floor: Floor
    faults: Faults
    _restatements: list[tuple[timedelta, Fill, Fault]] = field(default_factory=list)

    def on_events(self, events: Sequence[Event], now: datetime) -> None:
        """See whether a fill is to be corrected or reversed."""
        del now
        for event in events:
            if isinstance(event, Traded):
                for fill in event.fills:
                    self._strike(fill)

    def on_pulse(self, now: datetime) -> None:
        """Begin and end what lasts, and restate the fills whose time has come."""
        for fault, holds in self.faults.pass_time():
            self._change(fault, holds=holds)
        age, waiting = self.faults.age(), self._restatements
        due = [one for one in waiting if one[0] <= age and self.floor.venue.orders[one[1].order_id].is_terminal]
        for one in due:
            waiting.remove(one)
            _, fill, fault = one
            is_reversed = fault.kind is FaultKind.FILL_REVERSAL
            self.floor.venue.restate(fill, now, is_reversed=is_reversed)

    def restart(self) -> None:
        """Forget the fills of a venue that is gone."""
        self._restatements.clear()

    def _strike(self, fill: Fill) -> None:
        if fill.owner != CUSTOMER:
            return
        occasion = self.faults.board.occasion("fill", fill.trade.product_id, fill.side.value)
        for kind in (FaultKind.FILL_CORRECTION, FaultKind.FILL_REVERSAL):
            fault = self.faults.strike(kind, occasion)
            if fault is not None:
                self._restatements.append((self.faults.age() + timedelta(milliseconds=fault.value), fill, fault))
                return

    def _change(self, fault: Fault, *, holds: bool) -> None:
        venue = self.floor.venue
        if fault.kind is FaultKind.NO_IDEMPOTENCY:
            venue.is_idempotent = not holds
        flags = {FaultKind.PRODUCT_FLAG: fault.name, FaultKind.MAINTENANCE: "is_disabled"}
        flag = flags.get(fault.kind, "")
        for listing in venue.listings.values():
            if flag in FLAGS and fault.product in {"", listing.product.product_id}:
                listing.product = listing.product.with_flags({flag: holds})
