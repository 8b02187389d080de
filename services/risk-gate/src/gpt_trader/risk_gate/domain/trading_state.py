"""The ladder ACTIVE, REDUCE_ONLY, PAUSED, HALTED as a set of causes: the worst wins, timed ones end by themselves."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.intents import Purpose

Causes = tuple[Cause, ...]


class Clearing(StrEnum):
    """Who may end a cause before its time."""

    GATE = "gate"
    OPERATOR = "operator"
    RESET = "reset"


class CauseCode(StrEnum):
    """Everything that can restrict trading."""

    KILL = "kill"
    KILL_KEY = "kill_key"
    KILL_FILE = "kill_file"
    UNAPPROVED_ORDER = "unapproved_order"
    OPERATOR_PAUSE = "operator_pause"
    OPERATOR_REDUCE_ONLY = "operator_reduce_only"
    STARTING = "starting"
    STATE_STORE = "state_store"
    CLOCK = "clock"
    VENUE_DOWN = "venue_down"
    BALANCE_MISMATCH = "balance_mismatch"
    UNRESOLVED_ORDER = "unresolved_order"
    UNEXPLAINED_FILL = "unexplained_fill"
    INFRASTRUCTURE = "infrastructure_denials"
    STALE_MARK = "stale_mark"
    REPEATED_ORDER = "repeated_order"
    REJECTIONS = "order_rejections"
    SLIPPAGE = "slippage"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"


_CLEARING = {
    CauseCode.KILL: Clearing.RESET,
    CauseCode.UNAPPROVED_ORDER: Clearing.RESET,
    CauseCode.KILL_KEY: Clearing.GATE,
    CauseCode.KILL_FILE: Clearing.GATE,
    CauseCode.STARTING: Clearing.GATE,
    CauseCode.STATE_STORE: Clearing.GATE,
    CauseCode.CLOCK: Clearing.GATE,
    CauseCode.VENUE_DOWN: Clearing.GATE,
    CauseCode.UNRESOLVED_ORDER: Clearing.GATE,
    CauseCode.DAILY_LOSS: Clearing.GATE,
    CauseCode.DRAWDOWN: Clearing.GATE,
}

_RANK = {
    TradingStatus.ACTIVE: 0,
    TradingStatus.REDUCE_ONLY: 1,
    TradingStatus.PAUSED: 2,
    TradingStatus.HALTED: 3,
}


def clearing_of(code: str) -> Clearing:
    """Return who may end a cause; an operator may, unless the table says otherwise."""
    return _CLEARING.get(CauseCode(code), Clearing.OPERATOR)


@dataclass(frozen=True, slots=True)
class Standing:
    """The state that holds for one product: the worst of the global causes and its own."""

    status: TradingStatus
    codes: tuple[str, ...]


def standing(causes: Causes, product: str | None, now: datetime) -> Standing:
    """Find the worst cause that holds now, globally or for this product."""
    worst = TradingStatus.ACTIVE
    codes: tuple[str, ...] = ()
    for cause in causes:
        if (cause.product is None or cause.product == product) and holds(cause, now):
            codes = (*codes, cause.code)
            if _RANK[cause.status] > _RANK[worst]:
                worst = cause.status
    return Standing(worst, codes)


def worse(one: TradingStatus, other: TradingStatus) -> TradingStatus:
    """Return the more restrictive of two."""
    return one if _RANK[one] >= _RANK[other] else other


def holds(cause: Cause, now: datetime) -> bool:
    """Whether a cause has not run out."""
    return cause.until is None or now < cause.until


def allows(status: TradingStatus, purpose: Purpose) -> bool:
    """Whether an order of this purpose may be approved or sent in this state."""
    match status:
        case TradingStatus.ACTIVE:
            return True
        case TradingStatus.REDUCE_ONLY | TradingStatus.PAUSED:
            return not purpose.is_entry
        case TradingStatus.HALTED:
            return purpose is Purpose.FLATTEN
        case _:
            assert_never(status)


def phrase(status: TradingStatus) -> str:
    """Say a state in the words users read; the three restrictions are never mixed up."""
    match status:
        case TradingStatus.ACTIVE:
            return "trading"
        case TradingStatus.REDUCE_ONLY:
            return "reduce-only"
        case TradingStatus.PAUSED:
            return "entries blocked"
        case TradingStatus.HALTED:
            return "halted"
        case _:
            assert_never(status)


def raised(causes: Causes, cause: Cause) -> Causes:
    """Add a cause; one that already holds keeps its start and gets the later end."""
    others = tuple(known for known in causes if not _is_same(known, cause))
    for known in causes:
        if _is_same(known, cause):
            until = None if known.until is None or cause.until is None else max(known.until, cause.until)
            return (*others, cause.model_copy(update={"since": known.since, "until": until}))
    return (*others, cause)


def cleared(causes: Causes, code: str, product: str | None) -> Causes:
    """Drop one cause."""
    return tuple(known for known in causes if not (known.code == code and known.product == product))


def without_expired(causes: Causes, now: datetime) -> Causes:
    """Drop what has run out."""
    return tuple(cause for cause in causes if holds(cause, now))


def _is_same(one: Cause, other: Cause) -> bool:
    return one.code == other.code and one.product == other.product
