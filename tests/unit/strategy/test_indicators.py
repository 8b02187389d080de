"""Each incremental indicator equals its textbook form, recomputed from all values at once."""

import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, localcontext
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts.market import Candle, CandleOrigin
from gpt_trader.strategy.domain.indicators import Adx, Atr, Ema, Extremes, Macd, Obv, Rsi, Volatility, Vwap, Window
from gpt_trader.strategy.domain.indicators.movement import Bar

PRICES = st.decimals(min_value="0.00000001", max_value="999999", places=8, allow_nan=False)
PERIODS = st.integers(min_value=2, max_value=12)
SERIES = st.lists(PRICES, min_size=14, max_size=60)
TINY = Decimal("1E-18")


def total(values: Iterable[Decimal]) -> Decimal:
    return sum(values, Decimal(0))


def close_to(actual: Decimal, expected: Decimal) -> bool:
    return abs(actual - expected) <= TINY * max(Decimal(1), abs(expected))


def window_of(values: Sequence[Decimal], length: int) -> Window:
    window = Window(length=length)
    for value in values:
        window = window.push(value)
    return window


@st.composite
def bars(draw: st.DrawFn) -> list[Bar]:
    prices = draw(st.lists(st.tuples(PRICES, PRICES, PRICES), min_size=30, max_size=60))
    return [Bar(high=max(three), low=min(three), close=three[1]) for three in prices]


def wilder(values: Sequence[Decimal], period: int) -> Decimal:
    average = sum(values[:period], Decimal(0)) / period
    for value in values[period:]:
        average = (average * (period - 1) + value) / period
    return average


def ema(values: Sequence[Decimal], period: int) -> Decimal:
    """Weigh each value with the weight it still has at the end (closed form)."""
    alpha = Decimal(2) / (period + 1)
    later = values[period:]
    seed = statistics.mean(values[:period]) * (1 - alpha) ** len(later)
    return seed + sum((alpha * (1 - alpha) ** (len(later) - 1 - i) * v for i, v in enumerate(later)), Decimal(0))


@given(SERIES, PERIODS)
def test_rolling_statistics_equal_the_recomputed_ones(values: list[Decimal], length: int) -> None:
    window, last = window_of(values, length), values[-length:]

    assert window.total == total(last)
    assert window.mean == total(last) / length
    assert window.values == tuple(last)
    with localcontext(Context(prec=60)):
        mean = total(last) / length
        scatter = total((value - mean) ** 2 for value in last)
        weights = range(1, length + 1)
        weighted = total(w * v for w, v in zip(weights, last, strict=True)) / Decimal(sum(weights))
        z_score = (last[-1] - mean) / (scatter / length).sqrt() if scatter else Decimal(0)
        deviation, sample = (scatter / length).sqrt(), (scatter / (length - 1)).sqrt()
    assert close_to(window.weighted_mean, weighted)
    assert close_to(window.deviation, deviation)
    assert close_to(window.sample_deviation, sample)
    assert close_to(window.z_score, z_score)
    assert close_to(window.band(Decimal(-2)), mean - 2 * deviation)


@given(SERIES, PERIODS)
def test_a_window_keeps_no_residue_of_what_left_it(values: list[Decimal], length: int) -> None:
    assert window_of(values, length) == window_of(values[-length:], length)


@given(SERIES, PERIODS)
def test_slope_equals_least_squares_of_the_standard_library(values: list[Decimal], length: int) -> None:
    with localcontext(Context(prec=60)):
        places = [Decimal(place) for place in range(length)]
        middle, mean = total(places) / length, total(values[-length:]) / length
        rise = total((p - middle) * (v - mean) for p, v in zip(places, values[-length:], strict=True))
        expected = rise / total((p - middle) ** 2 for p in places)
        library = statistics.linear_regression(range(length), [float(value) for value in values[-length:]]).slope

    assert close_to(window_of(values, length).slope, expected)
    assert float(expected) == pytest.approx(library, rel=1e-6, abs=1e-6)


@given(SERIES, PERIODS)
def test_ema_equals_its_closed_form(values: list[Decimal], period: int) -> None:
    indicator = Ema(period=period)
    for value in values:
        indicator = indicator.push(value)

    assert indicator.value is not None
    assert close_to(indicator.value, ema(values, period))


@given(SERIES, PERIODS)
def test_rsi_equals_wilders_formula(values: list[Decimal], period: int) -> None:
    indicator = Rsi.of(period)
    for value in values:
        indicator = indicator.push(value)

    changes = [after - before for before, after in pairwise(values)]
    gain = wilder([max(change, Decimal(0)) for change in changes], period)
    loss = wilder([max(-change, Decimal(0)) for change in changes], period)
    expected = Decimal(50) if gain == loss == 0 else Decimal(100) if loss == 0 else 100 - 100 / (1 + gain / loss)
    assert indicator.value is not None
    assert close_to(indicator.value, expected)


