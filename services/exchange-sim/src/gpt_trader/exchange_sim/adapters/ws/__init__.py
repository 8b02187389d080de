"""WebSocket side of the venue: market data and the user feed on one port."""
