"""Venue feed to clean ticks, candles, books and feed status."""
