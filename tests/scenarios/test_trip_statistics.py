"""What the gate measures of markets and trades: candles on the bus in, verdicts and sizes out."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from stand import BTC, DOGE, ETH, LTC, PRICES, SOL, TERMS, Stand, Terms, approved, failed, policy, trips, until
from system import GATE

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import Decision, Regime, SizingStep
from gpt_trader.contracts.market import BookSummary, Candle, CandleOrigin, Tick
from gpt_trader.contracts.message import Message, digest
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.bus import Bus, connect

QUARTER = timedelta(minutes=15)
COUNT = 130
SWEPT = {
    "volatility_multiple": 3, "volatility_samples": 5, "volatility_floor": "0.02",
    "correlation": "0.8", "correlated_fraction": "0.07",
}  # fmt: skip
"""Multiples of the median and shares of what moves together, with all pauses of a second."""


@pytest.fixture(scope="module")
def stand_terms() -> Terms:
    return replace(TERMS, tiers={**TERMS.tiers, LTC: "T2"})


@pytest.fixture(scope="module")
def history(running_stand: Stand) -> None:
    """Give the gate a past: candles of an interval that market-data does not make, and which it prefers."""
    now = running_stand.clock.now()
    publish(running_stand, *candles(BTC, [PRICES[BTC] * (1000 + number % 3) / 1000 for number in range(COUNT)], now))
    publish(running_stand, *candles(ETH, [PRICES[ETH] * (1000 + number % 3) / 1000 for number in range(COUNT)], now))
    publish(running_stand, *candles(SOL, [PRICES[SOL] * (1000 + number % 2) / 1000 for number in range(COUNT)], now))
    publish(running_stand, *candles(LTC, [PRICES[LTC] * (1600 - number * 4) / 1000 for number in range(COUNT)], now))


def candles(product: str, closes: Sequence[Decimal], now: datetime) -> list[tuple[str, Message]]:
    """Make candles up to the quarter of an hour that is now; all were over when they are told."""
    first = datetime.fromtimestamp(now.timestamp() // 900 * 900, now.tzinfo) - QUARTER * len(closes)
    return [
        (
            subjects.candles("15m", product),
            Candle(
                product=product, interval="15m", start=first + QUARTER * number, open=close, high=close, low=close,
                close=close, volume=Decimal(1), origin=CandleOrigin.BACKFILL, published_at=now,
            ),
        )
        for number, close in enumerate(closes)
    ]  # fmt: skip


def publish(stand: Stand, *messages: tuple[str, Message]) -> None:
    """Say it as market-data does."""

    async def work() -> None:
        async with connect(stand.system.nats_url, stand.system.seed(Zone.MARKET_DATA), Zone.MARKET_DATA) as bus:
            for subject, message in messages:
                await _said(bus, subject, message)

    stand.hands.run(work())


async def _said(bus: Bus, subject: str, message: Message) -> None:
    if subject.startswith("ticks."):
        await bus.publish(subject, message)
        return
    await bus.store(subject, message, message_id=f"{subject}-{digest(message.encode())}")


def step(decision: Decision, name: str) -> SizingStep:
    return next(one for one in decision.sizing if one.step == name)


@pytest.mark.usefixtures("history")
@policy(exposure={"correlated_fraction": "0.5"}, statistics={"min_returns": 60})
@trips("correlated_is_within_share")
def test_what_moves_with_a_position_counts_with_it(stand: Stand) -> None:
    stand.hold(BTC)
    stand.with_policy(exposure={"correlated_fraction": "0.02"}, statistics={"min_returns": 60})

    alike, apart, unknown = stand.enter(ETH), stand.enter(SOL), stand.enter(DOGE)

    assert failed(alike).keys() == failed(unknown).keys() == {"correlated_is_within_share"}
    assert alike.market.statistics is not None
    assert alike.market.statistics.correlations[BTC] > Decimal("0.99")
    assert unknown.market.statistics is not None
    assert not unknown.market.statistics.correlations
    approved(apart)
    assert step(apart, "correlated").notional <= 2000
    assert Decimal(str(apart.account["correlated"])) < Decimal(str(alike.account["correlated"]))
    stand.settled()


@pytest.mark.usefixtures("history")
@policy(breakers=SWEPT)
@trips("correlated_share")
def test_held_products_that_move_together_are_only_reduced_until_they_weigh_less(stand: Stand) -> None:
    stand.hold(BTC)
    stand.hold(SOL)
    apart = stand.state().causes
    stand.hold(ETH)
    cause = stand.until_cause("correlation")
    denied = stand.enter(DOGE)
    stand.leave(ETH)
    stand.until_gone("correlation")

    assert not apart
    assert cause.status is TradingStatus.REDUCE_ONLY
    assert "limit 0.07 of equity" in cause.detail
    assert failed(denied).keys() == {"state_allows"}


@pytest.mark.usefixtures("history")
@policy(breakers=SWEPT)
@trips("volatility")
def test_a_market_that_varies_more_than_its_median_allows_takes_no_entries_until_it_is_calm(stand: Stand) -> None:
    now, calm = stand.clock.now(), [PRICES[SOL] * (1000 + number % 2) / 1000 for number in range(8)]
    publish(stand, *candles(SOL, [close * (10 + number % 2) / 10 for number, close in enumerate(calm)], now))
    cause = stand.until_cause("volatility", product=SOL)
    denied, elsewhere = stand.enter(SOL), stand.enter(BTC)
    publish(stand, *candles(SOL, calm, now))
    stand.until_gone("volatility")

    assert (cause.status, stand.state().status) == (TradingStatus.PAUSED, TradingStatus.ACTIVE)
    assert "state_allows" in failed(denied)
    approved(elsewhere)
    approved(stand.enter(SOL))
    stand.settled()


@policy(exposure={"default_cluster_fraction": "0.5"})
@trips("cluster_is_within_share")
def test_what_is_in_no_cluster_is_one_cluster(stand: Stand) -> None:
    stand.hold(BTC)
    stand.with_policy(exposure={"default_cluster_fraction": "0.02"})

    together = stand.enter(ETH)

    assert failed(together).keys() == {"cluster_is_within_share"}
    assert Decimal(str(together.account["cluster"])) > 2000
    assert stand.account().net_exposure == stand.account().exposure > 0


@policy(kelly={"min_trades": 1, "no_edge_fraction": "0.01"})
def test_a_strategy_that_lost_is_sized_without_an_edge_also_after_a_restart(stand: Stand) -> None:
    first = stand.enter(BTC, strategy="measured")
    stand.settled()
    stand.leave(BTC, strategy="measured")

    second = stand.enter(BTC, strategy="measured")
    stand.settled()
    stand.leave(BTC, strategy="measured")
    stand.restart(GATE)
    stand.trading()
    third, other = stand.enter(BTC, strategy="measured"), stand.enter(ETH, strategy="unmeasured")

    assert step(first, "kelly").detail == "off: 0 of 1 trades"
    assert step(second, "kelly").detail.startswith("no edge: 1 trades")
    assert step(third, "kelly").detail.startswith("no edge: 2 trades")
    assert step(second, "kelly").factor == step(third, "kelly").factor == Decimal("0.01")
    assert step(other, "kelly").factor == step(other, "tier").factor
    assert second.notional < first.notional / 4


@pytest.mark.usefixtures("history")
@policy(scaling={"target_volatility": "0.005"})
def test_an_entry_shrinks_with_volatility(stand: Stand) -> None:
    decision = stand.enter(BTC)

    scaled = step(decision, "volatility")
    statistics = decision.market.statistics
    approved(decision)
    assert statistics is not None
    assert statistics.volatility is not None
    assert statistics.volatility > Decimal("0.005")
    assert scaled.factor is not None
    assert abs(scaled.factor - Decimal("0.005") / statistics.volatility) < Decimal("1E-7")
    assert decision.notional <= step(decision, "tier").notional * scaled.factor
    stand.settled()


@pytest.mark.usefixtures("history")
@policy(scaling={"regimes": {"bull": 1, "chop": 1, "bear": 1, "crash": 0, "unknown": 1}})
def test_nothing_is_entered_in_a_crash(stand: Stand) -> None:
    crashed, calm = stand.enter(LTC), stand.enter(BTC)

    assert crashed.market.statistics is not None
    assert crashed.market.statistics.regime is Regime.CRASH
    assert step(crashed, "regime").notional == 0
    assert failed(crashed).keys() == {"quantity_is_on_increment", "notional_reaches_minimum"}
    assert step(calm, "regime").detail == "chop"
    approved(calm)
    stand.settled()


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("limit_is_within_period_collar", marks=policy(prices={"period_collar_bps": 100})),
        pytest.param("mark_has_not_jumped", marks=policy(prices={"jump_floor_bps": 100})),
    ],
)
@trips("limit_is_within_period_collar", "mark_has_not_jumped")
def test_a_price_that_left_its_last_minute_is_not_believed(stand: Stand, rule: str) -> None:
    seconds: set[int] = set()  # the gate keeps one price of each, and knows only what it saw since its start

    def are_three() -> bool:
        seconds.add(int(stand.seen.ticks[BTC].occurred_at.timestamp()))
        return len(seconds) > 3

    until(are_three, "three whole seconds at the old price")
    stand.price(BTC, PRICES[BTC] * Decimal("1.03"))

    assert failed(stand.enter(BTC)).keys() == {rule}


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("order_is_within_volume", marks=policy(limits={"volume_fraction": "0.00000001"})),
        pytest.param("order_is_within_share", marks=policy(limits={"order_fraction": "0.000001"})),
    ],
)
@trips("order_is_within_volume", "order_is_within_share")
def test_an_order_stays_small_against_the_market_and_against_equity(stand: Stand, rule: str) -> None:
    assert failed(stand.enter(BTC)).keys() == {rule}


@policy(limits={"volume_fraction": "0.001"})
def test_an_order_is_cut_to_its_part_of_the_markets_volume(stand: Stand) -> None:
    now = stand.clock.now()
    start = datetime.fromtimestamp(now.timestamp() // 30 * 30 - 30, now.tzinfo)
    traded = candles(BTC, [PRICES[BTC]], now)[0][1].model_copy(
        update={"interval": "30s", "start": start, "volume": Decimal(10)}
    )
    publish(stand, (subjects.candles("30s", BTC), traded))

    decision = stand.enter(BTC)

    approved(decision)
    assert decision.notional <= step(decision, "volume").notional == PRICES[BTC] * 10 / 1000
    stand.settled()


@policy(prices={"trade_distance_bps": 200})
@trips("trade_is_near_book", "market_is_two_sided")
def test_a_market_that_makes_no_sense_is_not_entered(stand: Stand) -> None:
    tick, book = stand.seen.ticks[BTC], stand.seen.books[BTC]
    stand.freeze("market-data")
    now = stand.clock.now()
    odd_trade = _now(tick, now, last_price=tick.mid * Decimal("1.05"))
    crossed = _now(book, now, ask=book.bid - 1)

    publish(stand, (subjects.ticks(BTC), odd_trade), (subjects.books(BTC), crossed))
    decision = stand.enter(BTC)

    assert failed(decision).keys() == {"trade_is_near_book", "market_is_two_sided"}


def _now(message: Tick | BookSummary, at: datetime, **changes: Decimal) -> Tick | BookSummary:
    later = {"occurred_at": at, "received_at": at, "sequence": message.sequence + 1}
    return message.model_copy(update={**later, **changes})
