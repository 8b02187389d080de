"""Whether a product's feed can be traded on, and what must happen before it can again.

Ages here are wall time (a connection is as alive as the real network); `since` is trading time.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from gpt_trader.contracts.market import FeedState


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One product's feed. CLEAN needs both: a fresh book and everything missed filled in."""

    product: str
    state: FeedState
    reason: str
    since: datetime
    gaps: int = 0
    reconnects: int = 0
    is_booked: bool = False
    is_filled: bool = False
    resyncing_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """All channels were asked for on a connection; `wall` is when."""

    wall: datetime
    is_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The connection is gone."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gapped:
    """Something was lost or is wrong: the book cannot be trusted."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resubscribed:
    """A fresh snapshot was asked for at `wall`."""

    wall: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A snapshot arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Missed trades and candles were filled in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The watchdog looked: ages of the last message of the product and of the last heartbeat."""

    wall: datetime
    message_age: timedelta
    heartbeat_age: timedelta
    limits: "Limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From which age on a feed is stale, and how long a resync may take before it is tried again."""

    message_age: timedelta
    heartbeat_age: timedelta
    resync: timedelta


FeedEvent = Connected | Lost | Gapped | Resubscribed | Booked | Filled | Watched


def evolve(health: Health, event: FeedEvent, now: datetime) -> Health:
    """Return the health after `event`; `since` moves only when the state does."""
    match event:
        case Connected() | Lost() | Gapped() | Resubscribed():
            return _dirty(health, event, now)
        case Booked():
            return _settled(replace(health, is_booked=True), now)
        case Filled():
            return _settled(replace(health, is_filled=True), now)
        case Watched():
            return _watched(health, event, now)
        case _:
            assert_never(event)


def _dirty(health: Health, event: Connected | Lost | Gapped | Resubscribed, now: datetime) -> Health:
    """Everything said before counts for nothing: book and history must be had anew."""
    nothing = replace(health, is_booked=False, is_filled=False, resyncing_since=None)
    match event:
        case Connected(wall=wall, is_again=is_again):
            asked = replace(nothing, resyncing_since=wall, reconnects=health.reconnects + is_again)
            return _moved(asked, FeedState.RESYNCING, "connected, waiting for a clean book", now)
        case Lost(reason=reason):
            return _moved(nothing, FeedState.DISCONNECTED, reason, now)
        case Gapped(reason=reason):
            return _moved(replace(nothing, gaps=health.gaps + 1), FeedState.GAP, reason, now)
        case Resubscribed(wall=wall):
            is_due = health.state is FeedState.GAP
            asked = replace(nothing, resyncing_since=wall)
            return _moved(asked, FeedState.RESYNCING, health.reason, now) if is_due else health
        case _:
            assert_never(event)


def _settled(health: Health, now: datetime) -> Health:
    is_done = health.is_booked and health.is_filled
    if health.state is not FeedState.RESYNCING or not is_done:
        return health
    return _moved(replace(health, resyncing_since=None), FeedState.CLEAN, "clean", now)


def _watched(health: Health, seen: Watched, now: datetime) -> Health:
    stale = _staleness(seen)
    if health.state is FeedState.RESYNCING:
        return _overdue(health, seen, now)
    if health.state is FeedState.CLEAN and stale is not None:
        return _moved(health, FeedState.STALE, stale, now)
    if health.state is FeedState.STALE and stale is None:
        return _moved(health, FeedState.CLEAN, "clean", now)
    return health


def _overdue(health: Health, seen: Watched, now: datetime) -> Health:
    if health.resyncing_since is None or seen.wall - health.resyncing_since <= seen.limits.resync:
        return health
    seconds = f"{seen.limits.resync.total_seconds():g}"
    retried = replace(health, is_booked=False, is_filled=False, resyncing_since=None)
    return _moved(retried, FeedState.GAP, f"not clean {seconds} s after asking for a snapshot", now)


def _staleness(seen: Watched) -> str | None:
    if seen.heartbeat_age > seen.limits.heartbeat_age:
        return f"last heartbeat is {seen.heartbeat_age.total_seconds():.1f} s old"
    if seen.message_age > seen.limits.message_age:
        return f"last message is {seen.message_age.total_seconds():.1f} s old"
    return None


def _moved(health: Health, state: FeedState, reason: str, now: datetime) -> Health:
    return replace(health, state=state, reason=reason, since=now if state is not health.state else health.since)
