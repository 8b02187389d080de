"""What the gate remembers of markets: figures that an independent computation confirms, however they arrived."""

import itertools
import statistics as independent
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from math import log, sqrt

import pytest
from gate_builders import BTC, ETH, NOW, D, a_book, a_policy, a_tick
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_trader.contracts.decisions import Regime
from gpt_trader.contracts.market import BookSummary, Candle, CandleOrigin, Tick, interval_length
from gpt_trader.risk_gate.domain.memory import MarketMemory
from gpt_trader.risk_gate.domain.policy.statistics import RegimeRules
from gpt_trader.risk_gate.domain.samples import MINUTES, SECONDS
from gpt_trader.risk_gate.domain.series import KEPT, Returns, correlation, regime_after

POLICY = a_policy()
RULES = POLICY.statistics
MINUTE, SECOND, DAY = timedelta(minutes=1), timedelta(seconds=1), timedelta(days=1)
ON_THE_MINUTE = NOW.replace(second=0, microsecond=0)
prices = st.decimals(min_value=90, max_value=110, places=2)


def a_memory() -> MarketMemory:
    return MarketMemory(RULES, POLICY.prices.depth_within_bps)


def candles(
    closes: Sequence[Decimal],
    product: str = BTC,
    interval: str = "1m",
    end: datetime = ON_THE_MINUTE,
    volume: str = "2",
) -> list[Candle]:
    """Make candles of which the last is over at `end`."""
    length = interval_length(interval)
    first = end - length * len(closes)
    return [
        Candle(
            product=product, interval=interval, start=first + length * number, open=close, high=close, low=close,
            close=close, volume=D(volume), origin=CandleOrigin.STREAM, published_at=first + length * (number + 1),
        )
        for number, close in enumerate(closes)
    ]  # fmt: skip


def remembered(*messages: Tick | Candle | BookSummary) -> MarketMemory:
    memory = a_memory()
    for message in messages:
        tell(memory, message)
    return memory


def tell(memory: MarketMemory, message: Tick | Candle | BookSummary) -> None:
    match message:
        case Tick():
            memory.on_tick(message)
        case Candle():
            memory.on_candle(message)
        case BookSummary():
            memory.on_book(message)


def zigzag(count: int, step: str = "1") -> list[Decimal]:
    return [D(100) + D(step) * (number % 3) for number in range(count)]


def a_mid(price: Decimal, ago: int) -> Tick:
    at = NOW - timedelta(seconds=ago)
    return a_tick(bid=str(price - 1), ask=str(price + 1), at=at)


def test_volatility_is_the_deviation_of_log_returns_scaled_to_a_day() -> None:
    closes = zigzag(61)

    found = remembered(*candles(closes)).statistics(BTC, (), NOW).volatility

    returns = [log(after / before) for before, after in itertools.pairwise(closes)]
    assert found is not None
    assert abs(float(found) - independent.stdev(returns) * sqrt(1440)) < 1e-6


def test_correlation_is_pearsons_over_what_both_have() -> None:
    btc = zigzag(121)
    eth = [price * (1 + D(number % 7) / 100) for number, price in enumerate(btc)]

    memory = remembered(*candles(btc), *candles(eth, ETH))

    returns = [[log(after / before) for before, after in itertools.pairwise(one)] for one in (btc, eth)]
    expected = independent.correlation(*returns)
    assert abs(float(memory.statistics(BTC, (ETH,), NOW).correlations[ETH]) - expected) < 1e-6
    assert memory.correlations(ETH, (BTC,), NOW)[BTC] == memory.correlations(BTC, (ETH,), NOW)[ETH]


@pytest.mark.parametrize(("count", "is_known"), [(RULES.min_returns, False), (RULES.min_returns + 1, True)])
def test_too_few_candles_leave_volatility_and_correlation_unknown(count: int, *, is_known: bool) -> None:
    memory = remembered(*candles(zigzag(count)), *candles(zigzag(count, "2"), ETH))

    found = memory.statistics(BTC, (ETH,), NOW)

    assert (found.volatility is not None) is is_known
    assert (ETH in found.correlations) is is_known
    assert (found.regime is not Regime.UNKNOWN) is is_known


