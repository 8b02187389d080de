"""Whether anything may be sent: halted until a fresh word of the gate, halted at once by a kill."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gpt_trader.contracts.account import TradingState, TradingStatus
from gpt_trader.contracts.intents import Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """The gate's last word with the real time at which we heard it.

    `is_killed` = a kill that the gate has not acknowledged yet: until it says HALTED, its words are older.
    """

    status: TradingStatus | None = None
    heard_at: datetime | None = None
    is_killed: bool = False


def killed(permission: Permission) -> Permission:
    """Stop at once, whatever was said before."""
    return replace(permission, is_killed=True)


def heard(permission: Permission, state: TradingState, wall: datetime) -> Permission:
    """Take the gate's word; after a kill only HALTED is believed first."""
    if permission.is_killed and state.status is not TradingStatus.HALTED:
        return permission
    return Permission(status=state.status, heard_at=wall, is_killed=False)


def objection(permission: Permission, purpose: Purpose, wall: datetime, max_age: timedelta) -> str | None:
    """Say why nothing of this purpose may be sent now; None = it may. A flatten is allowed while halted."""
    if permission.is_killed:
        return "kill"
    unled = leaderless(permission, wall, max_age)
    if unled is not None:
        return unled
    if permission.status is TradingStatus.HALTED and purpose is not Purpose.FLATTEN:
        return "kill"
    return None


def leaderless(permission: Permission, wall: datetime, max_age: timedelta) -> str | None:
    """Say why we don't know the gate's word now; None = it is fresh, whatever it allows. Halted is a word, too."""
    if permission.status is None or permission.heard_at is None:
        return "trading_state_unheard"
    return "trading_state_stale" if wall - permission.heard_at > max_age else None
