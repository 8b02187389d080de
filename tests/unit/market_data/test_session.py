"""The gap protocol and the reconnect, with a fake feed, a fake venue and a fake clock."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import orjson
import pytest

from gpt_trader.contracts.market import BookSummary, Candle, CandleOrigin, FeedState, FeedStatus, Tick, Universe
from gpt_trader.market_data.adapters import parse
from gpt_trader.market_data.domain.backoff import Backoff
from gpt_trader.market_data.domain.candles import CandleBuilder
from gpt_trader.market_data.domain.catalogue import Listing
from gpt_trader.market_data.domain.events import BookChanged, BookSide, Level, Trade, Traded, VenueEvent
from gpt_trader.market_data.domain.feed import Limits
from gpt_trader.market_data.domain.product import ProductMarket
from gpt_trader.market_data.ports import Channel, Envelope, FeedLost, Malformed, TradeHistory, VenueUnavailable
from gpt_trader.market_data.service.desk import Desk
from gpt_trader.market_data.service.history import History
from gpt_trader.market_data.service.session import Session
from gpt_trader.market_data.service.surroundings import Pace, Surroundings
from tests.unit.market_data.market_builders import BTC, LIMITS, NOW, a_trade, at

MOMENT = timedelta(milliseconds=5)


@dataclass(slots=True)
class FakeClock:
    seconds: float = 0.0

    def now(self) -> datetime:
        return at(self.seconds)

    def wall(self) -> datetime:
        return at(self.seconds)

    def stretch(self, wall: timedelta) -> timedelta:
        return wall


@dataclass(slots=True)
class FakeFeed:
    """Each connection numbers its messages; None on the line ends it."""

    asked: list[tuple[str, Channel]] = field(default_factory=list)
    line: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    sequence: int = 0
    connections: int = 0

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["FakeFeed"]:
        self.connections += 1
        self.sequence = 0
        self.line = asyncio.Queue()
        yield self

    async def subscribe(self, channel: Channel, products: Sequence[str]) -> None:
        assert list(products) == [BTC]
        self.asked.append(("subscribe", channel))

    async def unsubscribe(self, channel: Channel, products: Sequence[str]) -> None:
        assert list(products) == [BTC]
        self.asked.append(("unsubscribe", channel))

    async def frames(self) -> AsyncIterator[bytes]:
        while (raw := await self.line.get()) is not None:
            yield raw
        raise FeedLost("the venue hung up")

    def envelope(self, raw: str | bytes) -> Envelope:
        return parse.envelope(raw)

    def events(self, envelope: Envelope) -> tuple[VenueEvent, ...]:
        return parse.events(envelope)

    def says(self, channel: str, *events: object) -> None:
        message = {
            "channel": channel,
            "timestamp": NOW.isoformat(),
            "sequence_num": self.sequence,
            "events": list(events),
        }
        self.sequence += 1
        self.line.put_nowait(orjson.dumps(message))

    def loses_a_message(self) -> None:
        self.sequence += 1

    def snapshot(self, bid: str = "99", ask: str = "101") -> None:
        updates = [
            {"side": "bid", "price_level": bid, "new_quantity": "1"},
            {"side": "offer", "price_level": ask, "new_quantity": "1"},
        ]
        self.says("l2_data", {"type": "snapshot", "product_id": BTC, "updates": updates})

    def trade(self, number: int, seconds: float, price: str = "100") -> None:
        trade = {
            "trade_id": str(number),
            "product_id": BTC,
            "price": price,
            "size": "1",
            "time": at(seconds).isoformat(),
        }
        self.says("market_trades", {"type": "update", "trades": [trade]})

    def pulse(self) -> None:
        self.says("heartbeats", {"heartbeat_counter": 1})


@dataclass(slots=True)
class ToyFeed(FakeFeed):
    """Another venue's: lists instead of objects, own names, its number first."""

    def envelope(self, raw: str | bytes) -> Envelope:
        number, what, *rest = orjson.loads(raw)
        return Envelope(channel=what, sequence=number, sent_at=NOW, content=rest)

    def events(self, envelope: Envelope) -> tuple[VenueEvent, ...]:
        match envelope.channel, envelope.content:
            case "all", [pair, rows]:
                levels = tuple(Level(BookSide(side), Decimal(price), Decimal(amount)) for side, price, amount in rows)
                return (BookChanged(product=pair.replace("/", "-"), is_snapshot=True, levels=levels),)
            case "deal", [pair, number, price, amount, seconds]:
                product = pair.replace("/", "-")
                trade = Trade(
                    product=product, trade_id=number, price=Decimal(price), quantity=Decimal(amount),
                    occurred_at=at(seconds),
                )  # fmt: skip
                return (Traded(product=product, trades=(trade,)),)
            case _:
                raise Malformed("what", envelope.channel, "unknown")

    def tells(self, what: str, *rest: object) -> None:
        self.line.put_nowait(orjson.dumps([self.sequence, what, "BTC/USD", *rest]))
        self.sequence += 1

    def snapshot(self, bid: str = "99", ask: str = "101") -> None:
        self.tells("all", [["bid", bid, "1"], ["ask", ask, "1"]])

    def trade(self, number: int, seconds: float, price: str = "100") -> None:
        self.tells("deal", str(number), price, "1", seconds)


