"""Checks of the wish, the market and the size (G1-G10, G14-G19, SZ3-SZ5), each tripped through the running gate."""

import time
import urllib.request
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from stand import (
    BTC,
    DOGE,
    ETH,
    LTC,
    PRICES,
    SOL,
    TERMS,
    Stand,
    Terms,
    approved,
    failed,
    is_approved,
    policy,
    trips,
    until,
)
from system import GATE

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import Decision, Outcome
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Side

pytestmark = [
    policy(exposure={"per_asset_fraction": "0.5", "total_fraction": "0.9"}),
]

USDC = "BTC-USDC"
TINY = "0.000001"


@pytest.fixture(scope="module")
def stand_terms() -> Terms:
    """Add a product that is not quoted in the currency of the account."""
    return replace(TERMS, tiers={**TERMS.tiers, USDC: "T1"})


def rules(decision: Decision) -> set[str]:
    return set(failed(decision))


# --- G1: the wish itself; under the policy of every test before, so nothing is restarted


@pytest.mark.parametrize(
    ("changes", "rule", "limit"),
    [
        pytest.param(
            {"age": timedelta(seconds=61), "expires_in": 120},
            "signal_is_fresh",
            "60",
            marks=trips("signal_is_fresh"),
        ),
        pytest.param(
            {"age": timedelta(seconds=-11), "expires_in": 120},
            "signal_is_fresh",
            "60",
            marks=trips("signal_is_fresh"),
        ),
        pytest.param({"expires_in": 0}, "signal_has_not_expired", "0", marks=trips("signal_has_not_expired")),
        pytest.param(
            {"side": Side.SELL}, "side_fits_action", "spot is never held short", marks=trips("side_fits_action")
        ),
        pytest.param(
            {"reference_price": PRICES[BTC] * Decimal("1.021")},
            "reference_is_within_collar",
            "200",
            marks=trips("reference_is_within_collar"),
        ),
    ],
    ids=["old", "from the future", "expired", "wrong side", "another price"],
)
def test_a_wish_that_is_wrong_in_one_thing_fails_for_that(
    stand: Stand, changes: dict[str, Any], rule: str, limit: str
) -> None:
    left = {name: value for name, value in changes.items() if name != "expires_in"}
    signal = stand.signal(Action.ENTER, BTC, **left)
    if "expires_in" in changes:
        ends = signal.created_at + timedelta(seconds=changes["expires_in"])
        signal = signal.model_copy(update={"expires_at": ends})

    stand.send(signal)
    decision = stand.decided(signal)

    assert rules(decision) == {rule}, failed(decision)
    assert failed(decision)[rule].limit == limit
    assert not stand.orders()


@pytest.mark.parametrize(
    "changes",
    [{"age": timedelta(seconds=40)}, {"reference_price": PRICES[BTC] * Decimal("1.019")}],
    ids=["younger than a minute", "within the collar"],
)
def test_a_wish_inside_the_limit_passes(stand: Stand, changes: dict[str, Any]) -> None:
    approved(stand.enter(BTC, **changes))


@trips("signal_id_is_first")
def test_a_signal_that_comes_again_is_refused_for_ever(stand: Stand) -> None:
    first = stand.enter(ETH)
    approved(first)
    stand.settled()
    stand.restart(GATE)
    stand.trading()

    stand.send(first.signal)

    until(lambda: stand.decided(first.signal).decision_id != first.decision_id, "the second verdict")
    assert rules(stand.decided(first.signal)) == {"signal_id_is_first"}
    assert len(stand.orders()) == 1


# --- G2


@trips("state_allows")
def test_a_paused_product_takes_no_entry_and_the_others_do(stand: Stand) -> None:
    stand.command("pause", b'{"product":"BTC-USD","minutes":5}')
    stand.until_cause("operator_pause")

    denied = stand.enter(BTC)

    assert rules(denied) == {"state_allows"}
    assert failed(denied)["state_allows"].value == TradingStatus.PAUSED
    approved(stand.enter(ETH))


