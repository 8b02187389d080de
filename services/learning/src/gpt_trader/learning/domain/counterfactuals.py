"""What a denied entry would have made, followed from the signal's reference price to stop, target or horizon (LL2)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from gpt_trader.contracts.decisions import Decision, Verdict
from gpt_trader.contracts.market import Candle, Tick, interval_length
from gpt_trader.contracts.message import Amount, Instant, Message, Positive, Product
from gpt_trader.contracts.signals import Action, Side
from gpt_trader.learning.domain.records import Place

_BPS = Decimal(10000)
_BPS_STEP = Decimal("0.0001")
_MONEY_STEP = Decimal("0.00000001")


class Ending(StrEnum):
    """Where the path ended; `unobserved` means that no price was seen before the horizon, so nothing is claimed."""

    STOP = "stop"
    TARGET = "target"
    EXPIRY = "expiry"
    UNOBSERVED = "unobserved"


class Counterfactual(Message):
    """The result that a denial prevented, net of taker fees for both legs.

    `net` is None where the gate had not sized the entry: only the return in basis points is known then.
    """

    decision_id: str
    strategy: str
    product: Product
    side: Side
    failed: tuple[str, ...]
    ending: Ending
    entry_price: Positive
    exit_price: Positive | None
    notional: Positive | None
    net_bps: Amount | None
    net: Amount | None
    denied_at: Instant
    ended_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A denied entry that is still being followed; `price` is the last one seen, at `seen_at`."""

    decision_id: str
    strategy: str
    product: str
    side: Side
    failed: tuple[str, ...]
    entry_price: Decimal
    stop_price: Decimal | None
    target_price: Decimal | None
    notional: Decimal | None
    denied_at: datetime
    expires_at: datetime
    place: Place
    price: Decimal | None = None
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A denial at the end of its path; no price means that none was ever seen."""

    denial: Denial
    ending: Ending
    price: Decimal | None
    at: datetime


def denial_of(decision: Decision, horizon: timedelta, place: Place) -> Denial | None:
    """Start following a decision, if it is a denied entry."""
    signal = decision.signal
    is_further_step = decision.step is not None and decision.step > 1  # of a wish that was approved
    if decision.verdict is not Verdict.DENIED or signal.action is not Action.ENTER or is_further_step:
        return None
    return Denial(
        decision_id=decision.decision_id,
        strategy=signal.strategy,
        product=decision.product,
        side=signal.side,
        failed=tuple(check.check for check in decision.failures),
        entry_price=signal.reference_price,
        stop_price=signal.stop_price,
        target_price=signal.target_price,
        notional=_notional(decision),
        denied_at=decision.decided_at,
        expires_at=decision.decided_at + horizon,
        place=place,
        seen_at=decision.decided_at,
    )


def _notional(decision: Decision) -> Decimal | None:
    """Return the size the gate would have given: the final one, or the last before a guard reduced it to nothing."""
    sizes = (*(step.notional for step in decision.sizing), decision.notional)
    return next((size for size in reversed(sizes) if size > 0), None)


def follow(denial: Denial, market: Tick | Candle) -> Denial | Ended:
    """Move along the market's path; within one candle the stop is taken to come first.

    A candle counts only where no tick was seen since its start, so that it fills gaps and never replaces ticks.
    """
    path = _path(denial.side, market)
    if path.start < denial.seen_at:
        return denial
    if path.start >= denial.expires_at:
        return expired(denial)
    if path.end > denial.expires_at:
        return denial
    for ending, level, is_hit in (
        (Ending.STOP, denial.stop_price, _is_lost),
        (Ending.TARGET, denial.target_price, _is_won),
    ):
        if level is not None and is_hit(denial.side, path, level):
            price = path.open if is_hit(denial.side, replace(path, low=path.open, high=path.open), level) else level
            return Ended(denial=denial, ending=ending, price=price, at=path.end)
    return replace(denial, price=path.close, seen_at=path.end)


def expired(denial: Denial) -> Ended:
    """End at the horizon with the last price seen, if any."""
    ending = Ending.UNOBSERVED if denial.price is None else Ending.EXPIRY
    return Ended(denial=denial, ending=ending, price=denial.price, at=denial.expires_at)


def counterfactual(ended: Ended, taker_fee_bps: Decimal) -> Counterfactual:
    """State the result, with the taker fee taken on entry and on exit."""
    denial = ended.denial
    net = None if ended.price is None else _net_return(denial, ended.price, taker_fee_bps)
    return Counterfactual(
        decision_id=denial.decision_id,
        strategy=denial.strategy,
        product=denial.product,
        side=denial.side,
        failed=denial.failed,
        ending=ended.ending,
        entry_price=denial.entry_price,
        exit_price=ended.price,
        notional=denial.notional,
        net_bps=None if net is None else (net * _BPS).quantize(_BPS_STEP),
        net=None if net is None or denial.notional is None else (net * denial.notional).quantize(_MONEY_STEP),
        denied_at=denial.denied_at,
        ended_at=ended.at,
    )


def _net_return(denial: Denial, exit_price: Decimal, taker_fee_bps: Decimal) -> Decimal:
    ratio = exit_price / denial.entry_price
    return denial.side.sign * (ratio - 1) - taker_fee_bps / _BPS * (1 + ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Path:
    start: datetime
    end: datetime
    open: Decimal
    low: Decimal
    high: Decimal
    close: Decimal


def _path(side: Side, market: Tick | Candle) -> _Path:
    if isinstance(market, Candle):
        return _Path(
            start=market.start,
            end=market.start + interval_length(market.interval),
            open=market.open,
            low=market.low,
            high=market.high,
            close=market.close,
        )
    price = market.bid if side is Side.BUY else market.ask
    at = market.occurred_at
    return _Path(start=at, end=at, open=price, low=price, high=price, close=price)


def _is_lost(side: Side, path: _Path, stop: Decimal) -> bool:
    return path.low <= stop if side is Side.BUY else path.high >= stop


def _is_won(side: Side, path: _Path, target: Decimal) -> bool:
    return path.high >= target if side is Side.BUY else path.low <= target