def test_a_market_that_does_not_move_correlates_with_nothing() -> None:
    still, moving = dict.fromkeys(range(50), 0), dict(enumerate(range(50)))

    assert correlation(Returns.of(still), Returns.of(moving), 30) is None


def test_figures_age_out_when_nothing_more_comes() -> None:
    messages = (*candles(zigzag(200)), *candles(zigzag(200), ETH), a_mid(D(100), 1), a_book())
    memory = remembered(*messages)
    assert memory.statistics(BTC, (ETH,), NOW + MINUTE).spread_median_bps is not None

    later = memory.statistics(BTC, (ETH,), NOW + DAY)

    nothing = a_memory().statistics(BTC, (ETH,), NOW + DAY)
    past = {"volatility_median": later.volatility_median, "volatility_samples": later.volatility_samples}
    assert later == nothing.model_copy(update=past)


def test_the_longest_candles_that_can_answer_are_asked() -> None:
    fast, slow = candles(zigzag(70)), candles(zigzag(70, "3"), interval="5m")

    both, only_slow = remembered(*fast, *slow), remembered(*slow)
    few = remembered(*fast, *slow[-5:])

    assert both.statistics(BTC, (), NOW).volatility == only_slow.statistics(BTC, (), NOW).volatility
    assert few.statistics(BTC, (), NOW).volatility == remembered(*fast).statistics(BTC, (), NOW).volatility


def test_the_past_is_measured_in_stretches_that_are_over() -> None:
    calm, wild = zigzag(120, "0.1"), zigzag(60, "5")
    memory = remembered(*candles([*calm, *wild]))

    found = memory.statistics(BTC, (), NOW)

    assert found.volatility_samples >= 10
    assert found.volatility is not None
    assert found.volatility_median is not None
    assert found.volatility > 3 * found.volatility_median


def test_volume_is_that_of_the_last_five_minutes() -> None:
    found = remembered(*candles([D(100)] * 20, volume="3")).statistics(BTC, (), NOW)

    assert found.volume_5m_notional == 5 * 3 * 100


def test_the_minutes_median_and_the_move_come_from_ticks_of_their_windows() -> None:
    inside = [a_mid(D(price), ago) for price, ago in ((100, 50), (101, 30), (104, 10))]
    before, long_ago = a_mid(D(110), 200), a_mid(D(500), 400)

    found = remembered(long_ago, before, *inside).statistics(BTC, (), NOW)

    assert found.mid_median_60s == D(101)
    assert found.move_5m == D("0.1")


def test_the_books_medians_leave_out_the_minute_that_is_judged() -> None:
    usual = [a_book(at=NOW - MINUTE * number) for number in range(1, 6)]
    now = a_book(bid="49000", ask="51000", depth="10", at=NOW)

    found = remembered(*usual, now).statistics(BTC, (), NOW)

    assert found.spread_median_bps == D(2)
    assert found.depth_median_notional == D(500000)


def test_a_correction_replaces_its_candle() -> None:
    right = candles(zigzag(80))
    wrong = [one.model_copy(update={"close": D(500)}) if number == 40 else one for number, one in enumerate(right)]
    correction = right[40].model_copy(update={"origin": CandleOrigin.CORRECTION})

    found = remembered(*wrong, correction).statistics(BTC, (), NOW)

    assert found == remembered(*right).statistics(BTC, (), NOW)


def test_nothing_that_claims_the_future_hides_what_is_true() -> None:
    true = (*candles(zigzag(80)), a_mid(D(100), 5))
    ahead = a_mid(D(900), 5).model_copy(update={"occurred_at": NOW + DAY})
    far = candles([D(9)])[0].model_copy(update={"start": NOW + DAY})

    found = remembered(far, *true, ahead).statistics(BTC, (), NOW)

    assert found.volatility == remembered(*true).statistics(BTC, (), NOW).volatility
    assert found.mid_median_60s is not None


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_statistics_do_not_depend_on_the_order_of_arrival(data: st.DataObject) -> None:
    closes = data.draw(st.lists(prices, min_size=34, max_size=60))
    seconds = data.draw(st.lists(st.tuples(prices, st.integers(0, 400)), max_size=20, unique_by=lambda one: one[1]))
    messages: list[Tick | Candle | BookSummary] = [
        *candles(closes), *candles(closes[::-1], ETH),
        *(a_mid(price, ago) for price, ago in seconds), *(a_book(at=NOW - MINUTE * ago) for ago in range(4)),
    ]  # fmt: skip
    shuffled = data.draw(st.permutations(messages))
    repeated = data.draw(st.sets(st.sampled_from(range(len(messages)))))

    one = remembered(*messages).statistics(BTC, (ETH,), NOW)
    other = remembered(*shuffled, *(messages[number] for number in repeated)).statistics(BTC, (ETH,), NOW)

    assert one.model_copy(update={"regime": None}) == other.model_copy(update={"regime": None})


