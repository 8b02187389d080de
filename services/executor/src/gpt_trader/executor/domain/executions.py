"""What an order has executed, as sums that do not depend on the order or repetition of its fills."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.contracts.ids import FillId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import Fill, FillKind

_ZERO = Decimal(0)
_BPS = Decimal(10000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over the fills that stand."""

    quantity: Decimal = _ZERO
    notional: Decimal = _ZERO
    fees: Decimal = _ZERO

    @property
    def average_price(self) -> Decimal | None:
        """Quantity-weighted price; None before the first fill."""
        return self.notional / self.quantity if self.quantity else None


Fills = Mapping[FillId, Fill]
"""The fills of one order by the venue's entry id, so that a repetition changes nothing."""


def totals(fills: Fills) -> Totals:
    """Add up what stands: a trade that was restated counts as its last restatement says, a reversed one not at all."""
    standing = [fill for trade in _by_trade(fills.values()).values() for fill in _standing(trade)]
    return Totals(
        quantity=sum((fill.quantity for fill in standing), _ZERO),
        notional=sum((fill.quantity * fill.price for fill in standing), _ZERO),
        fees=sum((fill.fee for fill in standing), _ZERO),
    )


def _by_trade(fills: Iterable[Fill]) -> dict[str, list[Fill]]:
    trades: dict[str, list[Fill]] = {}
    for fill in sorted(fills, key=lambda one: one.fill_id):
        trades.setdefault(fill.trade_id, []).append(fill)
    return trades


def _standing(trade: list[Fill]) -> list[Fill]:
    restated = [fill for fill in trade if fill.kind is not FillKind.FILL]
    if not restated:
        return trade
    last = max(restated, key=lambda one: (one.occurred_at, one.kind is FillKind.REVERSAL, one.fill_id))
    return [last] if last.kind is FillKind.CORRECTION else []


def slippage_bps(fill: Fill, intent: ApprovedIntent) -> Decimal:
    """How much worse a fill is than the mark when its wish arrived, or than a stop's own price; negative = better."""
    expected = intent.stop_price or intent.arrival_mark
    return (fill.price - expected) * fill.side.sign / expected * _BPS
