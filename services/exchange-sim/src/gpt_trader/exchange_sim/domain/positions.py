"""One owner's net contracts in one product, and what closing them pays."""

from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.exchange_sim.domain.orders import ZERO

_PENNY_FRACTION = Decimal("0.00000001")


def money(amount: Decimal) -> Decimal:
    """Round to what a balance can hold, so that no digit is lost between two owners."""
    return amount.quantize(_PENNY_FRACTION)


@dataclass(slots=True, kw_only=True)
class Position:
    """Long when positive; `entry` is the average price paid, `basis` the one cash was last settled at."""

    size: Decimal
    contracts: Decimal = ZERO
    entry: Decimal = ZERO
    basis: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def is_long(self) -> bool:
        """Direction; meaningless when flat."""
        return self.contracts > 0

    def notional(self, mark: Decimal) -> Decimal:
        """Absolute value at a price."""
        return abs(self.contracts) * self.size * mark

    def unrealized(self, mark: Decimal) -> Decimal:
        """Profit not yet paid in cash, since the last settlement."""
        return money(self.contracts * self.size * (mark - self.basis))

    def trade(self, change: Decimal, price: Decimal) -> Decimal:
        """Net a fill in: first against what is open, the rest opens; the answer is the profit to pay."""
        is_closing = self.contracts * change < 0
        closed = min(abs(change), abs(self.contracts)) if is_closing else ZERO
        profit = money((closed if self.is_long else -closed) * self.size * (price - self.basis))
        kept, opened = abs(self.contracts) - closed, abs(change) - closed
        if opened:
            self.entry = (self.entry * kept + price * opened) / (kept + opened)
            self.basis = (self.basis * kept + price * opened) / (kept + opened)
        self.contracts += change
        return profit

    def settle(self, mark: Decimal) -> Decimal:
        """Pay everything open up to a price; the answer is the amount."""
        profit = self.unrealized(mark)
        self.basis = mark
        return profit
