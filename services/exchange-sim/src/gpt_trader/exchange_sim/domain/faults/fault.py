"""A fault as it is ordered, in a scenario or over the control API."""

from datetime import timedelta
from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gpt_trader.exchange_sim.domain.faults.kinds import KINDS, FaultKind, Kind, Strikes
from gpt_trader.exchange_sim.domain.orders import Side

_WINDOW = Decimal(86400 * 365)


class Fault(BaseModel):
    """What goes wrong, where and when; `times` below zero never wears out.

    `match` is part of `METHOD /path`, of `channel:product` or, for sockets, of the list of subscriptions. Seconds count
    from the moment it was ordered; `after` lets so many pass first; `probability` is drawn from `seed`, each anew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    match: str = ""
    product: str = ""
    side: Side | None = None
    at_s: Decimal = Field(default=Decimal(0), ge=0, le=_WINDOW)
    for_s: Decimal | None = Field(default=None, gt=0, le=_WINDOW)
    after: int = Field(default=0, ge=0)
    times: int = Field(default=1, ge=-1)
    probability: Decimal = Field(default=Decimal(1), gt=0, le=1)
    seed: int = 0
    value: int = 0
    name: str = ""

    @model_validator(mode="before")
    @classmethod
    def _usual_value(cls, given: object) -> object:
        """Take the kind's usual value for none, and for the zero that a kind doesn't know."""
        kind = given.get("kind") if isinstance(given, dict) else None
        if not isinstance(given, dict) or not isinstance(kind, str) or kind not in set(FaultKind):
            return given
        about = KINDS[FaultKind(kind)]
        unknown_zero = given.get("value", 0) == 0 and (about.least > 0 or "value" not in given)
        return {**given, "value": about.value} if unknown_zero else given

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        about = self.about
        if not about.least <= self.value <= about.most:
            allowed = f"{about.least} to {about.most} ({about.unit})" if about.unit else "nothing"
            raise ValueError(f"value: {self.value} is not what {self.kind} takes: {allowed}")
        if self.times and self.name not in (about.names or {""}):
            known = ", ".join(sorted(about.names)) or "none"
            raise ValueError(f"name: {self.name!r} is none that {self.kind} knows: {known}")
        if self.side is not None and about.strikes not in {Strikes.REQUEST, Strikes.FILL, Strikes.MESSAGE}:
            raise ValueError(f"side: {self.kind} strikes no order")
        if about.is_lasting and (self.after or self.probability != 1):
            raise ValueError(f"{self.kind} lasts: it takes at_s and for_s, no after and no probability")
        return self

    @property
    def about(self) -> Kind:
        """What there is to know about its kind."""
        return KINDS[self.kind]

    def is_on(self, age: timedelta) -> bool:
        """Whether its time has come and is not over, so long after it was ordered."""
        return age >= _duration(self.at_s) and not self.is_over(age)

    def is_over(self, age: timedelta) -> bool:
        """Whether its time is over."""
        return self.for_s is not None and age >= _duration(self.at_s + self.for_s)


class Scenario(BaseModel):
    """Faults that are ordered together, and what their chances are drawn from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    faults: tuple[Fault, ...] = ()

    @model_validator(mode="after")
    def _each_happens(self) -> Self:
        for number, fault in enumerate(self.faults):
            if not fault.times:
                raise ValueError(f"faults.{number}.times: 0 would never happen")
        return self

    def ordered(self) -> tuple[Fault, ...]:
        """Return the faults, each with a seed of its own unless it names one."""
        return tuple(
            fault if "seed" in fault.model_fields_set else fault.model_copy(update={"seed": self.seed + number})
            for number, fault in enumerate(self.faults)
        )


def _duration(seconds: Decimal) -> timedelta:
    return timedelta(microseconds=int(seconds * 1_000_000))
