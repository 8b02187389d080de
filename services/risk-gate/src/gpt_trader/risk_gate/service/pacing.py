"""How soon to try again what changed nothing the last time."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.decisions import Verdict

_FIRST_PAUSE = timedelta(seconds=0.2)
_AFTER_DENIAL = timedelta(minutes=1)
"""Longest pause after a denial, which would only be written down again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    position: Decimal
    at: datetime
    pause: timedelta


@dataclass(slots=True, kw_only=True)
class Pacing:
    """Pauses per product that double up to `longest` of real time; a position that has changed is tried at once."""

    longest: timedelta
    _tries: dict[str, _Try] = field(default_factory=dict)

    def may_try(self, product: str, position: Decimal, wall: datetime) -> bool:
        """Whether it is time."""
        last = self._tries.get(product)
        return last is None or last.position != position or wall - last.at >= last.pause

    def tried(self, product: str, position: Decimal, verdict: Verdict, wall: datetime) -> None:
        """Remember a try."""
        last = self._tries.get(product)
        longest = self.longest if verdict is Verdict.APPROVED else _AFTER_DENIAL
        is_stuck = last is not None and last.position == position
        pause = min(last.pause * 2, longest) if last is not None and is_stuck else _FIRST_PAUSE
        self._tries[product] = _Try(position=position, at=wall, pause=pause)
