"""Price-time matching of one incoming order, with self-trade prevention."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from gpt_trader.exchange_sim.domain.book import Book, Resting
from gpt_trader.exchange_sim.domain.orders import MARKET, ZERO, Side


@dataclass(slots=True, kw_only=True)
class Incoming:
    """An aggressor: `budget` counts quote currency including fees, else `remaining` counts base."""

    owner: str
    side: Side
    limit: Decimal
    remaining: Decimal
    budget: Decimal | None = None
    fee_rate: Decimal = ZERO
    increment: Decimal = Decimal("0.00000001")

    def wanted(self, price: Decimal) -> Decimal:
        """Return the base quantity it still wants at this price."""
        if self.budget is None:
            return self.remaining
        return floor(self.budget / (price * (1 + self.fee_rate)), self.increment)

    def shrink(self, share: Decimal) -> None:
        """Want only a share of it."""
        self.remaining = floor(self.remaining * share, self.increment)
        self.budget = None if self.budget is None else self.budget * share

    def take(self, quantity: Decimal, price: Decimal) -> None:
        """Count a match."""
        if self.budget is None:
            self.remaining -= quantity
        else:
            self.budget -= quantity * price * (1 + self.fee_rate)


@dataclass(frozen=True, slots=True)
class Match:
    """A trade with the first in the queue."""

    maker: Resting
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class SelfTrade:
    """Both orders shrink by the smaller one and nothing trades (decrement and cancel)."""

    maker: Resting
    price: Decimal
    quantity: Decimal


def floor(value: Decimal, increment: Decimal) -> Decimal:
    """Round down to a multiple of the increment."""
    return (value / increment).to_integral_value(ROUND_DOWN) * increment


def cross(book: Book, taker: Incoming) -> Iterator[Match | SelfTrade]:
    """Trade against the book until the limit, the quantity or the book ends."""
    opposite = book.side(taker.side.opposite)
    while (price := opposite.best) is not None and opposite.reaches(price, taker.limit):
        maker = opposite.front(price)
        quantity = min(maker.remaining, taker.wanted(price))
        if quantity <= 0:
            return
        opposite.reduce_front(price, quantity)
        taker.take(quantity, price)
        if maker.owner == taker.owner and taker.owner != MARKET:
            yield SelfTrade(maker, price, quantity)
        else:
            yield Match(maker, price, quantity)


def can_fill_completely(book: Book, taker: Incoming) -> bool:
    """Whether a fill-or-kill order finds its whole quantity, own orders not counted."""
    opposite = book.side(taker.side.opposite)
    found = ZERO
    for price, _ in opposite.levels():
        if not opposite.reaches(price, taker.limit):
            break
        found += sum((r.remaining for r in opposite.queue(price) if r.owner != taker.owner), ZERO)
        if found >= taker.remaining:
            return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What an order would get now if it traded as far as it can."""

    quantity: Decimal
    value: Decimal

    @property
    def average(self) -> Decimal:
        """Average price, zero when nothing would trade."""
        return self.value / self.quantity if self.quantity else ZERO


def estimate(book: Book, taker: Incoming) -> Estimate:
    """Walk the book without touching it."""
    opposite = book.side(taker.side.opposite)
    quantity = value = ZERO
    for price, available in opposite.levels():
        if not opposite.reaches(price, taker.limit):
            break
        taken = min(available, taker.wanted(price))
        if taken <= 0:
            break
        taker.take(taken, price)
        quantity += taken
        value += taken * price
    return Estimate(quantity=quantity, value=value)
