"""A futures market that follows its spot product, at a premium that fades until expiry."""

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from gpt_trader.exchange_sim.domain.contracts import Contract
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.markets import MarketStep
from gpt_trader.exchange_sim.domain.orders import Side

_CARRY_PER_YEAR = Decimal("0.05")
_YEAR = timedelta(days=365)
_SPREAD = Decimal("0.0001")
_SIZES = (1, 1, 1, 2, 2, 3, 5, 8, 20)


class TrackingMarket:
    """Prints at the spot price plus carry; `interval` is the mean market time between prints."""

    def __init__(
        self, contract: Contract, underlying: Listing, rng: Random, start: datetime, interval: timedelta
    ) -> None:
        self._contract = contract
        self._underlying = underlying
        self._rng = rng
        self._interval_us = max(interval // timedelta(microseconds=1), 1)
        self._next = start

    def next_at(self) -> datetime:
        """Say when the next print is due; it is the venue that ends trading at expiry."""
        return self._next

    def step(self) -> MarketStep:
        """Print one trade around the spot's last price."""
        at = self._next
        self._next = at + timedelta(microseconds=self._rng.randint(self._interval_us // 2, self._interval_us * 3 // 2))
        price = self._underlying.last_or_start() * (1 + self._premium(at))
        return MarketStep(
            at=at,
            price=price,
            taker=self._rng.choice((Side.BUY, Side.SELL)),
            quantity=Decimal(self._rng.choice(_SIZES)),
            spread=price * _SPREAD,
        )

    def _premium(self, at: datetime) -> Decimal:
        if self._contract.is_perpetual_style:
            return Decimal(0)
        left = max(self._contract.expiry - at, timedelta())
        return _CARRY_PER_YEAR * (left // timedelta(seconds=1)) / (_YEAR // timedelta(seconds=1))
