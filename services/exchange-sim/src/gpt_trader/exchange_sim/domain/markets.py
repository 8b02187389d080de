"""What moves a market from outside: a stream of prints and the liquidity around them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Protocol
from zlib import crc32

from gpt_trader.exchange_sim.domain.matching import floor
from gpt_trader.exchange_sim.domain.orders import Side
from gpt_trader.exchange_sim.domain.products import Product

LEVELS = 30
LEVEL_NOTIONAL = 20000
PINNED_LEVELS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """One side of the recorded or modelled quote; no size means ordinary synthetic depth."""

    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketStep:
    """One market event: a print of `taker`'s side at `price`, with `spread` behind it.

    A zero quantity only moves the quotes. A missing touch empties that side of the book. Quotes that are given are
    taken as they are, in place of any made around the price.
    """

    at: datetime
    price: Decimal
    taker: Side
    quantity: Decimal
    spread: Decimal
    bid: Touch | None = Touch()
    ask: Touch | None = Touch()
    quotes: "Quotes | None" = None


class MarketStream(Protocol):
    """A deterministic sequence of steps."""

    def next_at(self) -> datetime | None:
        """When the next step is due; None when the stream has ended."""
        ...

    def step(self) -> MarketStep:
        """Produce the step that is due."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A market held still: its mid, its spread in bps, and the notional of each side within 100 bps of the touch.

    Ten equal levels, 10 bps apart, so that what lies within any distance is known beforehand.
    """

    mid: Decimal
    spread_bps: Decimal
    depth: Decimal


@dataclass(slots=True, kw_only=True)
class Conditions:
    """What tests force upon a market."""

    pin: Pin | None = None
    price_factor: Decimal = Decimal(1)
    spread_multiplier: Decimal = Decimal(1)
    depth_multiplier: Decimal = Decimal(1)
    is_frozen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotes:
    """Synthetic liquidity wanted on both sides, and the touch prices."""

    bid: Decimal
    ask: Decimal
    bids: dict[Decimal, Decimal]
    asks: dict[Decimal, Decimal]


def to_tick(price: Decimal, product: Product) -> Decimal:
    """Nearest valid price, at least one increment."""
    return max((price / product.price_increment).to_integral_value() * product.price_increment, product.price_increment)


def quotes_of(step: MarketStep, product: Product, conditions: Conditions) -> Quotes:
    """Place synthetic levels so that the print's price is the touch its taker hits."""
    if conditions.pin is not None:
        return _pinned(conditions.pin, product)
    if step.quotes is not None:
        return step.quotes
    tick = product.price_increment
    price = to_tick(step.price * conditions.price_factor, product)
    spread = max(to_tick(step.spread * conditions.price_factor * conditions.spread_multiplier, product), tick)
    if step.taker is Side.BUY:
        bid, ask = max(price - spread, tick), max(price, tick * 2)
    else:
        bid, ask = price, price + spread
    return Quotes(
        bid=bid,
        ask=ask,
        bids={} if step.bid is None else _levels(Side.BUY, bid, step.bid, product, conditions),
        asks={} if step.ask is None else _levels(Side.SELL, ask, step.ask, product, conditions),
    )


def printed(step: MarketStep, quotes: Quotes, conditions: Conditions) -> Decimal:
    """Return the quantity of a step's print; one in a pinned market never takes its touch away."""
    if conditions.pin is None:
        return step.quantity
    touch = quotes.asks[quotes.ask] if step.taker is Side.BUY else quotes.bids[quotes.bid]
    return min(step.quantity, touch / 2)


def _pinned(pin: Pin, product: Product) -> Quotes:
    spread = to_tick(pin.mid * pin.spread_bps / 10000, product)
    notional = pin.depth / PINNED_LEVELS / product.multiplier
    bid = to_tick(pin.mid - spread / 2, product)
    ask = bid + spread
    return Quotes(
        bid=bid,
        ask=ask,
        bids=_ladder(bid, -1, notional, product),
        asks=_ladder(ask, 1, notional, product),
    )


def _ladder(touch: Decimal, sign: int, notional: Decimal, product: Product) -> dict[Decimal, Decimal]:
    prices = (to_tick(touch * (1000 + sign * level) / 1000, product) for level in range(PINNED_LEVELS))
    increment = product.base_increment
    return {price: max(floor(notional / price, increment), increment) for price in prices}


def _levels(
    side: Side, best: Decimal, touch: Touch, product: Product, conditions: Conditions
) -> dict[Decimal, Decimal]:
    grid = _grid(best, product)
    sign = -1 if side is Side.BUY else 1
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    index = int((best / grid).to_integral_value(rounding))
    notional = LEVEL_NOTIONAL * conditions.depth_multiplier / product.multiplier
    levels = {best: _resting(index * sign, best, notional, product.base_increment)}
    levels.update(_behind(sign, index, grid, notional, product.base_increment))
    if touch.quantity is not None:
        quantity = floor(touch.quantity * conditions.depth_multiplier, product.base_increment)
        levels[best] = max(quantity, product.base_increment)
    return levels


@lru_cache(maxsize=4096)
def _behind(
    sign: int, index: int, grid: Decimal, notional: Decimal, increment: Decimal
) -> tuple[tuple[Decimal, Decimal], ...]:
    """Return the levels behind the touch; remembered, for prices come back to the same few grid lines."""
    keys = (index + sign * offset for offset in range(1, LEVELS))
    return tuple((grid * key, _resting(key * sign, grid * key, notional, increment)) for key in keys if grid * key > 0)


def _resting(mark: int, price: Decimal, notional: Decimal, increment: Decimal) -> Decimal:
    """Return the quantity that rests at a price, the same at each visit."""
    share = 500 + crc32(b"%d" % mark) % 1000
    return max(floor(notional * share / (1000 * price), increment), increment)


def _grid(price: Decimal, product: Product) -> Decimal:
    basis_point = price / 10000
    magnitude = Decimal(1).scaleb(basis_point.adjusted())
    return max(floor(floor(basis_point, magnitude), product.price_increment), product.price_increment)
