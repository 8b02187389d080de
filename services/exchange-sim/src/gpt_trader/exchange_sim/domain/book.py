"""Order book with price-time priority; synthetic liquidity queues like everybody else."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from gpt_trader.exchange_sim.domain.orders import MARKET, ZERO, Side


@dataclass(slots=True, eq=False)
class Resting:
    """A place in a queue; `order_id` is empty for synthetic liquidity."""

    order_id: str
    owner: str
    remaining: Decimal


@dataclass(slots=True)
class Level:
    """All quantity at one price, first come first served."""

    queue: deque[Resting] = field(default_factory=deque)
    total: Decimal = ZERO
    synthetic: Decimal = ZERO


class BookSide:
    """One side, best price first."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self._sign = -1 if side is Side.BUY else 1
        self._keys: list[Decimal] = []
        self._levels: dict[Decimal, Level] = {}
        self.changed: dict[Decimal, None] = {}

    @property
    def best(self) -> Decimal | None:
        """Best price, or None when the side is empty."""
        return self._keys[0] * self._sign if self._keys else None

    def quantity(self, price: Decimal) -> Decimal:
        """Total quantity resting at a price."""
        level = self._levels.get(price)
        return ZERO if level is None else level.total

    def levels(self) -> Iterator[tuple[Decimal, Decimal]]:
        """Price and total quantity, best first."""
        for key in self._keys:
            price = key * self._sign
            yield price, self._levels[price].total

    def reaches(self, price: Decimal, limit: Decimal) -> bool:
        """Whether a taker with this limit may trade at a price of this side."""
        return price >= limit if self.side is Side.BUY else price <= limit

    def queue(self, price: Decimal) -> tuple[Resting, ...]:
        """Everybody waiting at a price, in order."""
        level = self._levels.get(price)
        return () if level is None else tuple(level.queue)

    def add(self, price: Decimal, resting: Resting) -> None:
        """Join the end of the queue."""
        level = self._levels.get(price)
        if level is None:
            level = self._levels[price] = Level()
            key = price * self._sign
            self._keys.insert(bisect_left(self._keys, key), key)
        if resting.owner == MARKET:
            level.synthetic += resting.remaining
            if level.queue and level.queue[-1].owner == MARKET:
                level.queue[-1].remaining += resting.remaining
            else:
                level.queue.append(resting)
        else:
            level.queue.append(resting)
        level.total += resting.remaining
        self.changed[price] = None

    def front(self, price: Decimal) -> Resting:
        """Who is served next at a price."""
        return self._levels[price].queue[0]

    def reduce_front(self, price: Decimal, quantity: Decimal) -> None:
        """Take from whoever is first at a price."""
        self._take(price, self._levels[price].queue[0], quantity)

    def reduce(self, price: Decimal, order_id: str, quantity: Decimal) -> None:
        """Shrink an order in place; it keeps its turn, and leaves the book at zero."""
        for resting in self.queue(price):
            if resting.order_id == order_id:
                self._take(price, resting, quantity)

    def remove(self, price: Decimal, order_id: str) -> None:
        """Take an order off the book."""
        for resting in self.queue(price):
            if resting.order_id == order_id:
                self._take(price, resting, resting.remaining)

    def prune(self, target: dict[Decimal, Decimal]) -> None:
        """Withdraw synthetic quantity from every price that is not in the target."""
        for price in [p for p, level in self._levels.items() if level.synthetic and p not in target]:
            self._shrink_synthetic(price, self._levels[price].synthetic)

    def quote(self, target: dict[Decimal, Decimal]) -> None:
        """Make the synthetic quantity at each price of the target equal to it; additions queue last."""
        for price, wanted in target.items():
            level = self._levels.get(price)
            present = ZERO if level is None else level.synthetic
            if wanted > present:
                self.add(price, Resting("", MARKET, wanted - present))
            elif wanted < present:
                self._shrink_synthetic(price, present - wanted)

    def _shrink_synthetic(self, price: Decimal, quantity: Decimal) -> None:
        for resting in reversed(self.queue(price)):
            if resting.owner == MARKET and quantity:
                taken = min(quantity, resting.remaining)
                self._take(price, resting, taken)
                quantity -= taken

    def _take(self, price: Decimal, resting: Resting, quantity: Decimal) -> None:
        level = self._levels[price]
        resting.remaining -= quantity
        level.total -= quantity
        if resting.owner == MARKET:
            level.synthetic -= quantity
        if not resting.remaining:
            level.queue.remove(resting)
        if not level.queue:
            del self._levels[price]
            key = price * self._sign
            del self._keys[bisect_left(self._keys, key)]
        self.changed[price] = None


class Book:
    """Both sides of one product."""

    def __init__(self) -> None:
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)

    def side(self, side: Side) -> BookSide:
        """Return the side where orders of this direction rest."""
        return self.bids if side is Side.BUY else self.asks

    @property
    def mid(self) -> Decimal | None:
        """Middle of the touch, or the only side there is."""
        bid, ask = self.bids.best, self.asks.best
        if bid is None or ask is None:
            return ask if bid is None else bid
        return (bid + ask) / 2
