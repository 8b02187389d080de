"""Indicators in incremental form: each is a frozen value, and pushing a candle gives the next one."""

from gpt_trader.strategy.domain.indicators.extremes import Extremes
from gpt_trader.strategy.domain.indicators.momentum import Ema, Macd, Rsi, Wilder
from gpt_trader.strategy.domain.indicators.movement import Adx, Atr
from gpt_trader.strategy.domain.indicators.volume import Obv, Vwap
from gpt_trader.strategy.domain.indicators.window import Volatility, Window

__all__ = ["Adx", "Atr", "Ema", "Extremes", "Macd", "Obv", "Rsi", "Volatility", "Vwap", "Wilder", "Window"]