@settings(max_examples=100, deadline=None)
@given(st.lists(prices, min_size=40, max_size=60), st.integers(0, 39))
def test_what_is_asked_in_between_changes_no_later_answer(closes: list[Decimal], moment: int) -> None:
    asked, quiet = a_memory(), a_memory()
    for number, candle in enumerate(candles(closes)):
        for memory in (asked, quiet):
            memory.on_candle(candle)
        if number >= moment:
            asked.statistics(BTC, (ETH,), candle.published_at)

    assert asked.statistics(BTC, (ETH,), NOW) == quiet.statistics(BTC, (ETH,), NOW)


moments = st.integers(-700, 130).map(lambda halves: NOW + timedelta(seconds=halves / 2))
told = st.one_of(
    st.builds(lambda at, price: a_tick(bid=str(price - 1), ask=str(price + 1), at=at), moments, prices),
    st.builds(lambda at, price: a_book(bid=str(price - 1), ask=str(price + 1), at=at), moments, prices),
    st.builds(lambda back, price: candles([price], end=ON_THE_MINUTE - MINUTE * back)[0], st.integers(-1, 6), prices),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(told, moments), max_size=12))
def test_what_was_said_before_is_said_again_only_while_it_is_true(
    story: list[tuple[Tick | Candle | BookSummary, datetime]],
) -> None:
    asked = a_memory()
    for number, (message, moment) in enumerate(story):
        tell(asked, message)
        fresh = remembered(*(told for told, _ in story[: number + 1]))
        assert asked.statistics(BTC, (ETH,), moment) == fresh.statistics(BTC, (ETH,), moment)


def test_memory_is_bounded() -> None:
    memory = a_memory()
    for number in range(3 * SECONDS):
        memory.on_tick(a_mid(D(100), 3 * SECONDS - number))
    for number in range(5 * MINUTES):
        memory.on_book(a_book(at=NOW - MINUTE * (5 * MINUTES - number)))
    for candle in candles(zigzag(20000)):
        memory.on_candle(candle)

    known = memory.products[BTC]
    series = known.series[MINUTE]
    assert len(known.ticks.slots) <= 2 * SECONDS
    assert len(known.books.slots) <= 2 * MINUTES
    assert max(map(len, (series.closes, series.returns, series.volumes))) <= 2 * KEPT
    assert len(series.blocks) <= 1440


REGIMES = RegimeRules(
    window_returns=4, bull_fraction=D("0.02"), bear_fraction=D("0.02"), crash_fraction=D("0.1"), leave_share=D("0.5")
)


@pytest.mark.parametrize(
    ("before", "closes", "after"),
    [
        (Regime.CHOP, [100, 101, 102], Regime.BULL),
        (Regime.CHOP, [100, 101, 101.9], Regime.CHOP),
        (Regime.BULL, [100, 101, 101], Regime.BULL),
        (Regime.BULL, [100, 101, 100.9], Regime.CHOP),
        (Regime.CHOP, [100, 99, 98], Regime.BEAR),
        (Regime.BEAR, [100, 99, 99.5], Regime.CHOP),
        (Regime.BULL, [100, 110, 99], Regime.CRASH),
        (Regime.CRASH, [100, 110, 104.5], Regime.CRASH),
        (Regime.CRASH, [100, 110, 105], Regime.BULL),
        (Regime.BULL, [100, 110], Regime.UNKNOWN),
    ],
)
def test_a_regime_holds_until_its_figure_has_halved(before: Regime, closes: list[float], after: Regime) -> None:
    assert regime_after(before, [D(str(close)) for close in closes], REGIMES) is after
