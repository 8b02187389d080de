"""What the parts of a session share."""

from dataclasses import dataclass
from datetime import timedelta
from random import Random

from gpt_trader.market_data.domain.backoff import Backoff
from gpt_trader.market_data.domain.feed import Limits
from gpt_trader.market_data.ports import Feed, Gauges, Outlet
from gpt_trader.market_data.service.history import History
from gpt_trader.runtime.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient a session is, in real time."""

    limits: Limits
    backoff: Backoff
    check_every: timedelta
    close_every: timedelta = timedelta(milliseconds=100)
    repair_pause: timedelta = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a session works with."""

    feed: Feed
    outlet: Outlet
    history: History
    gauges: Gauges
    clock: Clock
    chances: Random
    pace: Pace
