"""Coinbase's protocol on the wire, with real matching."""