@dataclass(slots=True)
class FakeVenue:
    history: TradeHistory = field(default_factory=lambda: TradeHistory(trades=(), is_complete=True))
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    is_down: bool = False

    async def listings(self, products: Sequence[str]) -> tuple[Listing, ...]:
        raise NotImplementedError

    async def trades(self, product: str, span: tuple[datetime, datetime]) -> TradeHistory:
        assert product == BTC
        self.asked.append(span)
        if self.is_down:
            raise VenueUnavailable("down")
        return self.history

    def has_candles(self, interval: str) -> bool:
        return interval == "15s"

    async def candles(
        self, product: str, interval: str, span: tuple[datetime, datetime], now: datetime
    ) -> tuple[Candle, ...]:
        assert (product, interval) == (BTC, "15s")
        assert span[0] < span[1] <= now
        return ()


@dataclass(slots=True)
class FakeOutlet:
    ticks: list[Tick] = field(default_factory=list)
    candles: list[Candle] = field(default_factory=list)
    statuses: list[FeedStatus] = field(default_factory=list)

    async def tick(self, tick: Tick, received_wall: datetime) -> None:
        assert received_wall >= tick.received_at
        self.ticks.append(tick)

    def candle(self, candle: Candle) -> None:
        self.candles.append(candle)

    def book(self, summary: BookSummary) -> None:
        raise NotImplementedError

    def feed(self, status: FeedStatus) -> None:
        self.statuses.append(status)

    def universe(self, universe: Universe) -> None:
        raise NotImplementedError

    def states(self) -> list[FeedState]:
        states = [status.state for status in self.statuses]
        return [state for n, state in enumerate(states) if n == 0 or state is not states[n - 1]]


@dataclass(slots=True)
class FakeGauges:
    counted: list[str] = field(default_factory=list)
    turns: list[bool] = field(default_factory=list)

    def malformed(self, field: str) -> None:
        self.counted.append(f"malformed {field}")

    def missed(self, count: int) -> None:
        self.counted.append(f"missed {count}")

    def repeated(self) -> None:
        self.counted.append("repeated")

    def gap(self, product: str) -> None:
        self.counted.append(f"gap {product}")

    def wanted(self, connections: int) -> None:
        del connections

    def connected(self, *, is_up: bool) -> None:
        self.turns.append(is_up)

    def reconnected(self) -> None:
        self.counted.append("reconnected")

    def quarantined(self, product: str) -> None:
        self.counted.append(f"quarantined {product}")

    def history_failed(self, product: str) -> None:
        self.counted.append(f"history_failed {product}")

    def health(self, product: str, *, is_clean: bool, message_age_seconds: float, heartbeat_age_seconds: float) -> None:
        del product, is_clean, message_age_seconds, heartbeat_age_seconds


@dataclass(slots=True)
class Stage:
    clock: FakeClock
    feed: FakeFeed
    venue: FakeVenue
    outlet: FakeOutlet
    gauges: FakeGauges
    market: ProductMarket
    catalogue_due: asyncio.Event

    async def until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(3):
            while not is_true():  # noqa: ASYNC110 - what is awaited is a state, not an event
                await asyncio.sleep(0.001)

    async def until_state(self, state: FeedState) -> None:
        await self.until(lambda: self.market.health.state is state)

    async def become_clean(self) -> None:
        await self.until_state(FeedState.RESYNCING)
        self.feed.snapshot()
        self.feed.trade(1, 1)
        await self.until_state(FeedState.CLEAN)
        await self.until(lambda: self.market.tape.last is not None)


@pytest.fixture(params=[FakeFeed])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    clock, feed, venue, outlet, gauges = FakeClock(), request.param(), FakeVenue(), FakeOutlet(), FakeGauges()
    builder = CandleBuilder(BTC, "15s", closed_until=NOW, covered_since=NOW)
    market = ProductMarket(BTC, Decimal(1), [builder], LIMITS, NOW)
    around = Surroundings(
        feed=feed,
        outlet=outlet,
        history=History(venue=venue, outlet=outlet, clock=clock, grace=timedelta(seconds=1)),
        gauges=gauges,
        clock=clock,
        chances=Random(1),
        pace=Pace(
            limits=Limits(
                message_age=timedelta(seconds=15), heartbeat_age=timedelta(seconds=30), resync=timedelta(seconds=30)
            ),
            backoff=Backoff(first=MOMENT, cap=MOMENT, jitter=0.25),
            check_every=MOMENT,
            close_every=MOMENT,
            repair_pause=MOMENT,
        ),
    )
    due = asyncio.Event()
    session = Session(Desk({BTC: [market]}, around), around, due)
    task = asyncio.create_task(session.run())
    yield Stage(clock, feed, venue, outlet, gauges, market, due)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_connection_subscribes_heartbeats_first_and_then_every_channel(stage: Stage) -> None:
    await stage.become_clean()

    assert stage.feed.asked == [("subscribe", channel) for channel in Channel]
    assert stage.feed.asked[0] == ("subscribe", Channel.HEARTBEATS)


