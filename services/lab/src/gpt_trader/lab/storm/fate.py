"""What goes wrong, and when: every draw comes from the seed, one stream of numbers per place where something can."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from typing_extensions import override

Odds = Mapping[str, float]
"""Kind of fault -> how likely it is at one occasion."""

_MOODS = (0.0, 0.3, 1.0, 1.0, 3.0)
"""Some seeds spare a place, others haunt it: an even drizzle of faults would never let anything get far."""


class Fault(NamedTuple):
    """The `number`-th occasion at `site` was struck; with the seed this says everything."""

    site: str
    number: int
    kind: str

    @override
    def __str__(self) -> str:
        return f"{self.site}#{self.number}:{self.kind}"


@dataclass(slots=True)
class Fate:
    """Draws faults and delays. With `only`, just these faults strike, and everything else is drawn as before.

    Faults and delays of a place are drawn apart, so that leaving a fault out shifts no later draw.
    """

    seed: int
    only: frozenset[Fault] | None = None
    is_calm: bool = False
    struck: list[Fault] = field(default_factory=list)
    tell: Callable[[str], None] | None = None
    _sites: dict[str, "_Site"] = field(default_factory=dict)
    _delays: dict[str, Random] = field(default_factory=dict)

    def strike(self, site: str, odds: Odds) -> str | None:
        """Return the fault that strikes here now, if one does; each occasion takes exactly one number."""
        place = self._sites.get(site)
        if place is None:
            place = self._sites[site] = _Site.of(self.seed, site)
        place.count += 1
        draw = place.draw()
        if self.is_calm or not place.mood:
            return None
        draw /= place.mood
        for kind, likely in odds.items():
            if draw < likely:
                return self._struck(Fault(site, place.count, kind))
            draw -= likely
        return None

    def seconds(self, site: str, least: float, most: float) -> float:
        """Draw how long something takes."""
        return least + (most - least) * self._delay(site).random()

    def number(self, site: str, most: int) -> int:
        """Draw a whole number from 0 to `most`."""
        return self._delay(site).randint(0, most)

    def _struck(self, fault: Fault) -> str | None:
        if self.only is not None and fault not in self.only:
            return None
        self.struck.append(fault)
        if self.tell is not None:
            self.tell(f"FAULT {fault}")
        return fault.kind

    def _delay(self, site: str) -> Random:
        numbers = self._delays.get(site)
        if numbers is None:
            numbers = self._delays[site] = Random(f"{site}/{self.seed}")  # noqa: S311 - a simulation must repeat
        return numbers


@dataclass(slots=True)
class _Site:
    """A place where something can go wrong; it is spared for good if its mood is 0."""

    mood: float
    draw: Callable[[], float]
    count: int = 0

    @classmethod
    def of(cls, seed: int, name: str) -> "_Site":
        numbers = Random(f"{seed}/{name}")  # noqa: S311 - a simulation must repeat
        return cls(numbers.choice(_MOODS), numbers.random)
