"""Futures money at the venue: margin, netting, funding, settlement, expiry and liquidation."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gpt_trader.exchange_sim.domain.accounts import FEES as FEES_OWNER
from gpt_trader.exchange_sim.domain.accounts import CashKind, CashMoved, futures_wallet
from gpt_trader.exchange_sim.domain.candles import CandleSeries, no_past
from gpt_trader.exchange_sim.domain.delays import Delays
from gpt_trader.exchange_sim.domain.fees import Fees
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.margin import FuturesAccount, MarginLevel, MarginSetting
from gpt_trader.exchange_sim.domain.markets import MarketStep
from gpt_trader.exchange_sim.domain.orders import (
    CUSTOMER,
    STRANGER,
    ZERO,
    Order,
    OrderKind,
    OrderRequest,
    Side,
    Status,
    Terms,
)
from gpt_trader.exchange_sim.domain.positions import Position
from gpt_trader.exchange_sim.domain.products import future_of, product_of
from gpt_trader.exchange_sim.domain.sessions import MarginWindow
from gpt_trader.exchange_sim.domain.validation import Accepted, Refusal
from gpt_trader.exchange_sim.domain.venue import Venue

PERP, DATED = "BIP-20DEC30-CDE", "BIT-27NOV26-CDE"
WEDNESDAY = datetime(2026, 11, 18, 15, 30, tzinfo=UTC)
IN_THE_PAUSE = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
FEES = Fees(maker=Decimal(0), taker=Decimal("0.001"), per_contract=Decimal("0.15"))
MINUTE = timedelta(minutes=1)


@dataclass(slots=True)
class Tape:
    """Once a minute somebody buys one contract at the price a test set; the bid is five below."""

    price: Decimal
    at: datetime

    def next_at(self) -> datetime:
        return self.at

    def step(self) -> MarketStep:
        at, self.at = self.at, self.at + MINUTE
        return MarketStep(at=at, price=self.price, taker=Side.BUY, quantity=Decimal(1), spread=Decimal(5))


@dataclass(slots=True)
class Pit:
    """A venue with two bitcoin futures whose prices a test sets."""

    venue: Venue
    tapes: dict[str, Tape]
    now: datetime
    count: int = 0

    def price(self, price: int, product_id: str = PERP) -> None:
        self.tapes[product_id].price = Decimal(price)
        self.until(self.now + MINUTE)

    def place(self, side: str, size: str, limit: str | None = None, product_id: str = PERP, **more: Any) -> Any:
        self.count += 1
        kind = more.pop("kind", OrderKind.MARKET_IOC if limit is None else OrderKind.LIMIT_GTC)
        terms = Terms(kind=kind, base_size=Decimal(size), limit_price=None if limit is None else Decimal(limit))
        number = f"c{self.count}"
        request = OrderRequest(client_order_id=number, product_id=product_id, side=Side(side), terms=terms, **more)
        return self.venue.create(request, self.now)

    def order(self, side: str, size: str, limit: str | None = None, product_id: str = PERP, **more: Any) -> Order:
        outcome = self.place(side, size, limit, product_id, **more)
        assert isinstance(outcome, Accepted), outcome
        return self.venue.orders[outcome.order_id]

    def close(self, size: str | None = None) -> Accepted | Refusal:
        self.count += 1
        terms = Terms(kind=OrderKind.MARKET_IOC, base_size=None if size is None else Decimal(size))
        request = OrderRequest(client_order_id=f"x{self.count}", product_id=PERP, side=Side.SELL, terms=terms)
        return self.venue.close_position(request, self.now)

    def until(self, at: datetime) -> None:
        self.now = at
        self.venue.advance(at)

    @property
    def account(self) -> FuturesAccount:
        return self.venue.desk.account(CUSTOMER)

    @property
    def contracts(self) -> Decimal:
        position = self.venue.desk.position(CUSTOMER, PERP)
        return Decimal(0) if position is None else position.contracts

    def moved(self, kind: CashKind) -> list[Decimal]:
        events = [event for event in self.venue.outbox if isinstance(event, CashMoved)]
        return [event.amount for event in events if event.kind is kind and event.owner == CUSTOMER]


def a_pit(opened_at: datetime = WEDNESDAY, usd: str = "10000") -> Pit:
    spot = product_of("BTC-USD", Decimal(60000))
    tapes = {product_id: Tape(Decimal(60000), opened_at) for product_id in (PERP, DATED)}
    candles = CandleSeries(int(opened_at.timestamp()), no_past)
    listings = [Listing(product=future_of(name, spot), stream=tape, candles=candles) for name, tape in tapes.items()]
    venue = Venue(
        listings=listings,
        fees=Fees(maker=Decimal(0), taker=Decimal(0)),
        futures_fees=FEES,
        delays=Delays(),
        name="pit",
        opened_at=opened_at,
    )
    venue.ledger.deposit(CUSTOMER, "USD", Decimal(usd))
    venue.ledger.deposit(STRANGER, "USD", Decimal(10**7))
    venue.advance(opened_at)
    return Pit(venue, tapes, opened_at)


def test_an_order_brings_over_only_the_dollars_its_margin_lacks() -> None:
    pit = a_pit()

    filled = pit.order("BUY", "5")

    margin, fee = Decimal(600), Decimal("3.75")
    assert (filled.status, filled.filled_value, filled.fees) == (Status.FILLED, Decimal(3000), fee)
    assert -pit.moved(CashKind.FEE)[0] == fee
    assert pit.account.current.initial == margin
    assert margin + fee <= pit.moved(CashKind.TO_FUTURES)[0] <= (margin + fee) * Decimal("1.021")
    assert pit.account.spot_total == Decimal(10000) - pit.moved(CashKind.TO_FUTURES)[0]


def test_without_margin_an_order_is_refused_in_futures_words() -> None:
    pit = a_pit(usd="100")

    refusal = pit.place("BUY", "5")

    assert refusal.preview == "PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES"
    assert pit.account.cash == 0


@pytest.mark.parametrize(
    ("trades", "contracts", "entry", "profit"),
    [
        ([(5, 100), (5, 110)], 10, 105, "0"),
        ([(5, 100), (-2, 110)], 3, 100, "0.2"),
        ([(5, 100), (-5, 90)], 0, None, "-0.5"),
        ([(5, 100), (-8, 110)], -3, 110, "0.5"),
        ([(-4, 100), (-4, 80), (8, 70)], 0, None, "1.6"),
        ([(-4, 100), (6, 90), (-2, 95)], 0, None, "0.5"),
    ],
)
def test_positions_net_and_flip(trades: list[Any], contracts: int, entry: int | None, profit: str) -> None:
    position = Position(size=Decimal("0.01"))

    paid = sum(position.trade(Decimal(change), Decimal(price)) for change, price in trades)

    assert (position.contracts, paid) == (Decimal(contracts), Decimal(profit))
    assert entry is None or position.entry == entry


def test_closing_orders_hold_nothing_until_they_would_open_the_other_side() -> None:
    pit = a_pit()
    pit.order("BUY", "4")

    exit_order = pit.order("SELL", "4", "66000")
    beyond = pit.order("SELL", "1", "66000")

    assert exit_order.hold == 0
    assert beyond.hold == Decimal(660) * Decimal("0.22") + Decimal("0.66") + Decimal("0.15")
    assert pit.account.held == beyond.hold


def test_close_position_closes_all_a_part_and_never_nothing() -> None:
    pit = a_pit()

    refused_flat = pit.close()
    pit.order("BUY", "5")
    part, too_much, rest = pit.close("2"), pit.close("4"), pit.close()

    assert isinstance(refused_flat, Refusal)
    assert refused_flat.reason == "CANNOT_CLOSE_ZERO_POSITION"
    assert isinstance(too_much, Refusal)
    assert too_much.reason == "REDUCE_ONLY_INCREASED_POSITION_SIZE"
    assert isinstance(part, Accepted)
    assert isinstance(rest, Accepted)
    assert (pit.contracts, pit.account.current.initial) == (ZERO, ZERO)


REFUSALS = [
    ({"size": "1.5"}, "INVALID_SIZE_PRECISION"),
    ({"size": "1", "limit": "60001"}, "INVALID_PRICE_PRECISION"),
    ({"size": "1", "is_isolated": True}, "INVALID_MARGIN_TYPE"),
    ({"size": "1", "is_reduce_only": True}, "REDUCE_ONLY_NOT_ALLOWED_ON_VENUE"),
]


@pytest.mark.parametrize(("order", "reason"), REFUSALS)
def test_futures_orders_have_rules_of_their_own(order: dict[str, Any], reason: str) -> None:
    assert a_pit().place("BUY", **order).reason == reason


def test_futures_orders_cannot_be_edited_and_a_market_order_can_be_all_or_none() -> None:
    pit = a_pit()

    resting = pit.order("BUY", "1", "50000")
    all_or_none = pit.order("BUY", "5", kind=OrderKind.MARKET_FOK)

    assert pit.venue.edit(resting.order_id, Decimal(50005), Decimal(1), pit.now) == "CANNOT_EDIT_FUTURES_ORDER"
    assert all_or_none.status is Status.FILLED


def test_friday_maintenance_takes_no_orders_no_cancels_and_shows_no_quotes() -> None:
    pit = a_pit(IN_THE_PAUSE - timedelta(hours=1))
    resting = pit.order("BUY", "1", "50000")
    pit.until(IN_THE_PAUSE)

    book = pit.venue.listings[PERP].book

    assert pit.place("BUY", "1").reason == "INVALID_FCM_TRADING_SESSION"
    assert pit.venue.cancel(resting.order_id, pit.now) == "INVALID_CANCEL_FCM_TRADING_SESSION"
    assert (book.bids.best, book.asks.best) == (Decimal(50000), None)
    pit.until(IN_THE_PAUSE + timedelta(hours=1))
    assert pit.order("BUY", "1").status is Status.FILLED


def test_intraday_margin_applies_only_by_choice_and_only_by_day() -> None:
    pit = a_pit()
    pit.order("BUY", "5")
    by_standard = pit.account.current.initial
    pit.venue.desk.choose(MarginSetting.INTRADAY)
    by_day = pit.account.current.initial

    pit.until(WEDNESDAY.replace(hour=21, minute=0))

    assert (by_standard, by_day) == (Decimal(600), Decimal(300))
    assert pit.venue.desk.window is MarginWindow.OVERNIGHT
    assert pit.account.current.initial == 600
    pit.venue.day.force_window(MarginWindow.INTRADAY, pit.now)
    assert pit.account.current.initial == 300


def test_longs_of_a_perpetual_style_contract_pay_funding_each_hour() -> None:
    pit = a_pit()
    pit.order("BUY", "5")
    pit.order("SELL", "5", product_id=DATED)

    pit.until(WEDNESDAY.replace(hour=18))

    assert pit.moved(CashKind.FUNDING) == [Decimal("-0.03")] * 3


def test_daily_settlement_pays_open_profit_once_and_begins_a_day() -> None:
    pit = a_pit()
    pit.order("BUY", "5")
    pit.price(60500)
    pit.order("SELL", "1")
    before = pit.account
    position = pit.venue.desk.position(CUSTOMER, PERP)

    pit.until(WEDNESDAY.replace(hour=22, minute=0))

    assert (before.unrealized, before.realized_today) == (Decimal("19.8"), Decimal("4.95"))
    assert pit.moved(CashKind.SETTLEMENT) == [Decimal(20)]
    assert (pit.account.unrealized, pit.account.realized_today) == (ZERO, ZERO)
    assert position is not None
    assert (position.entry, position.basis) == (Decimal(60000), Decimal(60500))
    pit.price(60600)
    assert pit.account.unrealized == 4


def test_a_sweep_returns_what_margin_does_not_need_on_the_next_business_day() -> None:
    pit = a_pit(IN_THE_PAUSE - timedelta(hours=3))
    pit.order("BUY", "5")
    pit.price(63000)
    pit.close()
    cash = pit.account.cash

    refused = pit.venue.day.request_sweep("s0", cash + 1, pit.now)
    first = pit.venue.day.request_sweep("s1", None, pit.now)
    second = pit.venue.day.request_sweep("s2", None, pit.now)
    monday = datetime(2026, 11, 23, 14, tzinfo=UTC)
    is_planned = pit.venue.day.sweep is not None and pit.venue.day.sweep.begins_at == monday
    pit.until(monday)
    is_too_late = not pit.venue.day.cancel_sweep(pit.now)
    pit.until(monday + timedelta(hours=1))

    assert refused is not None
    assert (first, second) == (None, "a sweep is pending already")
    assert is_planned
    assert is_too_late
    assert pit.moved(CashKind.SWEEP) == [-cash]
    assert (pit.account.cash, pit.venue.day.sweep) == (ZERO, None)


def test_a_pending_sweep_can_be_taken_back() -> None:
    pit = a_pit()
    pit.venue.day.request_sweep("s1", None, pit.now)

    assert pit.venue.day.cancel_sweep(pit.now)
    assert not pit.venue.day.cancel_sweep(pit.now)


def test_expiry_settles_positions_in_cash_and_ends_orders_and_trading() -> None:
    pit = a_pit(datetime(2026, 11, 27, 14, tzinfo=UTC))
    pit.order("BUY", "5", product_id=DATED)
    resting = pit.order("BUY", "1", "50000", product_id=DATED)
    pit.price(60400, DATED)

    pit.until(datetime(2026, 11, 27, 16, tzinfo=UTC))

    assert pit.moved(CashKind.EXPIRY) == [Decimal(20)]
    assert resting.status is Status.EXPIRED
    assert (pit.account.exposures, pit.account.held) == ((), ZERO)
    assert pit.place("BUY", "1", product_id=DATED).reason == "UNTRADABLE_PRODUCT"
    assert pit.order("BUY", "1").status is Status.FILLED


def test_below_maintenance_margin_the_venue_cancels_and_liquidates_and_says_so() -> None:
    pit = a_pit(usd="700")
    pit.order("BUY", "5")
    spare = pit.account.spot_available
    pit.venue.ledger.deposit(CUSTOMER, "USD", -spare)
    warned = pit.account.current.level
    price = 60000
    while pit.contracts:
        price -= 250
        pit.price(price)

    liquidations = [order for order in pit.venue.orders.values() if order.request.is_liquidation]
    assert warned is MarginLevel.WARNING
    assert [order.status for order in liquidations] == [Status.FILLED]
    assert pit.account.cash > 0
    assert pit.account.current.level is MarginLevel.BASE


def test_a_gap_beyond_the_margin_leaves_a_debt_that_spot_dollars_cover() -> None:
    pit = a_pit(usd="700")
    pit.order("BUY", "5")
    resting = pit.order("SELL", "5", "66000")

    pit.price(40000)

    assert (pit.contracts, resting.status) == (ZERO, Status.CANCELLED)
    assert pit.moved(CashKind.DEFICIT)
    assert pit.account.spot_total == 0
    assert pit.account.cash < 0
    assert pit.place("BUY", "1").preview == "PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES"


def test_in_liquidation_only_closing_is_accepted() -> None:
    pit = a_pit(usd="700")
    pit.order("BUY", "5")
    pit.venue.listings[PERP].last = Decimal(50000)

    assert pit.place("BUY", "1").reason == "IN_LIQUIDATION"
    assert isinstance(pit.close(), Accepted)


def test_the_liquidation_price_is_where_equity_meets_maintenance() -> None:
    pit = a_pit(usd="900")
    pit.order("SELL", "5")
    account = pit.account
    threshold = account.liquidation_price(account.exposures[0])

    listing = pit.venue.listings[PERP]
    listing.last = threshold

    assert threshold > 60000
    assert abs(pit.account.current.buffer) < Decimal("0.001")


def test_owners_trade_with_each_other_and_the_venue_keeps_exactly_the_fees() -> None:
    pit = a_pit()
    resting = pit.order("SELL", "2", "60000", owner=STRANGER)
    everything = pit.venue.listings[PERP].book.asks.quantity(Decimal(60000))

    taker = pit.order("BUY", str(everything), "60000")

    assert (resting.status, taker.status, pit.contracts) == (Status.FILLED, Status.FILLED, everything)
    assert resting.fees == Decimal("0.3")
    assert pit.venue.ledger.balance(FEES_OWNER, "USD").total == resting.fees + taker.fees
    assert pit.venue.ledger.balance(futures_wallet(STRANGER), "USD").total > 0
