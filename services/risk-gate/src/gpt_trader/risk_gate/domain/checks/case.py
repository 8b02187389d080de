"""What is judged: a request with everything that the checks look at, gathered once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.decisions import MarketView, SizingStep
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import BookSummary, ProductSpec, Tick
from gpt_trader.contracts.signals import Signal
from gpt_trader.risk_gate.domain.exposure import Approval, Exposure
from gpt_trader.risk_gate.domain.futures.margin import Margin
from gpt_trader.risk_gate.domain.groups import Grouped
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.shape import Follows, Shape
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The venue's word on an order of this quantity and price; no `refusals` = it would take it."""

    quantity: Decimal
    limit_price: Decimal
    refusals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One wish to trade with what the gate saw when it judged it.

    `marks` holds a fresh mark per held product; `slice_quantity` bounds a flatten's order; None = the whole position.
    `preview` None = the venue was not asked. With a `stop_price` the order waits at the venue until it is reached.
    With `follows` it goes on with a wish of which earlier orders are over.
    """

    signal: Signal
    purpose: Purpose
    market: MarketView
    marks: Mapping[str, Decimal]
    is_in_universe: bool
    slice_quantity: Decimal | None
    preview: Preview | None
    now: datetime
    stop_price: Decimal | None = None
    follows: Follows | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is held and what is spoken for.

    Equity, exposure and what is `grouped` with the product are None while a held product has no fresh mark.

    `orders` are the product's that are not over, `exits` is the quantity that the exits among them may still take,
    `cash` what open buys and the margin of futures leave at their worst; None = that margin is not known. `margin` is
    None as long as the futures account is not known.
    """

    equity: Decimal | None
    exposure: Exposure | None
    position: Decimal
    orders: tuple[Approval, ...]
    exits: Decimal
    cash: Decimal | None
    margin: Margin | None
    grouped: Grouped | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A sized and priced request. None = unknown, on which every check that needs it fails.

    `before_today` is the last moment of yesterday, UTC: what is later than it counts for the day.
    """

    request: Request
    signal: Signal
    purpose: Purpose
    now: datetime
    before_today: datetime
    policy: Policy
    state: GateState
    standing: Standing
    spec: ProductSpec | None
    tick: Tick | None
    book: BookSummary | None
    mark: Decimal | None
    mark_age: timedelta | None
    account: Account
    shape: Shape
    trigger: Decimal | None
    limit_price: Decimal | None
    quantity: Decimal
    notional: Decimal
    sizing: tuple[SizingStep, ...]


Measure = str | int | Decimal | timedelta
Finding = tuple[bool, Measure, Measure]
"""Whether the rule holds, the measured value, the limit; turned into text only when it is reported."""

Judge = Callable[[Case], Finding]

ALL = tuple(Purpose)
ENTRIES = (Purpose.ENTRY,)
EXITS = (Purpose.EXIT,)
ORDINARY = (Purpose.ENTRY, Purpose.EXIT)
"""What SPEC G21 does not exempt: flatten and protective exits skip G7-G13, G16, G19, G20."""

_MICROSECOND = timedelta(microseconds=1)
UNKNOWN = "unknown"
YES: Finding = (True, "yes", "yes")
NO: Finding = (False, "no", "yes")
UNASKED: Finding = (False, "not asked", "an answer")
"""Does not hold, and is reported as skipped: the venue is asked only about what nothing else denies."""


def at_most(value: Decimal, limit: Decimal) -> Finding:
    """Hold up to and including the limit."""
    return value <= limit, value, limit


def at_least(value: Decimal, limit: Decimal) -> Finding:
    """Hold down to and including the limit."""
    return value >= limit, value, limit


def below(count: int, limit: int) -> Finding:
    """Hold while one more stays within the limit."""
    return count < limit, count, limit


def elapsed(since: datetime | None, now: datetime, rest: timedelta) -> Finding:
    """Hold once `rest` has passed, or if there is nothing to rest from."""
    if since is None:
        return True, "never", rest
    return now - since >= rest, now - since, rest


def written(measure: Measure) -> str:
    """Write a measured value or a limit for the record."""
    return seconds(measure) if isinstance(measure, timedelta) else str(measure)


def seconds(span: timedelta) -> str:
    """Write a duration as exact seconds."""
    whole = span.days * 86400 + span.seconds
    if not span.microseconds:
        return str(whole)
    return f"{whole}.{span.microseconds:06d}" if whole >= 0 else str(Decimal(span // _MICROSECOND).scaleb(-6))


def missing(what: str) -> Finding:
    """Fail for want of something that has to be known."""
    return False, UNKNOWN, what
