"""What holds for every sequence of requests and market moves."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader.exchange_sim.domain.delays import Delays
from gpt_trader.exchange_sim.domain.fees import Fees
from gpt_trader.exchange_sim.domain.opening import generated_listings
from gpt_trader.exchange_sim.domain.orders import CUSTOMER, STRANGER, OrderKind, OrderRequest, Side, Terms
from gpt_trader.exchange_sim.domain.venue import Venue

START = datetime(2026, 1, 1, tzinfo=UTC)

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["place", "place", "place", "cancel", "edit", "wait"]),
        st.sampled_from([CUSTOMER, STRANGER]),
        st.sampled_from(list(Side)),
        st.sampled_from([OrderKind.LIMIT_GTC, OrderKind.LIMIT_IOC, OrderKind.LIMIT_FOK, OrderKind.MARKET_IOC]),
        st.integers(1, 400),
        st.integers(-60, 60),
    ),
    max_size=40,
)


def a_venue(seed: int) -> Venue:
    listings = generated_listings(
        ("BTC-USD",), seed, START, timedelta(milliseconds=200), lambda name: Random(f"{seed}:{name}")
    )
    venue = Venue(
        listings=listings,
        fees=Fees(maker=Decimal("0.0006"), taker=Decimal("0.001")),
        delays=Delays(),
        name=f"seed-{seed}",
        opened_at=START,
    )
    for owner in (CUSTOMER, STRANGER):
        venue.ledger.deposit(owner, "USD", Decimal(5000000))
        venue.ledger.deposit(owner, "BTC", Decimal(50))
    venue.advance(START)
    return venue


def play(venue: Venue, actions: list[Any]) -> None:
    now = START
    for number, (action, owner, side, kind, size, offset) in enumerate(actions):
        now += timedelta(milliseconds=50 if action != "wait" else size * 20)
        book = venue.listings["BTC-USD"].book
        orders = list(venue.orders.values())
        if action == "place":
            is_market = kind is OrderKind.MARKET_IOC
            price = ((book.mid or Decimal(64000)) * (10000 + offset) / 10000).quantize(Decimal("0.01"))
            terms = Terms(kind=kind, base_size=Decimal(size) / 100, limit_price=None if is_market else price)
            venue.create(
                OrderRequest(client_order_id=str(number), product_id="BTC-USD", side=side, terms=terms, owner=owner),
                now,
            )
        elif orders and action == "cancel":
            venue.cancel(orders[size % len(orders)].order_id, now)
        elif orders and action == "edit":
            order = orders[size % len(orders)]
            venue.edit(order.order_id, order.limit + offset, Decimal(size) / 100, now)
        venue.advance(now)
        check(venue)


def check(venue: Venue) -> None:
    ledger = venue.ledger
    assert ledger.total("USD") == Decimal(10000000)
    assert ledger.total("BTC") == Decimal(100)
    book = venue.listings["BTC-USD"].book
    bid, ask = book.bids.best, book.asks.best
    assert bid is None or ask is None or bid < ask
    for order in venue.orders.values():
        assert Decimal(0) <= order.filled <= order.size
        assert order.filled == sum(f.trade.quantity for f in venue.clearing.fills if f.order_id == order.order_id)
        assert not order.is_terminal or order.hold == 0
        assert order.is_terminal or order.is_resting
    for owner in (CUSTOMER, STRANGER):
        for currency in ("USD", "BTC"):
            balance = ledger.balance(owner, currency)
            paying = Side.BUY if currency == "USD" else Side.SELL
            holds = sum(o.hold for o in venue.orders.values() if o.owner == owner and o.side is paying)
            assert balance.held == holds
            assert balance.available >= 0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), actions=ACTIONS)
def test_money_is_conserved_and_no_book_ever_crosses(seed: int, actions: list[Any]) -> None:
    play(a_venue(seed), actions)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), actions=ACTIONS)
def test_the_same_seed_and_requests_give_the_same_venue(seed: int, actions: list[Any]) -> None:
    first, second = a_venue(seed), a_venue(seed)

    play(first, actions)
    play(second, actions)

    assert first.outbox == second.outbox
    assert first.orders == second.orders


def test_a_generated_market_visits_several_moods_and_stays_positive() -> None:
    venue = a_venue(3)
    stream: Any = venue.listings["BTC-USD"].stream
    moods = set()

    for minute in range(120):
        venue.advance(START + timedelta(minutes=minute))
        moods.add(stream.regime)

    prices = [trade.price for trade in venue.listings["BTC-USD"].trades]
    assert len(moods) >= 4
    assert min(prices) > 0


def test_candles_answer_350_buckets_of_every_granularity_and_agree_at_their_edges() -> None:
    venue = a_venue(1)
    venue.advance(START + timedelta(minutes=3))
    series = venue.listings["BTC-USD"].candles
    now = int(START.timestamp()) + 180

    for length in (60, 300, 900, 1800, 3600, 7200, 14400, 21600, 86400):
        candles = series.newest_first(now - length * 350, now, length)
        assert len(candles) >= 350
        assert all(c.low <= min(c.open, c.close) and c.high >= max(c.open, c.close) for c in candles)

    hour = series.newest_first(now - 3 * 3600, now - 2 * 3600, 3600)[0]
    minutes = series.newest_first(hour.start, hour.start + 3599, 60)
    assert (hour.open, hour.close) == (minutes[-1].open, minutes[0].close)


def test_the_book_is_deep_near_the_middle() -> None:
    book = a_venue(1).listings["BTC-USD"].book
    mid = book.mid or Decimal(0)

    for side in (book.bids, book.asks):
        near = sum(price * quantity for price, quantity in side.levels() if abs(price / mid - 1) < Decimal("0.002"))
        assert near >= 100000
