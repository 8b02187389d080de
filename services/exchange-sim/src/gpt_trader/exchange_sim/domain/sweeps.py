"""Futures cash on its way back to spot."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

PROCESSING_TIME = timedelta(hours=1)


class SweepStatus(StrEnum):
    """A sweep in processing can no longer be cancelled."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One request; no amount means everything that is not needed as margin when it is executed."""

    sweep_id: str
    amount: Decimal | None
    begins_at: datetime

    @property
    def executes_at(self) -> datetime:
        """When the money moves."""
        return self.begins_at + PROCESSING_TIME

    def status(self, now: datetime) -> SweepStatus:
        """How far it got."""
        return SweepStatus.PENDING if now < self.begins_at else SweepStatus.PROCESSING