@given(SERIES, st.integers(2, 4), st.integers(5, 8), st.integers(2, 4))
def test_macd_equals_the_difference_of_recomputed_averages(
    values: list[Decimal], fast: int, slow: int, signal: int
) -> None:
    indicator = Macd.of(fast, slow, signal)
    for value in values:
        indicator = indicator.push(value)

    lines = [ema(values[:end], fast) - ema(values[:end], slow) for end in range(slow, len(values) + 1)]
    assert indicator.line is not None
    assert close_to(indicator.line, lines[-1])
    assert indicator.histogram is not None
    assert abs(indicator.histogram - (lines[-1] - ema(lines, signal))) <= Decimal("1E-15")


@given(bars(), PERIODS)
def test_atr_and_adx_equal_wilders_formulas(series: list[Bar], period: int) -> None:
    atr, adx = Atr.of(period), Adx.of(period)
    for bar in series:
        atr, adx = atr.push(bar), adx.push(bar)

    ranges, ups, downs = [], [], []
    for before, bar in pairwise(series):
        ranges.append(max(bar.high - bar.low, abs(bar.high - before.close), abs(bar.low - before.close)))
        up, down = bar.high - before.high, before.low - bar.low
        ups.append(up if up > down and up > 0 else Decimal(0))
        downs.append(down if down > up and down > 0 else Decimal(0))
    assert atr.value is not None
    assert close_to(atr.value, wilder(ranges, period))
    strengths = []
    for end in range(period, len(ranges) + 1):
        width = wilder(ranges[:end], period) or Decimal(1)
        plus, minus = 100 * wilder(ups[:end], period) / width, 100 * wilder(downs[:end], period) / width
        strengths.append(100 * abs(plus - minus) / (plus + minus) if plus + minus else Decimal(0))
    assert adx.value is not None
    assert close_to(adx.value, wilder(strengths, period))


@given(bars(), PERIODS)
def test_rolling_extremes_equal_the_recomputed_ones(series: list[Bar], length: int) -> None:
    indicator = Extremes(length=length)
    for seen, bar in enumerate(series, start=1):
        indicator = indicator.push(bar.high, bar.low)
        last = series[max(0, seen - length) : seen]

        assert indicator.highest == (max(one.high for one in last) if seen >= length else None)
        assert indicator.lowest == (min(one.low for one in last) if seen >= length else None)


@given(SERIES, PERIODS)
def test_realised_volatility_equals_the_library_deviation_of_log_returns(values: list[Decimal], length: int) -> None:
    indicator = Volatility(returns=Window(length=length))
    for value in values:
        indicator = indicator.push(value)

    returns = [(after / before).ln() for before, after in pairwise(values)][-length:]
    assert indicator.value is not None
    assert abs(indicator.value - statistics.stdev(returns)) < Decimal("1E-10")


def a_candle(hour: int, price: str, volume: str) -> Candle:
    start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hour)
    at = Decimal(price)
    return Candle(
        product="BTC-USD", interval="1h", start=start, open=at, high=at, low=at, close=at,
        volume=Decimal(volume), origin=CandleOrigin.STREAM, published_at=start,
    )  # fmt: skip


def test_vwap_weighs_by_volume_and_starts_afresh_each_utc_day() -> None:
    today = Vwap().push(a_candle(1, "100", "1")).push(a_candle(2, "200", "3"))

    assert today.value == 175
    assert today.push(a_candle(25, "50", "2")).value == 50
    assert Vwap().value is None


def test_obv_adds_volume_of_rises_and_takes_volume_of_falls() -> None:
    obv = Obv()
    for hour, (price, volume) in enumerate([("10", "5"), ("11", "7"), ("10.5", "2"), ("10.5", "9")]):
        obv = obv.push(a_candle(hour, price, volume))

    assert obv.value == 5


def test_rsi_agrees_with_a_published_example() -> None:
    first = ["44.34", "44.09", "44.15", "43.61", "44.33", "44.83", "45.10", "45.42"]
    closes = [*first, "45.84", "46.08", "45.89", "46.03", "45.61", "46.28", "46.28"]
    rsi = Rsi.of(14)
    for close in closes:
        rsi = rsi.push(Decimal(close))

    assert rsi.value is not None
    assert rsi.value.quantize(Decimal("0.01")) == Decimal("70.46")
