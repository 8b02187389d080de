"""Mean reversion: buy a close far below its mean while RSI is low, leave when it is back."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from gpt_trader.contracts.market import Candle
from gpt_trader.strategy.domain.indicators import Adx, Atr, Rsi, Volatility, Vwap, Window
from gpt_trader.strategy.domain.indicators.movement import Bar
from gpt_trader.strategy.domain.parameters import StrategyParameters
from gpt_trader.strategy.domain.strategy import Choice, Decision, Strategy, View, brackets, clamped, tidy

Period = Annotated[int, Field(ge=2, le=200)]
Relative = Annotated[Decimal, Field(ge=0, le=100)]
_HALF = Decimal("0.5")
_QUARTER = Decimal("0.25")


class ReversionParameters(StrategyParameters):
    """Periods are in candles."""

    window: Period = 20
    entry_z: Annotated[Decimal, Field(ge=Decimal("0.5"), le=6)] = Decimal("1.8")
    """Deviations below the mean (the lower Bollinger band) at which to buy."""
    exit_z: Annotated[Decimal, Field(ge=-1, le=4)] = Decimal("0.3")
    """Deviations from the mean at which the reversion is done."""
    rsi_period: Period = 14
    rsi_entry: Relative = Decimal(38)
    rsi_exit: Relative = Decimal(65)
    atr_period: Period = 14
    adx_period: Period = 14
    adx_max: Relative = Decimal(45)
    """Stronger trends are not bought against."""
    volatility_max: Annotated[Decimal, Field(gt=0, le=1)] = Decimal("0.02")
    """Realised volatility per candle above which nothing is bought."""

    @model_validator(mode="after")
    def entry_is_below_exit(self) -> Self:
        """Refuse levels that would sell what was just bought."""
        if self.rsi_entry >= self.rsi_exit:
            raise ValueError(f"rsi_entry={self.rsi_entry} must be below rsi_exit={self.rsi_exit}")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversionIndicators:
    """What distance, exhaustion and the strength of the move are read from."""

    closes: Window
    rsi: Rsi
    atr: Atr
    adx: Adx
    volatility: Volatility
    vwap: Vwap


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """The indicators of a warm strategy as plain numbers."""

    z_score: Decimal
    rsi: Decimal
    atr: Decimal
    adx: Decimal
    volatility: Decimal


def begin(parameters: ReversionParameters) -> ReversionIndicators:
    """Return the indicators before the first candle."""
    return ReversionIndicators(
        closes=Window(length=parameters.window),
        rsi=Rsi.of(parameters.rsi_period),
        atr=Atr.of(parameters.atr_period),
        adx=Adx.of(parameters.adx_period),
        volatility=Volatility(returns=Window(length=parameters.window)),
        vwap=Vwap(),
    )


def observe(indicators: ReversionIndicators, candle: Candle) -> ReversionIndicators:
    """Take in one closed candle."""
    bar = Bar(candle.high, candle.low, candle.close)
    return ReversionIndicators(
        closes=indicators.closes.push(candle.close),
        rsi=indicators.rsi.push(candle.close),
        atr=indicators.atr.push(bar),
        adx=indicators.adx.push(bar),
        volatility=indicators.volatility.push(candle.close),
        vwap=indicators.vwap.push(candle),
    )


def decide(view: View[ReversionIndicators], parameters: ReversionParameters, now: datetime) -> Decision:  # noqa: ARG001 - every strategy is asked with the time
    """Enter far below the mean in a calm market; exit once back at it."""
    reading = _read(view.indicators)
    if reading is None:
        return Decision(choice=Choice.WAIT, reason="indicators are not warm")
    closes = view.indicators.closes
    evidence = tidy(
        z_score=reading.z_score,
        rsi=reading.rsi,
        atr=reading.atr,
        adx=reading.adx,
        volatility=reading.volatility,
        band_low=closes.band(-parameters.entry_z),
        mean=closes.mean,
        vwap=view.indicators.vwap.value or view.candle.close,
    )
    if reading.z_score >= parameters.exit_z or reading.rsi >= parameters.rsi_exit:
        return Decision(
            choice=Choice.EXIT, reason="price is back at its mean", confidence=Decimal(1), evidence=evidence
        )
    objection = _objection(reading, parameters)
    if objection is not None:
        return Decision(choice=Choice.WAIT, reason=objection, evidence=evidence)
    stop, target = brackets(view.candle.close, reading.atr, parameters)
    return Decision(
        choice=Choice.ENTER,
        reason="price is below its lower band and oversold",
        confidence=_confidence(reading, parameters),
        stop_price=stop,
        target_price=target,
        evidence=evidence,
    )


def _read(indicators: ReversionIndicators) -> _Reading | None:
    rsi, atr, adx = indicators.rsi.value, indicators.atr.value, indicators.adx.value
    volatility = indicators.volatility.value
    if rsi is None or atr is None or adx is None or volatility is None:
        return None
    return _Reading(z_score=indicators.closes.z_score, rsi=rsi, atr=atr, adx=adx, volatility=volatility)


def _objection(reading: _Reading, parameters: ReversionParameters) -> str | None:
    if not reading.atr:
        return "the market does not move: ATR is 0"
    if reading.z_score > -parameters.entry_z:
        return f"z-score {reading.z_score:.2f} is above {-parameters.entry_z}"
    if reading.rsi > parameters.rsi_entry:
        return f"RSI {reading.rsi:.1f} is above {parameters.rsi_entry}"
    if reading.adx > parameters.adx_max:
        return f"ADX {reading.adx:.1f} is above {parameters.adx_max}: not buying against a trend"
    if reading.volatility > parameters.volatility_max:
        return f"realised volatility {reading.volatility:.4f} is above {parameters.volatility_max}"
    return None


def _confidence(reading: _Reading, parameters: ReversionParameters) -> Decimal:
    """Half for the distance itself, the rest for how far beyond both entry levels it went."""
    stretch = min(-reading.z_score / parameters.entry_z - 1, Decimal(1))
    oversold = (parameters.rsi_entry - reading.rsi) / parameters.rsi_entry if parameters.rsi_entry else Decimal(0)
    return clamped(_HALF + _QUARTER * stretch + _QUARTER * oversold)


def is_warm(indicators: ReversionIndicators) -> bool:
    """Whether each indicator has a value."""
    return _read(indicators) is not None


REVERSION = Strategy(
    name="mean-reversion",
    parameters=ReversionParameters,
    begin=begin,
    observe=observe,
    is_warm=is_warm,
    decide=decide,
)