@pytest.mark.parametrize("stage", [FakeFeed, ToyFeed], indirect=True, ids=["first venue", "toy"])
async def test_a_gap_resubscribes_the_book_fills_the_missed_trades_and_is_then_clean(stage: Stage) -> None:
    await stage.become_clean()
    stage.venue.history = TradeHistory(trades=(a_trade(1, 1), a_trade(2, 2, "90")), is_complete=True)
    stage.feed.asked.clear()
    stage.clock.seconds = 3

    stage.feed.loses_a_message()
    stage.feed.trade(3, 3)
    await stage.until(lambda: len(stage.feed.asked) == 2)
    assert stage.feed.asked == [("unsubscribe", Channel.LEVEL2), ("subscribe", Channel.LEVEL2)]
    stage.feed.snapshot()
    await stage.until_state(FeedState.CLEAN)

    assert stage.outlet.states()[-3:] == [FeedState.GAP, FeedState.RESYNCING, FeedState.CLEAN]
    assert stage.gauges.counted == ["missed 1", f"gap {BTC}"]
    assert stage.venue.asked == [(at(1), at(3))]
    stage.feed.trade(4, 15)
    await stage.until(lambda: bool(stage.outlet.candles))
    candle = stage.outlet.candles[0]
    assert (candle.volume, candle.low, candle.origin) == (3, 90, CandleOrigin.STREAM)


async def test_a_feed_stays_dirty_while_the_venue_cannot_fill_what_is_missing(stage: Stage) -> None:
    await stage.become_clean()
    stage.venue.is_down = True
    stage.feed.loses_a_message()
    stage.feed.pulse()
    await stage.until(lambda: stage.market.health.state is FeedState.RESYNCING)
    stage.feed.snapshot()
    await stage.until(lambda: stage.gauges.counted.count(f"history_failed {BTC}") >= 2)
    assert stage.market.health.state is FeedState.RESYNCING

    stage.venue.is_down = False
    await stage.until_state(FeedState.CLEAN)


async def test_an_unreadable_book_message_is_a_gap_and_an_unreadable_ticker_is_not(stage: Stage) -> None:
    await stage.become_clean()

    stage.feed.says("ticker", {"tickers": [{"product_id": BTC, "price": "x"}]})
    stage.feed.line.put_nowait(b"garbage")
    await stage.until(lambda: stage.gauges.counted == ["malformed ticker.price", "malformed message"])
    assert stage.market.health.state is FeedState.CLEAN

    stage.feed.says("l2_data", {"type": "update", "product_id": BTC, "updates": [{"side": "up"}]})
    await stage.until(lambda: stage.market.health.gaps == 1)
    assert stage.feed.connections == 1


async def test_a_lost_connection_is_made_again_and_needs_a_fresh_snapshot(stage: Stage) -> None:
    await stage.become_clean()
    stage.feed.asked.clear()

    stage.feed.line.put_nowait(None)
    await stage.until(lambda: stage.feed.connections == 2)
    await stage.until_state(FeedState.RESYNCING)
    stage.feed.snapshot()
    await stage.until_state(FeedState.CLEAN)

    assert FeedState.DISCONNECTED in stage.outlet.states()
    assert (stage.market.health.reconnects, stage.gauges.counted) == (1, ["reconnected"])
    assert stage.gauges.turns == [True, False, True]
    assert stage.feed.asked == [("subscribe", channel) for channel in Channel]


async def test_silence_of_15_s_is_stale_until_the_product_is_heard_again(stage: Stage) -> None:
    await stage.become_clean()
    stage.clock.seconds = 16
    await stage.until_state(FeedState.STALE)

    stage.feed.trade(2, 16)
    await stage.until_state(FeedState.CLEAN)


async def test_a_changed_product_status_asks_for_the_catalogue(stage: Stage) -> None:
    await stage.become_clean()
    stage.feed.says("status", {"products": [{"id": BTC, "status": "online"}]})
    stage.feed.trade(7, 2)
    await stage.until(lambda: stage.market.tape.last == a_trade(7, 2))
    assert not stage.catalogue_due.is_set()
    stage.feed.says("status", {"products": [{"id": BTC, "status": "offline"}]})
    await stage.until(stage.catalogue_due.is_set)


async def test_the_clock_closes_a_candle_when_no_trade_does(stage: Stage) -> None:
    await stage.become_clean()
    stage.clock.seconds = 15.9
    stage.feed.pulse()
    await asyncio.sleep(0.03)
    assert stage.outlet.candles == []

    stage.clock.seconds = 16
    stage.feed.trade(2, 14.9)
    await stage.until(lambda: bool(stage.outlet.candles))
    assert stage.outlet.candles[0].start == NOW
