"""How often and how soon (G11-G13), and what a flatten may skip (G21), through the running gate."""

import time
from datetime import timedelta

from stand import BTC, ETH, SOL, Stand, approved, failed, is_approved, policy, trips, until

from gpt_trader.contracts.decisions import Decision, Outcome
from gpt_trader.contracts.signals import Action
from gpt_trader.risk_gate.domain import records

LONG = 10000
OFTEN = {"trades_per_day_are_few", "trades_per_hour_are_few", "entries_per_hour_are_few", "trades_are_apart"}
AGAIN = {"product_has_rested", "order_is_not_repeating", "content_is_first"}
ENDED = {"losses_in_a_row_have_passed", "product_has_cooled_down", "messages_per_minute_are_few"}


@trips("trades_per_day_are_few", "trades_per_hour_are_few", "entries_per_hour_are_few", "trades_are_apart")
@trips("product_has_rested", "order_is_not_repeating", "content_is_first", "messages_per_minute_are_few")
@trips("losses_in_a_row_have_passed", "product_has_cooled_down")
@policy(
    frequency={
        "trades_per_day": 3, "trades_per_hour": 3, "entries_per_hour": 2, "between_trades_seconds": 0,
        "per_product_seconds": LONG, "messages_per_minute": 3,
    },
    cooldowns={"consecutive_losses": 1, "consecutive_losses_seconds": LONG, "after_loss_seconds": LONG},
    repeats={"same_orders": 1, "pause_seconds": 3},
    signals={"duplicate_window_seconds": LONG},
    window={"from_utc": "09:00", "to_utc": "10:00"},
)  # fmt: skip
def test_each_limit_lets_so_many_through_and_then_none_and_a_flatten_skips_them(stand: Stand) -> None:
    kept, entered = stand.enter(ETH), stand.enter(BTC)
    stand.settled()
    again = stand.enter(BTC)
    left = stand.exit(BTC)
    until(lambda: not stand.position(BTC), "a flat product")
    stand.settled()
    after = stand.enter(BTC)
    until(lambda: any(alert.code == "repeated_order" for alert in stand.seen.alerts), "an alert of the repetition")
    stand.until_gone("repeated_order")
    other = stand.enter(SOL)
    stand.command("flatten")
    until(lambda: not stand.position(ETH), "flat books")

    approved(kept)
    approved(entered)
    approved(left)
    assert failed(again).keys() == AGAIN | {"entries_per_hour_are_few"}
    assert AGAIN | ENDED | OFTEN - {"trades_are_apart"} <= failed(after).keys()
    assert failed(other).keys() == (OFTEN | ENDED) - {"trades_are_apart", "product_has_cooled_down"}
    flattened = [one for one in stand.seen.decisions if one.signal.reason == "flatten"][-1]
    judged = {one.check for one in flattened.checks if one.outcome is not Outcome.SKIPPED}
    assert not {"G7", "G9", "G10", "G11", "G12", "G13", "G19"} & judged
    assert {"G1", "G2", "G14", "G15", "G17", "G18"} <= judged
    assert [row["side"] for row in stand.orders(ETH)] == ["BUY", "SELL"]


@trips("strategy_is_enabled")
@policy(
    escalation={
        "strategy_denials": 3, "strategy_denials_window_seconds": 5, "strategy_denials_pause_seconds": 5,
    },
)  # fmt: skip
def test_a_strategy_that_insists_on_denials_pauses_its_flood_is_a_sum_and_its_exits_go_on(stand: Stand) -> None:
    stand.hold(BTC, strategy="hasty")
    flood = [stand.ask(Action.ENTER, ETH, strategy="hasty", age=timedelta(minutes=5)) for _ in range(8)]
    left = stand.exit(BTC, strategy="hasty")
    other = stand.enter(ETH)
    cause = stand.until_cause("strategy_throttled")
    summed = until(
        lambda: [one for one in stand.journal() if isinstance(one, records.DenialsWithheld)], "the sum of a flood"
    )[-1]
    stand.until_gone("strategy_throttled")

    asked = {signal.signal_id for signal in flood}
    assert sum(one.signal.signal_id in asked for one in stand.seen.decisions) == 3
    assert (cause.strategy, cause.until is not None) == ("hasty", True)
    assert (summed.strategies, summed.others, summed.rules["signal_is_fresh"]) == ({"hasty": 5}, 0, 5)
    assert summed.rules["strategy_is_enabled"] == 5
    approved(left)
    approved(other)
    approved(stand.enter(SOL, strategy="hasty"))


def two_within_a_second(stand: Stand) -> list[Decision]:
    """Ask for two entries at once; a machine that is slow to decide on them is asked again, two seconds later."""
    for _ in range(10):
        asked = [stand.ask(Action.ENTER, product) for product in (BTC, ETH)]
        decisions = [stand.decided(signal) for signal in asked]
        if decisions[1].decided_at - decisions[0].decided_at < timedelta(seconds=1):
            break
        time.sleep(2)
    return decisions


@trips("trades_are_apart", "messages_per_second_are_few")
@policy(frequency={"between_trades_seconds": 2, "messages_per_second": 1})
def test_trades_are_kept_apart_in_time(stand: Stand) -> None:
    time.sleep(2)  # what closed the last test's positions were trades and messages, too
    first, second = two_within_a_second(stand)

    approved(first)
    assert failed(second).keys() == {"trades_are_apart", "messages_per_second_are_few"}
    until(lambda: is_approved(stand.enter(SOL)), "a trade after two seconds")
    approvals = [one.intent for one in stand.journal() if isinstance(one, records.DecisionMade) and one.intent]
    assert (approvals[-1].approved_at - approvals[-2].approved_at).total_seconds() >= 2
