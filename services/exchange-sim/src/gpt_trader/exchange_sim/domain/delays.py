"""How slow the venue is, on command."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How long the venue takes, in market time."""

    pending: timedelta = timedelta()
    visibility: timedelta = timedelta()
    cancel: timedelta = timedelta()
