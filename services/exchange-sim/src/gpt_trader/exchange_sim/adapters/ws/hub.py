"""Fan out what happens at the venue to everybody who subscribed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gpt_trader.exchange_sim.adapters.faults import Faults
from gpt_trader.exchange_sim.adapters.futures_render import feed_position_json, summary_feed
from gpt_trader.exchange_sim.adapters.rest.account_routes import portfolio_id, user_id
from gpt_trader.exchange_sim.adapters.rest.wire import Json
from gpt_trader.exchange_sim.adapters.ws import messages
from gpt_trader.exchange_sim.adapters.ws.connection import Connection
from gpt_trader.exchange_sim.adapters.ws.messages import Frame
from gpt_trader.exchange_sim.domain.execution import Event, OrderChanged, SessionShut, Traded
from gpt_trader.exchange_sim.domain.faults.board import Occasion
from gpt_trader.exchange_sim.domain.faults.kinds import FaultKind
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, Order, Status, Trade
from gpt_trader.exchange_sim.domain.venue import Venue
from gpt_trader.exchange_sim.ports import Floor, Stopwatch

BALANCES = "futures_balance_summary"
PRIVATE_CHANNELS = frozenset({"user", BALANCES})
CHANNELS = PRIVATE_CHANNELS | {"heartbeats", "ticker", "ticker_batch", "level2", "market_trades", "candles", "status"}
_PERIODS = {"market_trades": 0.25, "heartbeats": 1.0, "candles": 1.0, "ticker_batch": 5.0, BALANCES: 0.5}
_REPLY_NAMES = {"level2": "l2_data"}


@dataclass(slots=True, kw_only=True)
class Hub:
    """Collects between pulses; each event list is serialised once per product."""

    floor: Floor
    stopwatch: Stopwatch
    faults: Faults
    client_id: str | None
    idle_seconds: float
    connections: list[Connection] = field(default_factory=list)
    _tickers: dict[str, list[Json]] = field(default_factory=dict)
    _latest: dict[str, Json] = field(default_factory=dict)
    _batched: dict[str, Json] = field(default_factory=dict)
    _trades: dict[str, list[Trade]] = field(default_factory=dict)
    _traded: dict[str, None] = field(default_factory=dict)
    _status: dict[str, bool] = field(default_factory=dict)
    _balances: Json = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)
    _beats: int = 1000
    _cuts: list[tuple[Connection, int]] = field(default_factory=list)
    _cut_wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def venue(self) -> Venue:
        """The exchange."""
        return self.floor.venue

    def on_events(self, events: Sequence[Event], now: datetime) -> None:
        """Collect prints; send order states at once."""
        changed: dict[str, None] = {}
        for event in events:
            if isinstance(event, OrderChanged):
                if self.venue.orders[event.order_id].owner == CUSTOMER:
                    changed[event.order_id] = None
                continue
            if isinstance(event, Traded):
                listing = self.venue.listings[event.trade.product_id]
                self._tick(event.trade.product_id, messages.ticker_json(event, listing, now))
                self._trades.setdefault(event.trade.product_id, []).append(event.trade)
                self._traded[event.trade.product_id] = None
            if isinstance(event, SessionShut):
                listing = self.venue.listings[event.product_id]
                self._tick(event.product_id, messages.shut_ticker_json(event.price, listing, now))
        if changed:
            self._send_user_updates(list(changed), now)

    def on_pulse(self, now: datetime) -> None:
        """Send what was collected and what is due."""
        for product_id, tickers in self._tickers.items():
            if wanting := self._wanting("ticker", product_id):
                self._deliver(wanting, "ticker", product_id, now, {"type": "update", "tickers": tickers})
        self._tickers.clear()
        self._send_books(now)
        self._send_status_changes(now)
        timed = {
            "market_trades": self._send_trades,
            "heartbeats": self._send_heartbeat,
            "candles": self._send_candles,
            "ticker_batch": self._send_ticker_batch,
            BALANCES: self._send_balances,
        }
        elapsed = self.stopwatch.elapsed()
        for channel, send in timed.items():
            if elapsed >= self._due.get(channel, 0.0):
                self._due[channel] = elapsed + _PERIODS[channel]
                send(now)
        self._cut_off(elapsed)

    def snapshot(self, connection: Connection, channel: str, product_ids: Sequence[str], now: datetime) -> None:
        """Send a new subscriber what is known already."""
        if channel == "user":
            for batch in messages.user_batches(self._open_orders(product_ids)):
                event = messages.user_event("snapshot", batch, portfolio_id(self.venue), self._positions())
                connection.send(self._frame(channel, "", now, [event]))
        if channel == BALANCES and not self.venue.day.is_idle:
            connection.send(self._frame(channel, "", now, [self._balance_event()]))
        if channel == "status":
            listings = [self.venue.listings[p] for p in product_ids if p in self.venue.listings]
            event = messages.status_event("snapshot", listings or self.venue.listings.values())
            connection.send(self._frame(channel, "", now, [event]))
        for product_id in product_ids:
            events = self._product_snapshot(channel, product_id, now)
            if events:
                connection.send(self._frame(channel, product_id, now, events))

    def acknowledge(self, connection: Connection, now: datetime) -> None:
        """Send the cumulative list of subscriptions."""
        named = {channel: list(products) or [channel] for channel, products in connection.subscriptions.items()}
        if "heartbeats" in named:
            named["heartbeats"] = ["heartbeats"]
        for channel in PRIVATE_CHANNELS & named.keys():
            named[channel] = [user_id(self.venue)]
        connection.send(self._frame("subscriptions", "", now, [{"subscriptions": named}]))

    async def run_cuts(self) -> None:
        """Close the connections that faults or idleness ended."""
        while True:
            await self._cut_wake.wait()
            self._cut_wake.clear()
            while self._cuts:
                connection, code = self._cuts.pop()
                await connection.cut(code)

    async def close_all(self) -> None:
        """Tell every client that the venue is going away."""
        for connection in list(self.connections):
            await connection.cut(1001)

    def restart(self) -> None:
        """Cut everybody off and forget what was collected of a venue that is gone."""
        self._cuts += [(connection, 1001) for connection in self.connections]
        self._cut_wake.set()
        for collected in (self._tickers, self._latest, self._batched, self._trades, self._traded, self._status):
            collected.clear()

    def _tick(self, product_id: str, ticker: Json) -> None:
        self._tickers.setdefault(product_id, []).append(ticker)
        self._latest[product_id] = self._batched[product_id] = ticker

    def _product_snapshot(self, channel: str, product_id: str, now: datetime) -> list[Json]:
        listing = self.venue.listings.get(product_id)
        if listing is None:
            return []
        if channel == "level2":
            big = self.faults.strike(FaultKind.WS_BIG_SNAPSHOT, self._occasion(product_id))
            return [messages.book_snapshot_event(listing, 0 if big is None else big.value << 20)]
        if channel == "market_trades":
            return [messages.trades_event("snapshot", list(reversed(listing.trades))[:100])]
        if channel == "candles":
            return [messages.candles_event("snapshot", listing, now, messages.CANDLES_IN_SNAPSHOT)]
        latest = self._latest.get(product_id)
        if latest is None or channel not in {"ticker", "ticker_batch"}:
            return []
        ticker = latest if channel == "ticker" else messages.batch_ticker_json(latest)
        return [{"type": "snapshot", "tickers": [ticker]}]

    def _occasion(self, product_id: str) -> Occasion:
        return self.faults.board.occasion(f"snapshot of level2:{product_id}", product_id)

    def _open_orders(self, product_ids: Sequence[str]) -> list[Order]:
        return [
            order
            for order in self.venue.orders.values()
            if order.owner == CUSTOMER
            and order.status in {Status.OPEN, Status.CANCEL_QUEUED}
            and (not product_ids or order.product_id in product_ids)
        ]

    def _send_user_updates(self, order_ids: Sequence[str], now: datetime) -> None:
        for connection in self.connections:
            orders = [self.venue.orders[one] for one in order_ids]
            wanted = [order for order in orders if connection.wants("user", order.product_id)]
            if wanted:
                event = messages.user_event("update", wanted, portfolio_id(self.venue), self._positions())
                frame = self._frame("user", "", now, [event])
                frame.product, frame.side = wanted[0].product_id, wanted[0].side.value
                connection.send(frame)

    def _send_books(self, now: datetime) -> None:
        for product_id, listing in self.venue.listings.items():
            book = listing.book
            if not (book.bids.changed or book.asks.changed):
                continue
            if wanting := self._wanting("level2", product_id):
                self._deliver(wanting, "level2", product_id, now, messages.book_update_event(listing, now))
            book.bids.changed.clear()
            book.asks.changed.clear()

    def _send_status_changes(self, now: datetime) -> None:
        for product_id, listing in self.venue.listings.items():
            is_tradable = listing.product.is_tradable
            if self._status.setdefault(product_id, is_tradable) is not is_tradable:
                self._status[product_id] = is_tradable
                if wanting := self._wanting("status", product_id):
                    self._deliver(wanting, "status", product_id, now, messages.status_event("update", [listing]))

    def _send_trades(self, now: datetime) -> None:
        for product_id, trades in self._trades.items():
            if wanting := self._wanting("market_trades", product_id):
                event = messages.trades_event("update", reversed(trades))
                self._deliver(wanting, "market_trades", product_id, now, event)
        self._trades.clear()

    def _send_heartbeat(self, now: datetime) -> None:
        self._beats += 1
        if wanting := self._wanting("heartbeats", ""):
            self._deliver(wanting, "heartbeats", "", now, messages.heartbeat_event(now, self._beats))

    def _send_candles(self, now: datetime) -> None:
        for product_id in self._traded:
            if wanting := self._wanting("candles", product_id):
                event = messages.candles_event("update", self.venue.listings[product_id], now, 1)
                self._deliver(wanting, "candles", product_id, now, event)
        self._traded.clear()

    def _send_ticker_batch(self, now: datetime) -> None:
        for product_id, ticker in self._batched.items():
            if wanting := self._wanting("ticker_batch", product_id):
                event: Json = {"type": "update", "tickers": [messages.batch_ticker_json(ticker)]}
                self._deliver(wanting, "ticker_batch", product_id, now, event)
        self._batched.clear()

    def _send_balances(self, now: datetime) -> None:
        if self.venue.day.is_idle or not (wanting := self._wanting(BALANCES, "")):
            return
        event = self._balance_event()
        if event != self._balances:
            self._balances = event
            self._deliver(wanting, BALANCES, "", now, event)

    def _balance_event(self) -> Json:
        return {"type": "snapshot", "fcm_balance_summary": summary_feed(self.venue.desk.account(CUSTOMER))}

    def _positions(self) -> list[Json]:
        desk = self.venue.desk
        return [feed_position_json(exposure, desk) for exposure in desk.account(CUSTOMER).exposures]

    def _wanting(self, channel: str, product_id: str) -> list[Connection]:
        return [connection for connection in self.connections if connection.wants(channel, product_id)]

    def _deliver(
        self, connections: list[Connection], channel: str, product_id: str, now: datetime, event: Json
    ) -> None:
        frame = self._frame(channel, product_id, now, [event])
        for connection in connections:
            connection.send(frame)

    def _frame(self, channel: str, product_id: str, now: datetime, events: object) -> Frame:
        name = _REPLY_NAMES.get(channel, channel)
        return Frame(name, f"{channel}:{product_id}", now, events, self.client_id)

    def _cut_off(self, elapsed: float) -> None:
        for connection in self.connections:
            is_idle = elapsed - connection.last_sent > self.idle_seconds
            code = 1000 if is_idle else connection.cut_by(elapsed)
            if code is not None:
                self._cuts.append((connection, code))
                self._cut_wake.set()
