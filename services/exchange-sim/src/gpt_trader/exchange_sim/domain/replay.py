"""A recorded market: every bar becomes prints along open, low and high, close, inside recorded quotes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from gpt_trader.exchange_sim.domain.candles import Candle
from gpt_trader.exchange_sim.domain.markets import MarketStep, Touch
from gpt_trader.exchange_sim.domain.orders import ZERO, Side

_DEFAULT_SPREAD = Decimal("0.0002")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteSide:
    """One side of a quote bar."""

    open: Decimal
    close: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteBar:
    """Best bid and ask over a bar; a side may have been missing."""

    start: int
    bid: QuoteSide | None
    ask: QuoteSide | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Bars of one product; `length` is a bar's seconds."""

    product_id: str
    length: int
    trades: dict[int, Candle]
    quotes: dict[int, QuoteBar]

    @property
    def starts(self) -> list[int]:
        """Every second at which some bar begins."""
        return sorted(self.trades.keys() | self.quotes.keys())

    def first_price(self) -> Decimal:
        """Where the recording opens."""
        first = self.starts[0]
        if first in self.trades:
            return self.trades[first].open
        quote = self.quotes[first]
        side = quote.bid or quote.ask
        return Decimal(1) if side is None else side.open


class ReplayMarket:
    """Plays the bars that begin at or after `begin`; `shift` moves recorded time to market time."""

    def __init__(self, recording: Recording, begin: int, shift: timedelta, prints_per_bar: int) -> None:
        self._recording = recording
        self._shift = shift
        self._segment = max(1, (prints_per_bar - 1) // 3)
        self._steps = self._play([start for start in recording.starts if start >= begin])
        self._following = next(self._steps, None)

    def next_at(self) -> datetime | None:
        """Say when the next step is due; None when the recording is over."""
        return None if self._following is None else self._following.at

    def step(self) -> MarketStep:
        """Return the step that is due."""
        current = self._following
        if current is None:
            raise ValueError("the recording is over")
        self._following = next(self._steps, None)
        return current

    def _play(self, starts: list[int]) -> Iterator[MarketStep]:
        for start in starts:
            bar, quote = self._recording.trades.get(start), self._recording.quotes.get(start)
            if bar is not None:
                yield from self._trade_steps(bar, quote)
            elif quote is not None:
                yield self._quote_step(quote)

    def _trade_steps(self, bar: Candle, quote: QuoteBar | None) -> Iterator[MarketStep]:
        path = _path(bar, self._segment)
        previous = path[0] if bar.close >= bar.open else path[0] + 1
        bid, ask = _touches(quote)
        for index, price in enumerate(path):
            share = Decimal(index) / len(path)
            yield MarketStep(
                at=self._at(bar.start, index, len(path)),
                price=price,
                taker=Side.BUY if price >= previous else Side.SELL,
                quantity=bar.volume / len(path),
                spread=_spread(quote, share, price),
                bid=bid,
                ask=ask,
            )
            previous = price

    def _quote_step(self, quote: QuoteBar) -> MarketStep:
        bid, ask = _touches(quote)
        side = quote.bid or quote.ask
        price = Decimal(1) if side is None else side.close
        return MarketStep(
            at=self._at(quote.start, 0, 1),
            price=price,
            taker=Side.SELL if quote.bid is not None else Side.BUY,
            quantity=ZERO,
            spread=_spread(quote, Decimal(1), price),
            bid=bid,
            ask=ask,
        )

    def _at(self, start: int, index: int, count: int) -> datetime:
        inside = timedelta(microseconds=self._recording.length * 1000000 * index // count)
        return datetime.fromtimestamp(start, UTC) + inside + self._shift


def _path(bar: Candle, segment: int) -> list[Decimal]:
    low_first = bar.close >= bar.open
    corners = (bar.open, bar.low, bar.high, bar.close) if low_first else (bar.open, bar.high, bar.low, bar.close)
    path = [corners[0]]
    for here, there in pairwise(corners):
        path += [here + (there - here) * piece / segment for piece in range(1, segment + 1)]
    return path


def _touches(quote: QuoteBar | None) -> tuple[Touch | None, Touch | None]:
    if quote is None:
        return Touch(), Touch()
    return (
        None if quote.bid is None else Touch(quantity=quote.bid.quantity),
        None if quote.ask is None else Touch(quantity=quote.ask.quantity),
    )


def _spread(quote: QuoteBar | None, share: Decimal, price: Decimal) -> Decimal:
    if quote is None or quote.bid is None or quote.ask is None:
        return price * _DEFAULT_SPREAD
    at_open, at_close = quote.ask.open - quote.bid.open, quote.ask.close - quote.bid.close
    return max(at_open + (at_close - at_open) * share, ZERO)
