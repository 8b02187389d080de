"""Builders that hide what a test does not care about."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from gpt_trader.market_data.domain.candles import CandleBuilder
from gpt_trader.market_data.domain.events import Best, BookChanged, BookSide, Level, Quoted, Stamp, Trade, Traded
from gpt_trader.market_data.domain.outliers import OutlierLimits
from gpt_trader.market_data.domain.product import ProductMarket

NOW = datetime(2026, 11, 2, 12, 0, 0, tzinfo=UTC)
BTC = "BTC-USD"
LIMITS = OutlierLimits(
    sigmas=Decimal(6),
    window=timedelta(seconds=60),
    floor=Decimal("0.0025"),
    move=Decimal("0.1"),
    confirmed_within=Decimal("0.01"),
)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_trade(number: int, seconds: float, price: str = "100", quantity: str = "1", product: str = BTC) -> Trade:
    return Trade(
        product=product,
        trade_id=str(number),
        price=Decimal(price),
        quantity=Decimal(quantity),
        occurred_at=at(seconds),
    )


def traded(*trades: Trade) -> Traded:
    return Traded(product=trades[0].product, trades=trades)


def bid(price: str, quantity: str = "1") -> Level:
    return Level(BookSide.BID, Decimal(price), Decimal(quantity))


def ask(price: str, quantity: str = "1") -> Level:
    return Level(BookSide.ASK, Decimal(price), Decimal(quantity))


def a_snapshot(*levels: Level, product: str = BTC) -> BookChanged:
    return BookChanged(product=product, is_snapshot=True, levels=levels or (bid("99"), ask("101")))


def an_update(*levels: Level, product: str = BTC) -> BookChanged:
    return BookChanged(product=product, is_snapshot=False, levels=levels)


def a_stamp(sequence: int = 1, seconds: float = 0) -> Stamp:
    return Stamp(sequence=sequence, sent_at=at(seconds), received_at=at(seconds))


def a_quote(price: str = "100", best: Best | None = None) -> Quoted:
    return Quoted(product=BTC, last_price=Decimal(price), best=best)


def a_best(bid_price: str, ask_price: str) -> Best:
    return Best(bid=Decimal(bid_price), bid_quantity=Decimal(1), ask=Decimal(ask_price), ask_quantity=Decimal(1))


def a_builder(interval: str = "15s", since: float = 0) -> CandleBuilder:
    return CandleBuilder(BTC, interval, closed_until=at(since), covered_since=at(since))


def a_market(*builders: CandleBuilder) -> ProductMarket:
    return ProductMarket(BTC, Decimal(1), builders, LIMITS, NOW)
