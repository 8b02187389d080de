"""The ladder ACTIVE, REDUCE_ONLY, PAUSED, HALTED as a set of causes: the worst wins, timed ones end by themselves."""

from collections.abc import Mapping
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
    VENUE_LIQUIDATION = "venue_liquidation"
    OPERATOR_PAUSE = "operator_pause"
    OPERATOR_REDUCE_ONLY = "operator_reduce_only"
    STARTING = "starting"
    STATE_STORE = "state_store"
    CLOCK = "clock"
    CLOCK_JUMP = "clock_jump"
    DISK_SPACE = "disk_space"
    SLOW_DISK = "slow_disk"
    BUS_STORE = "bus_store"
    MIXED_VERSIONS = "mixed_versions"
    VENUE_DOWN = "venue_down"
    BALANCE_MISMATCH = "balance_mismatch"
    UNKNOWN_TRANSACTION = "unknown_transaction"
    UNRESOLVED_ORDER = "unresolved_order"
    UNEXPLAINED_FILL = "unexplained_fill"
    INFRASTRUCTURE = "infrastructure_denials"
    STALE_MARK = "stale_mark"
    REPEATED_ORDER = "repeated_order"
    REJECTIONS = "order_rejections"
    SLIPPAGE = "slippage"
    PREVIEWS = "preview_failures"
    DAILY_LOSS = "daily_loss"
    DAILY_LOSS_HALT = "daily_loss_halt"
    WEEKLY_LOSS = "weekly_loss"
    DRAWDOWN = "drawdown"
    ORPHAN_POSITION = "orphan_position"
    BALANCE_DRIFT = "balance_drift"
    MISSING_FILL = "missing_fill"
    ORDER_DRIFT = "order_drift"
    VOLATILITY = "volatility"
    FAST_MOVE = "fast_move"
    WIDE_SPREAD = "wide_spread"
    THIN_BOOK = "thin_book"
    CONCENTRATION = "concentration"
    CORRELATION = "correlation"
    VENUE_ERRORS = "venue_errors"
    VENUE_FAILING = "venue_failing"
    RATE_BUDGET = "rate_budget"
    FILL_BURST = "fill_burst"
    FILLED_VALUE = "filled_value"
    STRATEGY_THROTTLED = "strategy_throttled"
    GUARD_BROKEN = "guard_broken"
    LIQUIDATION_BUFFER = "liquidation_buffer"
    MARGIN_WINDOW = "margin_window"
    CONTRACT_EXPIRY = "contract_expiry"
    TERMS_DIFFER = "terms_differ"


_CLEARING: Mapping[str, Clearing] = {
    CauseCode.KILL: Clearing.RESET,
    CauseCode.UNAPPROVED_ORDER: Clearing.RESET,
    CauseCode.VENUE_LIQUIDATION: Clearing.RESET,
    CauseCode.KILL_KEY: Clearing.GATE,
    CauseCode.KILL_FILE: Clearing.GATE,
    CauseCode.STARTING: Clearing.GATE,
    CauseCode.STATE_STORE: Clearing.GATE,
    CauseCode.CLOCK: Clearing.GATE,
    CauseCode.CLOCK_JUMP: Clearing.GATE,
    CauseCode.DISK_SPACE: Clearing.GATE,
    CauseCode.SLOW_DISK: Clearing.GATE,
    CauseCode.BUS_STORE: Clearing.GATE,
    CauseCode.MIXED_VERSIONS: Clearing.GATE,
    CauseCode.VENUE_DOWN: Clearing.GATE,
    CauseCode.UNRESOLVED_ORDER: Clearing.GATE,
    CauseCode.DAILY_LOSS: Clearing.GATE,
    CauseCode.ORPHAN_POSITION: Clearing.GATE,
    CauseCode.BALANCE_DRIFT: Clearing.RESET,
    CauseCode.MISSING_FILL: Clearing.GATE,
    CauseCode.WEEKLY_LOSS: Clearing.GATE,
    CauseCode.VENUE_FAILING: Clearing.GATE,
    CauseCode.GUARD_BROKEN: Clearing.GATE,
    CauseCode.DAILY_LOSS_HALT: Clearing.RESET,
    CauseCode.DRAWDOWN: Clearing.RESET,
    CauseCode.LIQUIDATION_BUFFER: Clearing.GATE,
    CauseCode.MARGIN_WINDOW: Clearing.GATE,
    CauseCode.CONTRACT_EXPIRY: Clearing.GATE,
    CauseCode.TERMS_DIFFER: Clearing.GATE,
}

_KNOWN = frozenset[str](CauseCode)

_RANK = {
    TradingStatus.ACTIVE: 0,
    TradingStatus.REDUCE_ONLY: 1,
    TradingStatus.PAUSED: 2,
    TradingStatus.HALTED: 3,
}


def clearing_of(code: str) -> Clearing:
    """Return who may end a cause: an operator, unless the table says otherwise; of an unknown one only a reset."""
    return _CLEARING.get(code, Clearing.OPERATOR if code in _KNOWN else Clearing.RESET)


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
        if cause.strategy is None and cause.product in {None, product} and holds(cause, now):
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


def cleared(causes: Causes, code: str, product: str | None, strategy: str | None = None) -> Causes:
    """Drop one cause."""
    gone = (code, product, strategy)
    return tuple(known for known in causes if (known.code, known.product, known.strategy) != gone)


def throttled(causes: Causes, strategy: str, now: datetime) -> bool:
    """Whether a strategy may make no entries: for a while, or until an operator resumes it."""
    return any(
        cause.code == CauseCode.STRATEGY_THROTTLED and cause.strategy == strategy and holds(cause, now)
        for cause in causes
    )


def spares_stops(causes: Causes, now: datetime) -> bool:
    """Whether all that halts is that the venue fails: then the stops that rest there are what protects."""
    return halting(causes, now) == {CauseCode.VENUE_FAILING}


def halting(causes: Causes, now: datetime) -> frozenset[str]:
    """Name the causes that halt now."""
    return frozenset(cause.code for cause in causes if cause.status is TradingStatus.HALTED and holds(cause, now))


def without_expired(causes: Causes, now: datetime) -> Causes:
    """Drop what has run out."""
    return tuple(cause for cause in causes if holds(cause, now))


def _is_same(one: Cause, other: Cause) -> bool:
    return (one.code, one.product, one.strategy) == (other.code, other.product, other.strategy)
