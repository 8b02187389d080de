"""A product's order book from a snapshot and absolute updates."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from operator import mul

from gpt_trader.contracts.market import BookDepth
from gpt_trader.market_data.domain.events import Best, BookSide, Level

_BPS = Decimal(10_000)
_ZERO = Decimal(0)


class Book:
    """Both sides of one product; `best` and `depth` read what the last change left."""

    __slots__ = ("_asks", "_bids")

    def __init__(self, snapshot: Iterable[Level]) -> None:
        levels = tuple(snapshot)
        self._bids = _Ladder(BookSide.BID, levels)
        self._asks = _Ladder(BookSide.ASK, levels)

    def apply(self, levels: Iterable[Level]) -> None:
        """Take over absolute quantities; zero removes a level, also one that is not there."""
        for side, price, quantity in levels:
            ladder = self._bids if side is BookSide.BID else self._asks
            ladder.put(price, quantity)

    @property
    def best(self) -> Best | None:
        """Both best levels, or None while a side is empty."""
        bid, ask = self._bids.best, self._asks.best
        if bid is None or ask is None:
            return None
        return Best(bid=bid[0], bid_quantity=bid[1], ask=ask[0], ask_quantity=ask[1])

    def depth(self, bands: Sequence[int]) -> tuple[BookDepth, ...]:
        """Return the notional resting within each band (bps around mid); empty while a side is empty."""
        best = self.best
        if best is None:
            return ()
        bids = self._bids.notional_within([best.mid * (1 - band / _BPS) for band in bands])
        asks = self._asks.notional_within([best.mid * (1 + band / _BPS) for band in bands])
        return tuple(
            BookDepth(within_bps=band, bid_notional=bid, ask_notional=ask)
            for band, bid, ask in zip(bands, bids, asks, strict=True)
        )

    def levels(self, side: BookSide) -> Iterator[tuple[Decimal, Decimal]]:
        """Yield (price, quantity) of one side from the best outwards."""
        return iter(self._bids if side is BookSide.BID else self._asks)


class _Ladder:
    """One side. Keys are ordered so that the best is last: changes near the best move little memory."""

    __slots__ = ("_keys", "_quantities", "_sign")

    def __init__(self, side: BookSide, levels: Iterable[Level]) -> None:
        self._sign = 1 if side is BookSide.BID else -1
        told = {level.price: level.quantity for level in levels if level.side is side}
        self._quantities = {price: quantity for price, quantity in told.items() if quantity}
        self._keys = sorted(price * self._sign for price in self._quantities)

    def put(self, price: Decimal, quantity: Decimal) -> None:
        is_known = price in self._quantities
        if quantity:
            self._quantities[price] = quantity
        else:
            self._quantities.pop(price, None)
        if is_known is bool(quantity):
            return
        key = price * self._sign
        place = bisect_left(self._keys, key)
        if is_known:
            del self._keys[place]
        else:
            self._keys.insert(place, key)

    @property
    def best(self) -> tuple[Decimal, Decimal] | None:
        if not self._keys:
            return None
        price = self._keys[-1] * self._sign
        return price, self._quantities[price]

    def notional_within(self, limits: Sequence[Decimal]) -> list[Decimal]:
        """Sum up to each limit; limits lie ever further from the best, so each adds only what the last left out."""
        sums: list[Decimal] = []
        total, upper = _ZERO, len(self._keys)
        for limit in limits:
            lower = bisect_left(self._keys, limit * self._sign, hi=upper)
            prices = [key * self._sign for key in self._keys[lower:upper]]
            total = sum(map(mul, prices, map(self._quantities.__getitem__, prices)), total)
            sums.append(total)
            upper = lower
        return sums

    def __iter__(self) -> Iterator[tuple[Decimal, Decimal]]:
        for key in reversed(self._keys):
            price = key * self._sign
            yield price, self._quantities[price]
