"""Trend following: buy a fresh cross of two EMAs while slope and ADX confirm it, leave on the cross back."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from gpt_trader.contracts.market import Candle
from gpt_trader.strategy.domain.indicators import Adx, Atr, Ema, Extremes, Macd, Obv, Window
from gpt_trader.strategy.domain.indicators.movement import Bar
from gpt_trader.strategy.domain.parameters import StrategyParameters
from gpt_trader.strategy.domain.strategy import Choice, Decision, Strategy, View, brackets, clamped, tidy

Period = Annotated[int, Field(ge=2, le=200)]
_HALF = Decimal("0.5")
_SHARE = Decimal("0.15")
_CONFIRMED = Decimal("0.1")


class TrendParameters(StrategyParameters):
    """Periods are in candles."""

    fast: Period = 8
    slow: Period = 21
    adx_period: Period = 14
    adx_min: Annotated[Decimal, Field(ge=0, le=80)] = Decimal(15)
    atr_period: Period = 14
    slope_period: Period = 8
    slope_min: Annotated[Decimal, Field(ge=-5, le=5)] = Decimal("0.02")
    """Least slope of the closes, in average true ranges per candle."""
    fresh: Annotated[int, Field(ge=1, le=50)] = 4
    """Candles after the cross in which an entry is still allowed."""

    @model_validator(mode="after")
    def fast_is_below_slow(self) -> Self:
        """Refuse averages in the order that would trade against the trend."""
        if self.fast >= self.slow:
            raise ValueError(f"fast={self.fast} must be below slow={self.slow}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendIndicators:
    """`age` counts candles since the averages last crossed, negative while the fast one is below."""

    macd: Macd
    adx: Adx
    atr: Atr
    closes: Window
    range: Extremes
    obv: Obv
    age: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """The indicators of a warm strategy as plain numbers."""

    line: Decimal
    histogram: Decimal
    adx: Decimal
    atr: Decimal
    slope: Decimal
    age: int


def begin(parameters: TrendParameters) -> TrendIndicators:
    """Return the indicators before the first candle; the MACD's two averages are the ones that cross."""
    return TrendIndicators(
        macd=Macd(
            fast=Ema(period=parameters.fast), slow=Ema(period=parameters.slow), signal=Ema(period=parameters.fast)
        ),
        adx=Adx.of(parameters.adx_period),
        atr=Atr.of(parameters.atr_period),
        closes=Window(length=parameters.slope_period),
        range=Extremes(length=parameters.slow),
        obv=Obv(),
    )


def observe(indicators: TrendIndicators, candle: Candle) -> TrendIndicators:
    """Take in one closed candle."""
    bar = Bar(candle.high, candle.low, candle.close)
    macd = indicators.macd.push(candle.close)
    return TrendIndicators(
        macd=macd,
        adx=indicators.adx.push(bar),
        atr=indicators.atr.push(bar),
        closes=indicators.closes.push(candle.close),
        range=indicators.range.push(candle.high, candle.low),
        obv=indicators.obv.push(candle),
        age=_age(indicators.age, macd.line),
    )


def decide(view: View[TrendIndicators], parameters: TrendParameters, now: datetime) -> Decision:  # noqa: ARG001 - every strategy is asked with the time
    """Enter on a fresh, confirmed cross up; exit on a cross down."""
    reading = _read(view.indicators)
    if reading is None:
        return Decision(choice=Choice.WAIT, reason="indicators are not warm")
    evidence = tidy(
        ema_distance=reading.line,
        macd_histogram=reading.histogram,
        adx=reading.adx,
        atr=reading.atr,
        slope=reading.slope,
        cross_age=Decimal(reading.age),
        obv=view.indicators.obv.value,
    )
    if reading.age < 0:
        return Decision(
            choice=Choice.EXIT, reason="fast EMA is below slow EMA", confidence=Decimal(1), evidence=evidence
        )
    objection = _objection(reading, parameters)
    if objection is not None:
        return Decision(choice=Choice.WAIT, reason=objection, evidence=evidence)
    stop, target = brackets(view.candle.close, reading.atr, parameters)
    return Decision(
        choice=Choice.ENTER,
        reason="fast EMA crossed above slow EMA, slope and ADX confirm",
        confidence=_confidence(reading, view),
        stop_price=stop,
        target_price=target,
        evidence=evidence,
    )


def _age(age: int, line: Decimal | None) -> int:
    if line is None:
        return 0
    if line > 0:
        return age + 1 if age > 0 else 1
    return age - 1 if age < 0 else -1


def _read(indicators: TrendIndicators) -> _Reading | None:
    line, histogram = indicators.macd.line, indicators.macd.histogram
    adx, atr = indicators.adx.value, indicators.atr.value
    if line is None or histogram is None or adx is None or atr is None or not indicators.closes.is_full:
        return None
    slope = indicators.closes.slope / atr if atr else Decimal(0)
    return _Reading(line=line, histogram=histogram, adx=adx, atr=atr, slope=slope, age=indicators.age)


def _objection(reading: _Reading, parameters: TrendParameters) -> str | None:
    if not reading.atr:
        return "the market does not move: ATR is 0"
    if reading.age > parameters.fresh:
        return f"cross up is {reading.age} candles old, at most {parameters.fresh} are fresh"
    if reading.adx < parameters.adx_min:
        return f"ADX {reading.adx:.1f} is below {parameters.adx_min}"
    if reading.slope < parameters.slope_min:
        return f"slope {reading.slope:.3f} ATR per candle is below {parameters.slope_min}"
    return None


def _confidence(reading: _Reading, view: View[TrendIndicators]) -> Decimal:
    """Half for the cross itself, the rest for strength, slope, momentum and a breakout."""
    highest = view.indicators.range.highest
    is_breakout = highest is not None and view.candle.high >= highest
    return clamped(
        _HALF
        + _SHARE * min(reading.adx / 50, Decimal(1))
        + _SHARE * min(reading.slope, Decimal(1))
        + (_CONFIRMED if reading.histogram > 0 else 0)
        + (_CONFIRMED if is_breakout else 0)
    )


def is_warm(indicators: TrendIndicators) -> bool:
    """Whether each indicator has a value."""
    return _read(indicators) is not None


TREND = Strategy(name="trend", parameters=TrendParameters, begin=begin, observe=observe, is_warm=is_warm, decide=decide)
