import itertools
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts.market import Candle, CandleOrigin
from gpt_trader.market_data.domain.candles import CandleBuilder, Tape, candles_of, floor
from gpt_trader.market_data.domain.events import Trade
from tests.unit.market_data.market_builders import BTC, NOW, a_builder, a_trade, at

moments = st.tuples(st.integers(0, 120_000), st.integers(1, 500), st.integers(1, 9))


@st.composite
def tapes(draw: st.DrawFn) -> list[Trade]:
    """Trades in the order in which they happened."""
    drawn = sorted(draw(st.lists(moments, min_size=1, max_size=60)))
    return [
        a_trade(1000 + number, milliseconds / 1000, str(price), str(quantity))
        for number, (milliseconds, price, quantity) in enumerate(drawn)
    ]


def closed(builder: CandleBuilder, batches: list[list[Trade]]) -> list[Candle]:
    found: list[Candle] = []
    for batch in batches:
        found += [candle for trade in batch if (candle := builder.add(trade, NOW))]
        if batch:
            found += builder.close(batch[-1].occurred_at, NOW)
    return [*found, *builder.close(at(3600), NOW)]


@given(trades=tapes(), cuts=st.lists(st.integers(0, 60), max_size=8), interval=st.sampled_from(["7s", "15s", "1m"]))
def test_any_split_of_trades_into_batches_gives_the_same_candles(
    trades: list[Trade], cuts: list[int], interval: str
) -> None:
    bounds = [0, *sorted(cuts), len(trades)]
    batches = [trades[first:last] for first, last in itertools.pairwise(bounds)]

    assert closed(a_builder(interval), batches) == closed(a_builder(interval), [trades])


@given(trades=tapes(), seed=st.randoms())
def test_the_order_in_which_the_trades_of_open_buckets_arrive_does_not_matter(
    trades: list[Trade], seed: object
) -> None:
    shuffled = list(trades)
    seed.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis gives a random.Random
    late, straight = a_builder(), a_builder()
    for trade in shuffled:
        late.add(trade, NOW)
    for trade in trades:
        straight.add(trade, NOW)

    assert late.close(at(3600), NOW) == straight.close(at(3600), NOW)


@given(tapes())
def test_volume_is_conserved_and_prices_stay_within_the_candle(trades: list[Trade]) -> None:
    candles = closed(a_builder(), [trades])

    assert sum(candle.volume for candle in candles) == sum(trade.quantity for trade in trades)
    assert all(c.low <= min(c.open, c.close) <= max(c.open, c.close) <= c.high for c in candles)
    assert [candle.start for candle in candles] == sorted({floor(t.occurred_at, timedelta(seconds=15)) for t in trades})


def test_a_candle_closes_when_a_later_trade_or_the_clock_passes_its_end() -> None:
    builder = a_builder()
    builder.add(a_trade(1, 1, "100"), NOW)
    builder.add(a_trade(2, 14.9, "102"), NOW)

    assert builder.close(at(14.99), NOW) == ()
    (candle,) = builder.close(at(15), NOW)
    assert (candle.start, candle.open, candle.close, candle.volume) == (NOW, 100, 102, 2)
    assert candle.origin is CandleOrigin.STREAM
    assert builder.close(at(15), NOW) == ()


def test_a_bucket_without_trades_gives_no_candle() -> None:
    builder = a_builder()
    builder.add(a_trade(1, 1), NOW)
    builder.add(a_trade(2, 61), NOW)

    assert [candle.start for candle in builder.close(at(90), NOW)] == [at(0), at(60)]


def test_a_late_trade_gives_a_correction_and_leaves_the_closed_candle_alone() -> None:
    builder = a_builder()
    builder.add(a_trade(1, 1, "100"), NOW)
    (original,) = builder.close(at(15), NOW)

    correction = builder.add(a_trade(2, 14, "120", "3"), NOW)

    assert correction is not None
    assert (correction.start, correction.close, correction.volume) == (original.start, 120, 4)
    assert correction.origin is CandleOrigin.CORRECTION
    assert builder.close(at(30), NOW) == ()


def test_a_bucket_that_was_not_wholly_watched_waits_for_history_and_so_does_what_follows() -> None:
    builder = CandleBuilder(BTC, "15s", closed_until=at(-30), covered_since=at(5))
    builder.add(a_trade(1, 6), NOW)
    builder.add(a_trade(2, 16), NOW)

    assert builder.close(at(40), NOW) == ()
    assert builder.wanted(at(14)) == (at(-30), at(0))
    assert builder.wanted(at(40)) == (at(-30), at(15))

    builder.filled(at(15))

    assert builder.wanted(at(40)) is None
    assert [candle.start for candle in builder.close(at(40), NOW)] == [at(15)]


def test_trades_lost_for_good_make_only_the_buckets_they_may_belong_to_wait_for_history() -> None:
    builder = a_builder()
    builder.add(a_trade(1, 1), NOW)
    builder.close(at(15), NOW)
    builder.uncover(at(31))

    assert builder.wanted(at(60)) == (at(15), at(45))


def test_the_tape_passes_each_trade_once_and_in_order() -> None:
    tape = Tape()
    first, second, third = a_trade(9, 1), a_trade(10, 1), a_trade(11, 2)

    assert tape.fresh([second, first]) == [first, second]
    assert tape.fresh([third, second, first]) == [third]
    assert tape.last == third


def test_the_tape_forgets_what_is_long_ago() -> None:
    tape = Tape(kept=2)
    tape.fresh([a_trade(number, number) for number in range(4)])

    assert tape.fresh([a_trade(3, 3), a_trade(2, 2)]) == []
    assert tape.fresh([a_trade(0, 0)]) == [a_trade(0, 0)]


@given(tapes())
def test_history_made_of_trades_equals_what_the_stream_would_have_closed(trades: list[Trade]) -> None:
    history = candles_of(trades, BTC, "15s", (at(0), at(120)), NOW)

    assert [(c.start, c.open, c.close, c.volume) for c in history] == [
        (c.start, c.open, c.close, c.volume) for c in closed(a_builder(), [trades]) if c.start < at(120)
    ]
    assert all(candle.origin is CandleOrigin.BACKFILL for candle in history)
    assert all(isinstance(candle.volume, Decimal) for candle in history)
