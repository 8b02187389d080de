"""Ticks and candles to signals."""
