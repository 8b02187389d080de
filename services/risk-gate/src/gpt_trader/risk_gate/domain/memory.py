"""What the gate remembers of each market, bounded, and what it can say of it at a moment of trading time.

What has become old is forgotten: a figure whose data stopped coming turns unknown by itself. Of several candle
intervals the longest up to an hour that can answer is asked.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.decisions import MarketStatistics, Regime
from gpt_trader.contracts.market import BookSummary, Candle, Tick, interval_length
from gpt_trader.risk_gate.domain.policy.statistics import StatisticsRules
from gpt_trader.risk_gate.domain.samples import BookWindow, TickWindow
from gpt_trader.risk_gate.domain.series import Series, correlation

_LONGEST = timedelta(hours=1)
_FIVE_MINUTES = timedelta(minutes=5)
_CURRENT = 3
"""How many intervals ago the last candle may be for a regime to hold."""
_MOST_PAIRS = 4096


@dataclass(frozen=True, slots=True)
class Outlook:
    """What candles say of one product; changes only with a candle or when the next interval is over."""

    volatility: Decimal | None = None
    median: Decimal | None = None
    samples: int = 0
    regime: Regime = Regime.UNKNOWN


@dataclass(slots=True)
class ProductMemory:
    """One product; `series` is keyed by interval length, longest first. `candles` counts those taken in."""

    ticks: TickWindow = field(default_factory=TickWindow)
    books: BookWindow = field(default_factory=BookWindow)
    series: dict[timedelta, Series] = field(default_factory=dict)
    candles: int = 0

    def on_candle(self, candle: Candle, rules: StatisticsRules) -> None:
        """Take in a closed candle of an hour or less; one from the future would hide all that are true."""
        length = interval_length(candle.interval)
        if length > _LONGEST or candle.start > candle.published_at:
            return
        if length not in self.series:
            self.series[length] = Series(length)
            self.series = dict(sorted(self.series.items(), reverse=True))
        self.series[length].on_candle(candle, rules.regime)
        self.candles += 1

    def volume(self, now: datetime) -> Decimal | None:
        """Notional of the last five minutes, from the shortest candles that can say."""
        for series in reversed(self.series.values()):
            found = series.volume(_FIVE_MINUTES, now)
            if found is not None:
                return found
        return None

    def outlook(self, rules: StatisticsRules, now: datetime) -> Outlook:
        """Ask the longest candles of which there are enough."""
        for series in self.series.values():
            volatility = series.volatility(rules.volatility_returns, rules.min_returns, now)
            if volatility is not None and series.is_current(now, _CURRENT):
                return Outlook(volatility, *series.past_volatility(now), series.regime)
        return Outlook()


Turn = tuple[int, ...]
"""How many intervals of each length are over: with the same candles and turn every answer is the same."""
_NEVER_SEEN = MarketStatistics(
    volatility=None,
    volatility_median=None,
    volatility_samples=0,
    move_5m=None,
    mid_median_60s=None,
    volume_5m_notional=None,
    spread_median_bps=None,
    depth_median_notional=None,
    correlations={},
    regime=Regime.UNKNOWN,
)
_ENDLESS = Decimal("1E+18")
"""A figure above it says no more than this: a market of nonsense must not end the process that guards against it."""


@dataclass(slots=True)
class MarketMemory:
    """Every product's past. `on_` takes a message in, in any order; the rest answers for a moment.

    Depth is measured within `within_bps` of the mid. `lengths` are the candles' intervals, in seconds.
    """

    rules: StatisticsRules
    within_bps: int
    products: dict[str, ProductMemory] = field(default_factory=dict)
    candles: int = 0
    lengths: set[int] = field(default_factory=set)
    _said: dict[str, tuple[tuple[int, int, int, int, frozenset[str]], MarketStatistics]] = field(default_factory=dict)
    _outlooks: dict[str, tuple[tuple[int, Turn], Outlook]] = field(default_factory=dict)
    _rows: dict[str, tuple[tuple[int, Turn, frozenset[str]], Mapping[str, Decimal]]] = field(default_factory=dict)
    _pairs: dict[tuple[str, str], tuple[tuple[int, int, Turn], Decimal | None]] = field(default_factory=dict)

    def on_tick(self, tick: Tick) -> None:
        """Take in a tick."""
        self._of(tick.product).ticks.on_tick(tick)

    def on_book(self, book: BookSummary) -> None:
        """Take in a book."""
        self._of(book.product).books.on_book(book)

    def on_candle(self, candle: Candle) -> None:
        """Take in a closed candle."""
        self.candles += 1
        self.lengths.add(int(interval_length(candle.interval).total_seconds()))
        self._of(candle.product).on_candle(candle, self.rules)

    def statistics(self, product: str, others: Collection[str], now: datetime) -> MarketStatistics:
        """Say what is known of a product, and how it moves with others; what is unknown is None, or missing there.

        All figures are those of a whole second, so that what was said is said again until the second or they change.
        """
        known, together = self.products.get(product), frozenset(others)
        if known is None:
            return _NEVER_SEEN  # and nothing is kept of it: anybody may ask for any product
        stamp = (int(now.timestamp()), known.ticks.taken, known.books.taken, self.candles, together)
        kept = self._said.get(product)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        found = self._statistics(product, known, together, now)
        self._said[product] = (stamp, found)
        return found

    def _statistics(
        self, product: str, known: ProductMemory, others: frozenset[str], now: datetime
    ) -> MarketStatistics:
        outlook = self._outlook(product, known, now)
        usual = known.books.usual(self.within_bps, now)
        return MarketStatistics(
            volatility=outlook.volatility,
            volatility_median=outlook.median,
            volatility_samples=outlook.samples,
            move_5m=_short(known.ticks.move(now)),
            mid_median_60s=known.ticks.median_of_minute(now),
            volume_5m_notional=_short(known.volume(now)),
            spread_median_bps=_short(usual.spread_bps),
            depth_median_notional=_short(usual.depth),
            correlations=self.correlations(product, others, now),
            regime=outlook.regime,
        )

    def correlations(self, product: str, others: Collection[str], now: datetime) -> Mapping[str, Decimal]:
        """Return the known coefficients of a product with others."""
        together, turn = frozenset(others), self._turn(now)
        stamp = (self.candles, turn, together)
        kept = self._rows.get(product)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        pairs = ((other, self._pair(product, other, turn, now)) for other in sorted(together) if other != product)
        found = {other: coefficient for other, coefficient in pairs if coefficient is not None}
        self._rows[product] = (stamp, found)
        return found

    def _turn(self, now: datetime) -> Turn:
        seconds = int(now.timestamp())
        return tuple([seconds // length for length in self.lengths])

    def _of(self, product: str) -> ProductMemory:
        known = self.products.get(product)
        if known is None:
            known = self.products[product] = ProductMemory()
        return known

    def _outlook(self, product: str, known: ProductMemory, now: datetime) -> Outlook:
        stamp = (known.candles, self._turn(now))
        kept = self._outlooks.get(product)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        found = known.outlook(self.rules, now)
        self._outlooks[product] = (stamp, found)
        return found

    def _pair(self, product: str, other: str, turn: Turn, now: datetime) -> Decimal | None:
        first, second = (product, other) if product < other else (other, product)
        one, two = self._of(first), self._of(second)
        stamp = (one.candles, two.candles, turn)
        kept = self._pairs.get((first, second))
        if kept is not None and kept[0] == stamp:
            return kept[1]
        found = _correlation(one, two, self.rules, now)
        if len(self._pairs) >= _MOST_PAIRS:
            self._pairs.clear()
        self._pairs[first, second] = (stamp, found)
        return found


def _correlation(one: ProductMemory, two: ProductMemory, rules: StatisticsRules, now: datetime) -> Decimal | None:
    for length, series in one.series.items():
        if length in two.series:
            count = rules.correlation_returns
            found = correlation(series.recent(count, now), two.series[length].recent(count, now), rules.min_returns)
            if found is not None:
                return found
    return None


def _short(figure: Decimal | None) -> Decimal | None:
    """Round what a division made, so that its record stays readable and can be written whatever it was made of."""
    return None if figure is None else min(figure, _ENDLESS).quantize(Decimal("1E-8"))
