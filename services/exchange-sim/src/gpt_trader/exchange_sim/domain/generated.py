"""A seeded market that changes its mood: trends, chop, crashes, quiet and volatile spells."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import isqrt
from random import Random

from gpt_trader.exchange_sim.domain.markets import MarketStep, to_tick
from gpt_trader.exchange_sim.domain.matching import floor
from gpt_trader.exchange_sim.domain.orders import ZERO, Side
from gpt_trader.exchange_sim.domain.products import Product

_BILLION = 10**9
_TRADE_NOTIONALS = (15, 40, 90, 200, 450, 900, 1800, 4000, 12000, 30000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """Drift in ppm per second, volatility in ppm per square-root second, spread in ppm, life in seconds."""

    name: str
    drift: int
    volatility: int
    spread: int
    shortest: int
    longest: int


REGIMES = (
    Regime(name="bull_quiet", drift=25, volatility=70, spread=120, shortest=120, longest=420),
    Regime(name="bull_volatile", drift=45, volatility=190, spread=220, shortest=90, longest=300),
    Regime(name="bear_quiet", drift=-25, volatility=70, spread=120, shortest=120, longest=420),
    Regime(name="bear_volatile", drift=-45, volatility=190, spread=220, shortest=90, longest=300),
    Regime(name="chop_quiet", drift=0, volatility=60, spread=100, shortest=60, longest=240),
    Regime(name="chop_volatile", drift=0, volatility=220, spread=260, shortest=60, longest=180),
    Regime(name="crash", drift=-450, volatility=320, spread=700, shortest=15, longest=40),
)
_WEIGHTS = (5, 5, 4, 4, 3, 3, 1)
_PULL_SECONDS = 12000


class GeneratedMarket:
    """One product's stream; `interval` is the mean market time between prints."""

    def __init__(self, product: Product, rng: Random, start: datetime, interval: timedelta) -> None:
        self._product = product
        self._rng = rng
        self._interval_us = max(interval // timedelta(microseconds=1), 1)
        self._mid = product.start_price
        self._regime = rng.choice(REGIMES[:4])
        self._regime_end = start + timedelta(seconds=rng.randint(60, 300))
        self._previous = start
        self._next = start

    def next_at(self) -> datetime:
        """Say when the next print is due; a generated market never ends."""
        return self._next

    @property
    def regime(self) -> str:
        """Current mood, for people watching."""
        return self._regime.name

    def step(self) -> MarketStep:
        """Move the price, print one trade, schedule the next."""
        at = self._next
        move = self._walk(at)
        self._previous = at
        self._next = at + timedelta(microseconds=self._rng.randint(self._interval_us // 2, self._interval_us * 3 // 2))
        taker = Side.BUY if move + self._rng.randint(-60000, 60000) > 0 else Side.SELL
        spread = self._mid * self._regime.spread / 1000000
        half = spread / 2
        price = to_tick(self._mid + half if taker is Side.BUY else self._mid - half, self._product)
        return MarketStep(at=at, price=price, taker=taker, quantity=self._quantity(price), spread=spread)

    def _walk(self, at: datetime) -> int:
        if at >= self._regime_end:
            self._regime = self._rng.choices(REGIMES, _WEIGHTS)[0]
            life = self._rng.randint(self._regime.shortest, self._regime.longest)
            self._regime_end = at + timedelta(seconds=life)
        elapsed_us = (at - self._previous) // timedelta(microseconds=1)
        pull = int((self._product.start_price / self._mid - 1) * 1000000) // _PULL_SECONDS
        drift = (self._regime.drift + pull) * elapsed_us // 1000
        spread = self._regime.volatility * isqrt(elapsed_us)
        move = drift + round(self._rng.gauss(0, spread))
        self._mid = (self._mid * (_BILLION + move) / _BILLION).quantize(self._product.price_increment / 1000)
        return move

    def _quantity(self, price: Decimal) -> Decimal:
        notional = self._rng.choice(_TRADE_NOTIONALS) * self._rng.randint(500, 1500)
        quantity = floor(notional / (1000 * price), self._product.base_increment)
        return max(quantity, ZERO + self._product.base_increment)
