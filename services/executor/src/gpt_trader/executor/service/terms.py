"""The numbers the service lives by, in real time."""

from dataclasses import dataclass
from datetime import timedelta

from gpt_trader.executor.domain.venue import Fence


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How long to wait for what."""

    fence: Fence
    reconcile_every: timedelta
    resolve_every: timedelta
    state_max_age: timedelta
    cancels_entries_on_exit: bool
    drain_within: timedelta