@trips("nothing_is_unknown")
def test_a_product_with_an_order_of_unknown_fate_takes_no_entry_and_the_others_do(stand: Stand) -> None:
    stand.fault("stale_feed", match="user", times=-1)
    stand.delays(visibility_ms=8000)  # nobody says for so long what became of the order
    stand.fault("http_500_after_accept", match="POST /api/v3/brokerage/orders")
    seen = len(stand.seen.orders)
    approved(stand.enter(BTC))
    until(lambda: OrderStatus.UNKNOWN in [one.status for one in stand.seen.orders[seen:]], "an unknown outcome")

    denied, other = stand.enter(BTC), stand.enter(ETH)
    stand.fault("stale_feed", match="user", times=0)
    stand.settled()

    assert rules(denied) == {"nothing_is_unknown"}, failed(denied)
    approved(other)
    assert len(stand.orders(BTC)) == 1


# --- G3


@trips("product_is_in_universe")
def test_a_product_outside_the_universe_is_not_entered(stand: Stand) -> None:
    decision = stand.enter(LTC)

    assert "product_is_in_universe" in rules(decision)
    assert not stand.orders()


@trips("product_accepts_orders")
def test_a_status_flag_of_the_venue_denies_and_its_end_lets_pass(stand: Stand) -> None:
    stand.market(product_id=SOL, flags={"cancel_only": True})
    until(lambda: stand.seen.specs[SOL].is_cancel_only, "the flag in the universe")
    denied = stand.enter(SOL)
    stand.market(product_id=SOL, flags={"cancel_only": False})
    until(lambda: not stand.seen.specs[SOL].is_cancel_only, "the end of the flag in the universe")

    assert rules(denied) == {"product_accepts_orders"}
    assert "cancel_only" in failed(denied)["product_accepts_orders"].value
    approved(stand.enter(SOL))


@trips("quote_is_ours")
def test_a_product_in_another_currency_is_not_entered(stand: Stand) -> None:
    assert rules(stand.enter(USDC)) == {"quote_is_ours"}


# --- G4, G5: frozen, gone


@trips("mark_is_fresh")
@policy(marks={"stale_seconds": 4, "stale_pause_seconds": 10}, escalation={"infrastructure_denials": 3})
def test_a_stale_mark_denies_pauses_its_product_and_again_and_again_restricts_everything(stand: Stand) -> None:
    stand.market(product_id=BTC, frozen=True)
    stand.until_old(BTC, 4)
    denied = stand.enter(BTC)
    pause = stand.until_cause("stale_mark", product=BTC)
    other = stand.enter(ETH)
    stand.enter(BTC)
    stand.enter(BTC)
    escalated = stand.until_cause("infrastructure_denials")

    assert rules(denied) == {"mark_is_fresh", "book_is_fresh"}
    assert failed(denied)["mark_is_fresh"].limit == "4"
    assert pause.status is TradingStatus.PAUSED
    approved(other)
    assert escalated.status is TradingStatus.REDUCE_ONLY
    assert objections("mark_is_fresh", stand) >= 3


