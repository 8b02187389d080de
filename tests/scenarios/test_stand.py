"""The stand itself: what it says a test can rely on."""

from decimal import Decimal

from stand import BTC, Stand, approved, failed, policy


def test_an_entry_inside_every_limit_is_approved_and_filled_at_the_venue(stand: Stand) -> None:
    held = stand.hold(BTC)
    left = stand.leave(BTC)

    approved(left)
    assert [(row["side"], row["status"]) for row in stand.orders(BTC)] == [("BUY", "FILLED"), ("SELL", "FILLED")]
    assert held == sum(Decimal(row["filled_size"]) for row in stand.orders(BTC) if row["side"] == "BUY")


@policy(limits={"max_order_notional": "0.5"})
def test_the_mark_of_a_test_is_the_policy_of_the_gate(stand: Stand) -> None:
    decision = stand.enter(BTC)

    assert failed(decision).keys() == {"order_is_within_limit"}
    assert not stand.orders()
