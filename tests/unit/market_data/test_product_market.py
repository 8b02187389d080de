from decimal import Decimal

from gpt_trader.contracts.market import FeedState, Tick
from gpt_trader.market_data.domain.feed import Connected, Filled, Gapped, Lost, Resubscribed
from gpt_trader.market_data.domain.outliers import OutlierFilter
from gpt_trader.market_data.domain.product import ProductMarket, Quarantined
from tests.unit.market_data.market_builders import (
    LIMITS,
    NOW,
    a_best,
    a_builder,
    a_market,
    a_quote,
    a_snapshot,
    a_stamp,
    a_trade,
    an_update,
    ask,
    at,
    bid,
    traded,
)


def a_clean_market() -> ProductMarket:
    market = a_market(a_builder())
    market.turn(Connected(wall=NOW, is_again=False), NOW)
    market.on_trades(traded(a_trade(1, 1)), at(1))
    market.on_book(a_snapshot(), a_stamp())
    market.turn(Filled(), NOW)
    assert market.health.state is FeedState.CLEAN
    return market


def test_a_tick_is_made_only_when_something_in_it_changed() -> None:
    market = a_clean_market()

    first = market.tick(a_stamp(2))
    assert isinstance(first, Tick)
    assert (first.bid, first.ask, first.last_price, first.sequence) == (99, 101, 100, 2)
    assert market.tick(a_stamp(3)) is None

    market.on_book(an_update(bid("50")), a_stamp(4))
    assert market.tick(a_stamp(4)) is None
    market.on_book(an_update(bid("99", "7")), a_stamp(5))
    second = market.tick(a_stamp(5))
    assert isinstance(second, Tick)
    assert second.bid_quantity == 7


def test_no_tick_without_a_price_or_without_both_sides() -> None:
    market = a_market()
    assert market.tick(a_stamp()) is None
    market.on_quote(a_quote(best=None))
    assert market.tick(a_stamp()) is None


def test_while_the_book_is_dirty_ticks_come_from_the_ticker() -> None:
    market = a_clean_market()
    market.turn(Gapped(reason="hole"), at(2))
    assert market.tick(a_stamp(3)) is None

    market.on_quote(a_quote("100.5", a_best("100", "101")))
    tick = market.tick(a_stamp(4))

    assert isinstance(tick, Tick)
    assert (tick.bid, tick.last_price) == (100, Decimal("100.5"))


def test_after_a_gap_updates_say_nothing_until_a_snapshot() -> None:
    market = a_clean_market()
    market.turn(Gapped(reason="hole"), at(2))

    market.on_book(an_update(bid("100")), a_stamp(3))
    assert market.book is None
    assert market.summary() is None

    market.turn(Resubscribed(wall=NOW), at(3))
    market.on_book(a_snapshot(bid("98"), ask("99")), a_stamp(4))
    market.turn(Filled(), at(3))

    assert market.health.state is FeedState.CLEAN
    summary = market.summary()
    assert summary is not None
    assert (summary.bid, summary.ask) == (98, 99)


def test_a_crossed_book_is_a_gap_and_is_never_published() -> None:
    market = a_clean_market()

    market.on_book(an_update(bid("102")), a_stamp(2))

    assert market.health.state is FeedState.GAP
    assert "crossed" in market.health.reason
    assert market.summary() is None
    assert market.tick(a_stamp(2)) is None


def test_a_summary_is_made_once_per_change() -> None:
    market = a_clean_market()

    assert market.summary() is not None
    assert market.summary() is None
    market.on_book(an_update(ask("100.5")), a_stamp(2))
    changed = market.summary()
    assert changed is not None
    assert changed.ask == Decimal("100.5")


def test_candles_close_with_a_later_trade_but_not_while_trades_may_be_missing() -> None:
    market = a_clean_market()
    market.turn(Gapped(reason="hole"), at(5))

    assert market.on_trades(traded(a_trade(3, 16)), at(16)) == []
    assert market.close(at(40), at(40)) == []
    assert market.missing_since == at(1)

    assert market.recount([a_trade(1, 1), a_trade(2, 8, "90")], at(16)) == []
    market.missing_since = None
    market.turn(Resubscribed(wall=NOW), at(16))
    market.on_book(a_snapshot(), a_stamp(9))
    market.turn(Filled(), at(16))

    (candle,) = market.on_trades(traded(a_trade(4, 17)), at(17))
    assert (candle.start, candle.low, candle.volume) == (NOW, 90, 2)


def test_the_start_of_what_is_missing_stays_at_the_first_loss() -> None:
    market = a_clean_market()
    market.turn(Lost(reason="gone"), at(2))
    market.on_trades(traded(a_trade(5, 9)), at(9))
    market.turn(Gapped(reason="hole"), at(10))

    assert market.missing_since == at(1)


def test_a_market_that_saw_no_trade_yet_takes_all_earlier_candles_from_history() -> None:
    builder = a_builder("1m", since=-120)
    market = a_market(builder)

    market.turn(Connected(wall=NOW, is_again=False), at(5))

    assert builder.wanted(at(61)) == (at(-120), at(60))


def test_a_move_over_ten_percent_is_quarantined_until_a_trade_confirms_it() -> None:
    market = a_clean_market()
    market.tick(a_stamp(2))
    market.on_book(a_snapshot(bid("114"), ask("116")), a_stamp(3))

    assert isinstance(market.tick(a_stamp(3)), Quarantined)

    market.on_trades(traded(a_trade(2, 2, "115")), at(2))
    assert isinstance(market.tick(a_stamp(4)), Tick)


def test_a_jump_over_six_sigma_is_quarantined_and_a_normal_move_is_not() -> None:
    outliers = OutlierFilter(LIMITS)
    for step in range(40):
        assert outliers.accepts(Decimal(100) + Decimal(step % 2) / 50, at(step))

    assert not outliers.accepts(Decimal(101), at(41))
    assert outliers.accepts(Decimal("100.2"), at(42))


def test_in_a_quiet_market_a_move_under_the_floor_is_believed() -> None:
    outliers = OutlierFilter(LIMITS)
    for step in range(40):
        assert outliers.accepts(Decimal(100), at(step))

    assert outliers.accepts(Decimal("100.2"), at(41))


def test_contracts_of_a_future_become_base_currency() -> None:
    market = ProductMarket("BIP-20DEC30-CDE", Decimal("0.01"), [a_builder()], LIMITS, NOW)
    market.turn(Connected(wall=NOW, is_again=False), NOW)
    market.on_trades(traded(a_trade(1, 1)), at(1))
    market.on_book(a_snapshot(), a_stamp())
    tick, book = market.tick(a_stamp()), market.summary()

    spot = a_clean_market()
    expected, shown = spot.tick(a_stamp()), spot.summary()
    assert isinstance(tick, Tick)
    assert isinstance(expected, Tick)
    assert book is not None
    assert shown is not None
    assert (tick.bid, tick.bid_quantity) == (expected.bid, expected.bid_quantity / 100)
    assert book.depth[0].bid_notional == shown.depth[0].bid_notional / 100
