"""Which fault strikes what: decided from the order of things, the time since the start, and seeds."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict

from gpt_trader.exchange_sim.domain.faults.fault import Fault
from gpt_trader.exchange_sim.domain.faults.kinds import FaultKind, Strikes

_MICROSECOND = timedelta(microseconds=1)
_DRAWS = 1 << 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Something that a fault can strike: the `ordinal`-th of its target since the start."""

    target: str
    ordinal: int
    product: str = ""
    side: str = ""


class Firing(BaseModel):
    """A fault that struck, as it is recorded; of a lasting one, that it began or ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    at_s: Decimal
    phase: Literal["struck", "began", "ended"] = "struck"
    target: str = ""
    ordinal: int = 0
    fault: Fault


@dataclass(slots=True, kw_only=True)
class Armed:
    """An ordered fault: how much it could have struck, and how much it did."""

    fault: Fault
    since: timedelta
    seen: int = 0
    struck: int = 0
    holds: bool = False
    is_disarmed: bool = False

    def is_on(self, at: timedelta) -> bool:
        """Whether it may strike now."""
        return not self.is_disarmed and self.fault.is_on(at - self.since)

    def is_over(self, at: timedelta) -> bool:
        """Whether it can never strike again."""
        return self.is_disarmed or self.fault.is_over(at - self.since)


@dataclass(slots=True)
class FaultBoard:
    """All ordered faults and everything that happened of them; times count from the start."""

    armed: list[Armed] = field(default_factory=list)
    fired: list[Firing] = field(default_factory=list)
    _counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _repeated: dict[tuple[FaultKind, str, int], Fault] = field(default_factory=dict)

    def arm(self, faults: Iterable[Fault], at: timedelta) -> None:
        """Order faults; one with zero times disarms its kind."""
        for fault in faults:
            if fault.times:
                self.armed.append(Armed(fault=fault, since=at))
                continue
            for armed in self.armed:
                armed.is_disarmed = armed.is_disarmed or armed.fault.kind is fault.kind

    def disarm(self) -> None:
        """Let nothing happen any more; what lasts ends with the next look at the time."""
        self._repeated.clear()
        for armed in self.armed:
            armed.is_disarmed = True

    def repeat(self, recording: Sequence[Firing]) -> None:
        """Order what a recording tells: on the same occasions, or at the same time for sockets and lasting faults."""
        for number, firing in enumerate(recording):
            fault = firing.fault
            if firing.phase == "struck" and fault.about.strikes is not Strikes.SOCKET:
                self._repeated[fault.kind, firing.target, firing.ordinal] = fault
            elif firing.phase == "struck":
                once = {"match": firing.target, "after": 0, "times": 1, "probability": Decimal(1)}
                self._arm_at(fault.model_copy(update=once), firing.at_s, None)
            elif firing.phase == "began":
                ends = [one.at_s for one in recording[number:] if one.phase == "ended" and one.fault == fault]
                self._arm_at(fault, firing.at_s, ends[0] if ends else None)

    def occasion(self, target: str, product: str = "", side: str = "") -> Occasion:
        """Count something that comes."""
        self._counts[target] += 1
        return Occasion(target=target, ordinal=self._counts[target], product=product, side=side)

    def strike(self, kind: FaultKind, occasion: Occasion, at: timedelta) -> Fault | None:
        """Return the first fault of this kind that strikes; it wears by that."""
        key = (kind, occasion.target, occasion.ordinal)
        repeated = self._repeated.get(key)
        if repeated is not None and concerns(repeated, occasion):
            del self._repeated[key]
            self._record(repeated, at, occasion)
            return repeated
        for armed in self.armed:
            if armed.fault.kind is kind and armed.is_on(at) and concerns(armed.fault, occasion):
                armed.seen += 1
                if armed.seen > armed.fault.after and _is_drawn(armed.fault, armed.seen):
                    return self._struck(armed, at, occasion)
        return None

    def held(self, kind: FaultKind) -> Sequence[Fault]:
        """Return the lasting faults of a kind that hold now."""
        return [armed.fault for armed in self.armed if armed.holds and armed.fault.kind is kind]

    def pass_time(self, at: timedelta) -> list[tuple[Fault, bool]]:
        """Let lasting faults begin and end; the answer is what changed, and whether it holds now."""
        changed = []
        for armed in self.armed:
            holds = armed.fault.about.is_lasting and armed.is_on(at)
            if holds is not armed.holds:
                armed.holds = holds
                changed.append((armed.fault, holds))
                self._record(armed.fault, at, None, "began" if holds else "ended")
        self.armed = [armed for armed in self.armed if not armed.is_over(at)]
        return changed

    def _arm_at(self, fault: Fault, at_s: Decimal, until_s: Decimal | None) -> None:
        window = {"at_s": at_s, "for_s": None if until_s is None else until_s - at_s}
        self.armed.append(Armed(fault=fault.model_copy(update=window), since=timedelta()))

    def _struck(self, armed: Armed, at: timedelta, occasion: Occasion) -> Fault:
        armed.struck += 1
        if armed.struck == armed.fault.times:
            self.armed.remove(armed)
        self._record(armed.fault, at, occasion)
        return armed.fault

    def _record(
        self,
        fault: Fault,
        at: timedelta,
        occasion: Occasion | None,
        phase: Literal["struck", "began", "ended"] = "struck",
    ) -> None:
        self.fired.append(
            Firing(
                number=len(self.fired) + 1,
                at_s=Decimal(at // _MICROSECOND) / 1_000_000,
                phase=phase,
                target="" if occasion is None else occasion.target,
                ordinal=0 if occasion is None else occasion.ordinal,
                fault=fault,
            )
        )


def concerns(fault: Fault, occasion: Occasion) -> bool:
    """Whether a fault means this target, product and side."""
    return (
        fault.match in occasion.target
        and (not fault.product or fault.product == occasion.product)
        and (fault.side is None or fault.side.value == occasion.side)
    )


def _is_drawn(fault: Fault, turn: int) -> bool:
    drawn = int.from_bytes(sha256(f"{fault.seed}:{turn}".encode()).digest()[:4])
    return drawn < fault.probability * _DRAWS
