"""What the venue counts of itself: requests, sockets, and what happened to its customers' orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import Counter, Gauge

from gpt_trader.exchange_sim.adapters.ws.hub import Hub
from gpt_trader.exchange_sim.domain.execution import Event, OrderChanged, Traded

REQUESTS = Counter("exchange_sim_requests", "REST requests by answer", ["method", "status"])
SOCKETS = Gauge("exchange_sim_sockets", "WebSocket connections that are open")
CHANGES = Counter("exchange_sim_order_changes", "steps in the life of customers' orders")
TRADES = Counter("exchange_sim_trades", "prints of the market")
FILLS = Counter("exchange_sim_fills", "executions of customers' orders")
MARKET_TIME = Gauge("exchange_sim_market_time_seconds", "market time, Unix seconds")


@dataclass(frozen=True, slots=True)
class Meter:
    """A feed that counts."""

    hub: Hub

    def on_events(self, events: Sequence[Event], now: datetime) -> None:
        """Count what just happened."""
        del now
        for event in events:
            if isinstance(event, OrderChanged):
                CHANGES.inc()
            elif isinstance(event, Traded):
                TRADES.inc()
                FILLS.inc(len(event.fills))

    def on_pulse(self, now: datetime) -> None:
        """Show what holds now."""
        SOCKETS.set(len(self.hub.connections))
        MARKET_TIME.set(now.timestamp())

    def restart(self) -> None:
        """Count on: a counter never goes back."""