def objections(rule: str, stand: Stand) -> float:
    """Read how often a check objected (G22), from the gate's metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stand.system.ports.health[GATE]}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if f'rule="{rule}"' in line and "_created" not in line)


@trips("feed_is_clean")
def test_a_feed_that_was_cut_denies_until_it_is_clean_again(stand: Stand) -> None:
    stand.fault("ws_refuse", match="level2", times=-1)
    stand.fault("ws_drop", match="level2")

    until(lambda: not stand.seen.feeds[ETH].is_clean, "word of the cut")
    denied = stand.enter(ETH)
    stand.fault("ws_refuse", times=0)
    until(lambda: stand.seen.feeds[ETH].is_clean, "word of its end")

    assert rules(denied) == {"feed_is_clean"}, failed(denied)
    approved(stand.enter(ETH))


@trips("book_is_fresh")
@policy(marks={"stale_seconds": 4})
def test_a_book_that_stands_still_while_prices_come_denies(stand: Stand) -> None:
    stand.fault("stale_feed", match="level2", times=-1)
    stand.until_old(BTC, 4, stand.seen.books)

    assert rules(stand.enter(BTC)) == {"book_is_fresh"}


# --- G6, G7: everything that an order adds to


SIZES = {
    "order_is_within_limit": "0.5",
    "position_is_within_limit": "0.6",
    "leverage_is_within_limit": "0.001",
    "minute_is_within_limit": "1",
    "hour_is_within_limit": "2",
    "day_is_within_limit": "3",
    "order_is_within_share": None,
    "asset_is_within_share": None,
    "total_is_within_share": None,
    "cluster_is_within_share": None,
}


@trips("order_is_within_limit", "position_is_within_limit", "leverage_is_within_limit")
@trips("minute_is_within_limit", "hour_is_within_limit", "day_is_within_limit")
@trips("order_is_within_share", "asset_is_within_share", "total_is_within_share", "cluster_is_within_share")
@policy(
    limits={
        "max_order_notional": "0.5", "max_position_notional": "0.6", "max_leverage": "0.001",
        "notional_per_minute": 1, "notional_per_hour": 2, "notional_per_day": 3,
        "order_fraction": TINY,
    },
    exposure={
        "per_asset_fraction": TINY, "total_fraction": "0.000002",
        "clusters": {"majors": {"products": [BTC], "fraction": "0.000003"}},
    },
)  # fmt: skip
def test_an_order_too_large_for_every_limit_is_denied_by_each_of_them_and_by_nothing_else(stand: Stand) -> None:
    decision = stand.enter(BTC)

    assert rules(decision) == SIZES.keys()
    for rule, limit in SIZES.items():
        assert limit in {None, failed(decision)[rule].limit}
        assert Decimal(failed(decision)[rule].value) > Decimal(failed(decision)[rule].limit)
    assert not stand.orders()


@policy(limits={"max_order_notional": 3000, "max_position_notional": 7000})
def test_entries_fill_a_limit_and_never_pass_it(stand: Stand) -> None:
    held = [stand.enter(BTC) for _ in range(3)]

    assert all(map(is_approved, held))
    assert [one.notional <= 3000 for one in held] == [True] * 3
    assert sum(one.quantity for one in held) * PRICES[BTC] <= 7000, "at the mark: what is filled counts no worse"


@trips("open_orders_are_few", "order_does_not_meet_our_own", "balance_covers_it", "order_only_reduces")
@policy(limits={"max_open_orders": 1})
def test_open_orders_of_ours_count_and_are_never_met(stand: Stand) -> None:
    stand.hold(BTC)
    stand.delays(pending_ms=6000)
    approved(stand.enter(BTC))

    second, met = stand.enter(ETH), stand.exit(BTC)
    nothing_held = stand.exit(SOL)
    stand.delays(pending_ms=0)
    stand.settled()

    assert rules(second) == {"open_orders_are_few"}
    assert rules(met) == {"order_does_not_meet_our_own"}
    assert {"order_only_reduces", "quantity_is_on_increment"} <= rules(nothing_held)


@trips("equity_is_known")
@policy(marks={"stale_seconds": 4, "hard_stale_seconds": 4})
def test_what_is_held_without_a_mark_leaves_the_equity_unknown(stand: Stand) -> None:
    stand.hold(BTC)
    stand.market(product_id=BTC, frozen=True)
    stand.until_old(BTC, 4)

    denied = stand.enter(ETH)

    assert "equity_is_known" in rules(denied)
    assert not stand.orders(ETH)


@trips("balance_covers_it", "total_is_within_share")
@policy(
    sizing={"tier_fractions": {"T1": 1, "T2": 1, "T3": 1}, "max_entry_notional": 10**9},
    exposure={"per_asset_fraction": 1, "total_fraction": 1},
    breakers={"concentration_fraction": 1},
    working={"notional_per_second": 10**9},
    limits={"max_order_notional": 10**9, "max_position_notional": 10**9, "max_leverage": 5, "order_fraction": 1},
)
def test_money_that_is_spent_buys_nothing_more(stand: Stand) -> None:
    for product in (BTC, ETH):
        stand.price(product, PRICES[product], depth="100000000")
    bought = [stand.hold(BTC) for _ in range(3)]

    denied = stand.enter(ETH)

    assert bought[-1] > 0
    shares = {"total_is_within_share", "cluster_is_within_share"}
    correlated = {"correlated_is_within_share"}  # depends on what the candles of the last hour say
    assert rules(denied) - correlated == {"balance_covers_it", *shares}
    assert not stand.orders(ETH)


# --- G9, G10


@trips("spread_is_within_tier")
def test_each_tier_has_its_spread(stand: Stand) -> None:
    for product, passes, fails, limit in ((BTC, "19", "21", "20"), (SOL, "34", "37", "35")):
        stand.price(product, PRICES[product], spread_bps=passes)
        approved(stand.enter(product))
        stand.price(product, PRICES[product], spread_bps=fails)
        denied = stand.enter(product)
        assert rules(denied) == {"spread_is_within_tier"}
        assert failed(denied)["spread_is_within_tier"].limit == limit


@trips("spread_is_within_hard_limit")
def test_an_exit_does_not_cross_a_broken_book(stand: Stand) -> None:
    stand.hold(BTC)
    stand.price(BTC, PRICES[BTC], spread_bps="90")

    assert rules(stand.exit(BTC)) == {"spread_is_within_hard_limit"}


@trips("depth_is_enough")
def test_a_thin_book_carries_no_entry(stand: Stand) -> None:
    stand.price(BTC, PRICES[BTC], depth="15000")

    assert rules(stand.enter(BTC)) == {"depth_is_enough"}


@trips("impact_is_small", "limit_is_within_collar")
@policy(prices={"depth_multiple": "0.1", "collar_bps": dict.fromkeys(("T1", "T2", "T3"), 0), "crossing_bps": 0})
def test_an_order_that_walks_the_book_or_leaves_the_collar_is_denied(stand: Stand) -> None:
    stand.price(BTC, PRICES[BTC], depth="8000")
    walks = stand.enter(BTC)
    stand.price(DOGE, PRICES[DOGE], spread_bps="20.6")
    leaves = stand.enter(DOGE)

    assert rules(walks) == {"impact_is_small"}
    assert rules(leaves) == {"limit_is_within_collar"}


# --- G15, G16, G19, and sizes


@trips("notional_reaches_minimum")
@policy(sizing={"min_order_notional": 4000})
def test_an_order_below_the_profiles_minimum_is_denied_with_that_reason(stand: Stand) -> None:
    small = stand.enter(DOGE)

    assert rules(small) == {"notional_reaches_minimum"}
    assert failed(small)["notional_reaches_minimum"].limit == "4000"
    approved(stand.enter(BTC))


@trips("fee_is_within_reserve")
@policy(worst_fee_bps=9)
def test_a_tier_that_pays_more_than_the_limits_assume_takes_no_entries(stand: Stand) -> None:
    dear = stand.enter(BTC)

    assert rules(dear) == {"fee_is_within_reserve"}
    assert (failed(dear)["fee_is_within_reserve"].value, failed(dear)["fee_is_within_reserve"].limit) == (
        "0.001",
        "0.0009",
    )


@trips("quantity_is_on_increment", "window_is_open")
@policy(sizing={"confidence_floor_fraction": 0}, window={"weekdays": [7]})
def test_nothing_is_nothing_and_a_monday_is_no_sunday(stand: Stand) -> None:
    nothing, closed = stand.enter(BTC, confidence=Decimal(0)), stand.enter(BTC)

    assert {"quantity_is_on_increment", "notional_reaches_minimum", "window_is_open"} == rules(nothing)
    assert rules(closed) == {"window_is_open"}


@trips("venue_would_take_it")
@policy(preview={"is_asked": True, "failures_in_a_row": 2})
def test_an_order_whose_preview_fails_is_denied_and_after_two_in_a_row_every_entry_is(stand: Stand) -> None:
    approved(stand.enter(ETH))
    stand.settled()
    stand.fault("http_500_before_accept", match="orders/preview", times=-1)

    assert rules(stand.enter(ETH)) == {"venue_would_take_it"}
    assert stand.cause("preview_failures") is None
    assert rules(stand.enter(ETH)) == {"venue_would_take_it"}
    assert stand.until_cause("preview_failures").status is TradingStatus.REDUCE_ONLY
    assert "state_allows" in rules(stand.enter(SOL))
    assert len(stand.orders()) == 1


@pytest.mark.parametrize(
    ("price", "seconds"),
    [
        pytest.param("1.02", 0, marks=policy(approvals={"permit_collar_bps": 100}), id="its price moved"),
        pytest.param("1", 2.2, marks=policy(approvals={"expiry_seconds": 2}), id="it is too old"),
    ],
)
def test_an_approval_whose_time_or_price_has_passed_never_becomes_an_order(
    stand: Stand, price: str, seconds: float
) -> None:
    stand.freeze("executor")
    decision = approved(stand.enter(BTC))
    stand.price(BTC, PRICES[BTC] * Decimal(price))
    time.sleep(seconds)
    stand.thaw("executor")

    def over() -> list[OrderStatus]:
        mine = [one for one in stand.seen.orders if one.intent_id == decision.intent_id]
        return [one.status for one in mine if one.status.is_terminal]

    assert until(over, "the end of the approval") == [OrderStatus.FAILED]
    assert not stand.orders()


@policy(sizing={"max_quantities": {ETH: "0.01"}, "max_entry_notional": 4000})
def test_sizes_follow_the_tier_the_caps_of_the_profile_and_the_increments(stand: Stand) -> None:
    equity = stand.account().equity
    sizes = {product: stand.enter(product) for product in (BTC, ETH, SOL, DOGE)}

    assert all(map(is_approved, sizes.values()))
    assert Decimal(3990) < sizes[BTC].notional <= 4000, "T1 is 5 %, and the profile says 4000"
    assert sizes[ETH].quantity == Decimal("0.01")
    assert equity * Decimal("0.0299") < sizes[SOL].notional <= equity * Decimal("0.03")
    assert equity * Decimal("0.0099") < sizes[DOGE].notional <= equity * Decimal("0.01")
    for decision in sizes.values():
        assert decision.market.spec is not None
        assert decision.quantity % decision.market.spec.base_increment == 0
        assert not [one for one in decision.checks if one.outcome is Outcome.FAILED]


# --- CB4: what reports do


@policy(escalation={"rejections": 2, "rejections_pause_seconds": 10}, venue_health={"min_requests": 10**6})
def test_orders_that_the_venue_keeps_rejecting_pause_their_product(stand: Stand) -> None:
    stand.fault("reject_401_once", match="POST /api/v3/brokerage/orders", times=2)
    for _ in range(2):
        approved(stand.enter(SOL))
        stand.settled()

    cause = stand.until_cause("order_rejections", product=SOL)

    assert cause.status is TradingStatus.PAUSED
    assert rules(stand.enter(SOL)) == {"state_allows"}
    approved(stand.enter(ETH))


@policy(escalation={"slippage_bps": "3", "slippage_breaches": 2, "slippage_pause_seconds": 10})
def test_fills_that_keep_slipping_pause_their_product(stand: Stand) -> None:
    stand.price(SOL, PRICES[SOL], spread_bps="12")
    for _ in range(2):
        approved(stand.enter(SOL))
        stand.settled()

    assert stand.until_cause("slippage", product=SOL).status is TradingStatus.PAUSED


# --- the last of the file: a day's loss stands for the day


@trips("drawdown_is_within_limit")
def test_a_fall_from_the_peak_blocks_entries_until_it_is_made_good(stand: Stand) -> None:
    stand.hold(BTC)
    stand.with_policy(limits={"drawdown_fraction": "0.00001"})
    stand.until_cause("drawdown")

    assert rules(stand.enter(ETH)) == {"drawdown_is_within_limit", "state_allows"}


@trips("daily_loss_is_within_limit")
def test_a_days_loss_is_reduce_only_for_the_rest_of_the_day(stand: Stand) -> None:
    stand.hold(BTC)
    stand.with_policy(limits={"daily_loss_notional": 1})
    stand.until_cause("daily_loss")

    assert rules(stand.enter(ETH)) == {"daily_loss_is_within_limit", "state_allows"}
    approved(stand.exit(BTC))
