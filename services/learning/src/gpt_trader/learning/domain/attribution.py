"""Where the result of a closed trade came from: the signal, the market, the entry, the exit, the fees (SPEC LL1)."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.message import Amount, Instant, Message, Positive, Product
from gpt_trader.contracts.orders import Fill
from gpt_trader.contracts.signals import Side
from gpt_trader.learning.domain.records import Place

_PRICE_STEP = Decimal("1e-12")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What stood behind an order when the gate approved it; no mark means that the gate recorded no tick."""

    reason: str
    reference_price: Decimal
    mark: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """A fill with its cause; none if no recorded decision approved the order."""

    fill: Fill
    cause: Cause | None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """The part of an execution that belongs to a trip."""

    execution: Execution
    quantity: Decimal
    fee: Decimal

    @property
    def notional(self) -> Decimal:
        """What the leg moved, in quote currency."""
        return self.quantity * self.execution.fill.price


class Attribution(Message):
    """Parts of the gross result in quote currency: gross = market_part - entry_slippage - exit_slippage.

    `market_part`: move of the mark from the entry's decision to the exit's. `entry_slippage`, `exit_slippage`: paid
    worse than the mark at the decision (negative: better). `signal_part`: how far the mark had left the signals'
    reference prices when the gate decided, in the trade's disfavour; market_part already lacks it.
    """

    signal_part: Amount
    market_part: Amount
    entry_slippage: Amount
    exit_slippage: Amount


class ClosedTrade(Message):
    """A round trip from flat to flat; attribution is unknown unless every leg's mark is known."""

    trade_id: str
    closing_fill_id: str
    strategy: str
    product: Product
    quantity: Positive
    entry_price: Positive
    exit_price: Positive
    gross: Amount
    fees: Amount
    net: Amount
    attribution: Attribution | None
    entry_reason: str | None
    exit_reason: str | None
    fills: int
    opened_at: Instant
    closed_at: Instant

    @property
    def held(self) -> timedelta:
        """Time from the first entry's execution to the last exit's."""
        return self.closed_at - self.opened_at


def cause_of(decision: Decision) -> Cause:
    """Extract what attribution needs, the mark being the mid of the tick that the gate decided on."""
    tick = decision.market.tick
    return Cause(
        reason=decision.signal.reason,
        reference_price=decision.signal.reference_price,
        mark=tick.mid if tick else None,
    )


def closed_trade(legs: tuple[Leg, ...], *, gross: Decimal, fees: Decimal) -> ClosedTrade:
    """Describe a trip that has returned to flat; its first fill names it."""
    entries = tuple(leg for leg in legs if leg.execution.fill.side is Side.BUY)
    exits = tuple(leg for leg in legs if leg.execution.fill.side is Side.SELL)
    first, last = entries[0].execution, exits[-1].execution
    quantity = sum((leg.quantity for leg in entries), Decimal(0))
    return ClosedTrade(
        trade_id=first.fill.fill_id,
        closing_fill_id=last.fill.fill_id,
        strategy=first.fill.strategy,
        product=first.fill.product,
        quantity=quantity,
        entry_price=_average_price(entries, quantity),
        exit_price=_average_price(exits, quantity),
        gross=gross,
        fees=fees,
        net=gross - fees,
        attribution=_attribution(entries, exits),
        entry_reason=first.cause.reason if first.cause else None,
        exit_reason=last.cause.reason if last.cause else None,
        fills=len(legs),
        opened_at=first.fill.occurred_at,
        closed_at=last.fill.occurred_at,
    )


def _average_price(legs: tuple[Leg, ...], quantity: Decimal) -> Decimal:
    return (sum((leg.notional for leg in legs), Decimal(0)) / quantity).quantize(_PRICE_STEP)


@dataclass(frozen=True, slots=True)
class _Totals:
    paid: Decimal
    marked: Decimal
    referenced: Decimal


def _attribution(entries: tuple[Leg, ...], exits: tuple[Leg, ...]) -> Attribution | None:
    bought, sold = _totals(entries), _totals(exits)
    if bought is None or sold is None:
        return None
    return Attribution(
        signal_part=(bought.marked - bought.referenced) + (sold.referenced - sold.marked),
        market_part=sold.marked - bought.marked,
        entry_slippage=bought.paid - bought.marked,
        exit_slippage=sold.marked - sold.paid,
    )


def _totals(legs: tuple[Leg, ...]) -> _Totals | None:
    paid = marked = referenced = Decimal(0)
    for leg in legs:
        cause = leg.execution.cause
        if cause is None or cause.mark is None:
            return None
        paid += leg.notional
        marked += leg.quantity * cause.mark
        referenced += leg.quantity * cause.reference_price
    return _Totals(paid, marked, referenced)
