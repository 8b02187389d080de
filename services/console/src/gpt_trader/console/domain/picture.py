"""The operator's picture of a running system: a fold over everything the bus tells."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from gpt_trader.contracts.account import AccountSnapshot, TradingState
from gpt_trader.contracts.decisions import Decision, Verdict
from gpt_trader.contracts.market import Tick
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.contracts.signals import NoTrade, Signal
from gpt_trader.contracts.telemetry import Heartbeat

KEPT = 50
"""How many of the latest signals, decisions, orders and fills stay in view."""

News = Tick | Signal | NoTrade | Decision | OrderEvent | Fill | AccountSnapshot | TradingState | Heartbeat


@dataclass(slots=True)
class Picture:
    """Latest values and counts; `tally` has what a run's summary reports."""

    ticks: dict[str, Tick] = field(default_factory=dict)
    signals: deque[Signal] = field(default_factory=lambda: deque(maxlen=KEPT))
    no_trades: dict[tuple[str, str], NoTrade] = field(default_factory=dict)
    decisions: deque[Decision] = field(default_factory=lambda: deque(maxlen=KEPT))
    orders: dict[str, OrderEvent] = field(default_factory=dict)
    fills: deque[Fill] = field(default_factory=lambda: deque(maxlen=KEPT))
    heartbeats: dict[str, tuple[Heartbeat, datetime]] = field(default_factory=dict)
    account: AccountSnapshot | None = None
    trading: TradingState | None = None
    tally: Counter[str] = field(default_factory=Counter)

    def see(self, news: News, seen_at: datetime) -> None:
        """Take one message into the picture."""
        match news:
            case Tick():
                self.ticks[news.product] = news
                self.tally["ticks"] += 1
            case AccountSnapshot():
                self.account = news
            case TradingState():
                self.trading = news
            case Heartbeat():
                self.heartbeats[news.service] = (news, seen_at)
            case NoTrade():
                self.no_trades[news.strategy, news.product] = news
            case Signal() | Decision() | OrderEvent() | Fill():
                self._see_activity(news)

    def _see_activity(self, news: Signal | Decision | OrderEvent | Fill) -> None:
        match news:
            case Signal():
                self.signals.append(news)
                self.tally["signals"] += 1
            case Decision():
                self.decisions.append(news)
                self.tally["approved" if news.verdict is Verdict.APPROVED else "denied"] += 1
            case OrderEvent():
                self._see_order(news)
            case Fill():
                self.fills.append(news)
                self.tally["fills"] += 1

    def _see_order(self, event: OrderEvent) -> None:
        known = self.orders.get(event.client_order_id)
        if event.venue_order_id is not None and (known is None or known.venue_order_id is None):
            self.tally["orders"] += 1
        if known is None or known.revision <= event.revision:
            self.orders[event.client_order_id] = event
