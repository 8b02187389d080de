"""Orders in every form that may be wished, and wishes that are made before they are taken (EX1, EX2, G15)."""

import time
from decimal import Decimal
from typing import Any

import pytest
from stand import BTC, ETH, PRICES, SOL, Stand, approved, failed, is_approved, policy, trips, until
from system import GATE

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.forms import OrderAsked, OrderForm
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Signal
from gpt_trader.risk_gate.domain.records import AmendAsked, AmendEnded, DecisionMade

D = Decimal
FORMS = sorted(set(OrderForm) - {OrderForm.MARKET_IOC, OrderForm.BRACKET_GTD})
pytestmark = [
    policy(
        execution={
            "style": "maker_first",
            "ttl_seconds": 4,  # so that a test can see what rests, also on a busy machine
            "reprices": 1,
            "fallback_bps": {"T1": 20, "T2": 40, "T3": 60},
            "forms": [form.value for form in FORMS],
            "entry_life_seconds": 60,
        },
        protection={"stop_limit_bps": 500},
        exposure={"per_asset_fraction": "0.5", "total_fraction": "0.9"},
    ),
]
TAKING = OrderAsked(form=OrderForm.LIMIT_IOC)


def steps_of(stand: Stand, wish: Signal) -> list[Decision]:
    """Return the decisions on a wish and on what went on with it, in order."""
    own = wish.signal_id
    return [one for one in stand.seen.decisions if own in {one.signal.signal_id, one.signal.caused_by}]


def told(stand: Stand, wish: Signal) -> str:
    rows = [(row["status"], row["filled_size"]) for row in stand.orders(wish.product)]
    return f"{[(one.step, one.verdict, list(failed(one).items())) for one in steps_of(stand, wish)]}, {rows}"


def until_step(stand: Stand, wish: Signal, number: int) -> Decision:
    until(lambda: len(steps_of(stand, wish)) >= number, lambda: f"step {number}: {told(stand, wish)}")
    return steps_of(stand, wish)[number - 1]


def until_resting(stand: Stand, product: str, count: int = 1) -> dict[str, Any]:
    """Wait for the newest of so many orders of a product to rest at the venue, and for the gate to know it."""

    def rests() -> bool:
        rows = stand.orders(product)
        known = {order.client_order_id for order in stand.account().open_orders}
        return len(rows) == count and rows[-1]["status"] == "OPEN" and rows[-1]["client_order_id"] in known

    until(rests, f"order {count} of {product} at rest")
    return stand.orders(product)[-1]


def form_of(row: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name and the terms of an order's configuration."""
    ((name, terms),) = row["order_configuration"].items()
    return name, terms


# --- made before it is taken


def test_a_wish_is_made_made_again_and_only_then_taken_each_step_with_an_approval_of_its_own(stand: Stand) -> None:
    wish = stand.ask(Action.ENTER)

    last = until_step(stand, wish, 3)
    stand.settled()

    steps, rows = steps_of(stand, wish), stand.orders(BTC)
    assert [one.step for one in steps] == [1, 2, 3]
    assert len({one.intent_id for one in steps}) == 3
    assert [row["status"] for row in rows] == ["EXPIRED", "EXPIRED", "FILLED"]
    assert [form_of(row)[0] for row in rows] == ["limit_limit_gtd", "limit_limit_gtd", "sor_limit_ioc"]
    assert form_of(rows[0])[1]["post_only"] is True
    assert D(form_of(rows[0])[1]["limit_price"]) == stand.seen.ticks[BTC].bid
    assert stand.position(BTC) == last.quantity <= steps[0].quantity
    assert {one.rule for one in last.checks if one.outcome == "skipped"} >= {"trades_are_apart", "content_is_first"}


def test_what_was_made_in_part_is_taken_in_part_and_never_more_than_was_approved(stand: Stand) -> None:
    stand.fault("partial_fill", value=40)
    wish = stand.ask(Action.ENTER, BTC)
    approved_for = until_step(stand, wish, 1).quantity

    until_step(stand, wish, 3)
    stand.settled()

    filled = [D(row["filled_size"]) for row in stand.orders(BTC)]
    assert D(0) < filled[0] < approved_for
    assert steps_of(stand, wish)[1].quantity <= approved_for - filled[0]
    assert stand.position(BTC) == sum(filled) <= approved_for


@trips("fallback_is_near_arrival")
def test_what_ran_away_from_the_mark_at_arrival_is_not_taken(stand: Stand) -> None:
    wish = stand.ask(Action.ENTER, BTC)
    until_resting(stand, BTC)

    stand.price(BTC, PRICES[BTC] * D("1.003"))
    last = until_step(stand, wish, 3)

    assert "fallback_is_near_arrival" in failed(last)
    assert failed(last)["fallback_is_near_arrival"].limit == "20"
    assert not stand.position(BTC)


def test_a_word_that_stops_entries_takes_what_rests_from_the_venue_and_ends_the_wish_with_a_denial(
    stand: Stand,
) -> None:
    wish = stand.ask(Action.ENTER, BTC)
    until_resting(stand, BTC)

    stand.command("reduce_only")
    last = until_step(stand, wish, 2)

    assert last.step == 2
    assert failed(last).keys() == {"state_allows"}
    assert [row["status"] for row in stand.orders(BTC)] == ["CANCELLED"]


def test_a_gate_that_is_killed_between_two_steps_goes_on_where_it_was(stand: Stand) -> None:
    wish = stand.ask(Action.ENTER, ETH)
    until_resting(stand, ETH)

    stand.kill9(GATE)
    stand.start(GATE)
    stand.until_gone("starting")
    until_step(stand, wish, 2)

    steps = [one for one in stand.journal() if isinstance(one, DecisionMade) and one.follows is not None]
    assert steps[-1].follows is not None
    assert steps[-1].follows.left == steps_of(stand, wish)[0].quantity


def test_an_exit_first_takes_back_the_entry_that_rests_and_nothing_is_bought_after_it(stand: Stand) -> None:
    stand.hold(SOL, order=TAKING)
    wish = stand.ask(Action.ENTER, SOL)
    until_resting(stand, SOL, 2)

    stand.leave(SOL)

    assert [row["status"] for row in stand.orders(SOL)] == ["FILLED", "CANCELLED", "FILLED"]
    assert [one.step for one in steps_of(stand, wish)] == [1]


def test_what_the_venue_refuses_to_make_is_a_step_and_no_rejection_that_pauses(stand: Stand) -> None:
    stand.freeze("market-data")
    stand.market(product_id=BTC, mid=str(PRICES[BTC] * D("0.999")), spread_bps="2", depth_notional="1000000")
    time.sleep(3)  # until the venue's next tick, one of ten a second for four products: nobody here can see it

    wish = stand.ask(Action.ENTER, BTC)
    until_step(stand, wish, 3)
    stand.thaw("market-data")
    stand.settled()

    made = [one for one in stand.seen.orders if one.status is OrderStatus.REJECTED and one.product == BTC]
    assert {one.reason for one in made} == {"would_take: PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY"}
    assert [row["status"] for row in stand.orders(BTC)][-1] == "FILLED"
    assert stand.position(BTC)
    assert stand.cause("order_rejections") is None


# --- as it was wished


@pytest.mark.parametrize(
    ("asked", "named", "rule"),
    [
        ({"form": "market_ioc"}, "market", "form_is_allowed"),
        ({"form": "bracket_gtd", "life_seconds": 30}, "not of this policy", "form_is_allowed"),
        ({"form": "limit_ioc", "is_attached": True}, "attached", "form_is_offered"),
        ({"form": "limit_ioc", "post_only": True}, "what takes can not only make", "form_is_offered"),
        ({"form": "limit_gtd"}, "no end", "form_has_its_terms"),
        ({"form": "limit_gtc"}, "entry for ever", "entry_ends_by_itself"),
        ({"form": "limit_gtd", "life_seconds": 61}, "entry for too long", "entry_ends_by_itself"),
    ],
)
@trips("form_is_allowed", "form_is_offered", "form_has_its_terms", "entry_ends_by_itself")
def test_a_form_that_may_not_be_is_denied_by_name(stand: Stand, asked: dict[str, Any], named: str, rule: str) -> None:
    decision = stand.enter(BTC, order=OrderAsked.model_validate(asked))

    assert rule in failed(decision), (named, failed(decision))
    assert not stand.orders(BTC)


def test_fill_or_kill_and_a_limit_with_an_end_go_as_they_were_wished(stand: Stand) -> None:
    approved(stand.enter(BTC, order=OrderAsked(form=OrderForm.LIMIT_FOK)))
    approved(stand.enter(ETH, order=OrderAsked(form=OrderForm.LIMIT_GTD, life_seconds=30)))
    stand.settled()

    assert form_of(stand.orders(BTC)[-1])[0] == "limit_limit_fok"
    name, terms = form_of(stand.orders(ETH)[-1])
    assert (name, terms["post_only"]) == ("limit_limit_gtd", False)
    assert stand.position(BTC)
    assert stand.position(ETH)


def test_a_target_rests_until_it_is_reached_and_a_stop_takes_it_back_first(stand: Stand) -> None:
    stand.hold(BTC, order=TAKING)
    making = OrderAsked(form=OrderForm.LIMIT_GTC, post_only=True)

    approved(stand.exit(BTC, order=making, target=D(64500)))
    row = until_resting(stand, BTC, 2)
    assert form_of(row) == ("limit_limit_gtc", form_of(row)[1] | {"limit_price": "64500", "post_only": True})

    stand.leave(BTC)
    assert [row["status"] for row in stand.orders(BTC)] == ["FILLED", "CANCELLED", "FILLED"]


@trips("post_only_rests")
def test_a_target_that_is_reached_already_can_not_be_made(stand: Stand) -> None:
    stand.hold(BTC, order=TAKING)

    decision = stand.exit(BTC, order=OrderAsked(form=OrderForm.LIMIT_GTC, post_only=True), target=D(63000))

    assert failed(decision).keys() == {"post_only_rests"}


def test_a_bracket_holds_target_and_stop_in_one_order_and_ends_flat(stand: Stand) -> None:
    stand.hold(BTC, order=TAKING)

    bracket = OrderAsked(form=OrderForm.BRACKET_GTC)
    approved(stand.exit(BTC, order=bracket, target=D(64300), stop=D(63500)))
    name, terms = form_of(until_resting(stand, BTC, 2))
    assert (name, terms["limit_price"], terms["stop_trigger_price"]) == ("trigger_bracket_gtc", "64300", "63500")
    stand.price(BTC, 64400)

    until(lambda: not stand.position(BTC), "the target")
    assert len(stand.orders(BTC)) == 2


def test_a_stop_with_an_end_waits_at_the_venue(stand: Stand) -> None:
    stand.hold(ETH, order=TAKING)

    stop = OrderAsked(form=OrderForm.STOP_LIMIT_GTD, life_seconds=60)
    approved(stand.exit(ETH, order=stop, stop=D(3190)))
    name, terms = form_of(until_resting(stand, ETH, 2))
    assert (name, terms["stop_price"]) == ("stop_limit_stop_limit_gtd", "3190")
    stand.price(ETH, 3185)

    until(lambda: not stand.position(ETH), "the stop")


def test_a_form_that_only_the_venue_refuses_is_sent_as_it_was_wished_and_rejected(stand: Stand) -> None:
    stand.hold(ETH, order=TAKING)

    decision = stand.exit(ETH, order=OrderAsked(form=OrderForm.TWAP_GTD, life_seconds=900))

    assert is_approved(decision)
    until(lambda: any(one.reason.endswith("UNSUPPORTED_ORDER_CONFIGURATION") for one in stand.seen.orders), "a no")


# --- changed where it rests

AMENDING = policy(protection={"venue_stops": True, "strategy_silent_seconds": 60}, execution={"amends": True})


def stop_of(stand: Stand) -> dict[str, Any]:
    """Return the one order that waits for its trigger."""
    (row,) = [row for row in stand.orders(BTC) if form_of(row)[0] == "stop_limit_stop_limit_gtc"]
    return row


def protected(stand: Stand, stop: str = "62000") -> None:
    """Enter, and wait until the stop at the venue is as large as the position."""
    before = stand.position(BTC)
    approved(stand.enter(BTC, order=TAKING, stop=D(stop)))
    until(lambda: stand.position(BTC) > before, "a larger position")

    def fits() -> bool:
        rows = [form_of(row) for row in stand.orders(BTC) if row["status"] == "OPEN"]
        return [D(terms["base_size"]) for _, terms in rows] == [stand.position(BTC)]

    until(fits, "a stop of its size")
    until(lambda: [one.status for one in stand.account().open_orders] == ["open"], "the gate to know of it")


@AMENDING
@pytest.mark.parametrize(("fault", "stop"), [("", "62000"), ("http_500_after_accept", "62500")])
def test_a_stop_grows_and_comes_nearer_where_it_rests_also_when_nobody_hears_the_answer(
    stand: Stand, fault: str, stop: str
) -> None:
    protected(stand)
    placed = stop_of(stand)["order_id"]
    if fault:
        stand.fault(fault, match="POST /api/v3/brokerage/orders/edit")

    protected(stand, stop)

    assert stop_of(stand)["order_id"] == placed
    assert form_of(stop_of(stand))[1]["stop_price"] == stop
    assert len(stop_of(stand)["edit_history"]) == 1
    asked = sum(isinstance(one, AmendAsked) for one in stand.journal())
    until(lambda: len(ended(stand)) == asked, "the venue's word on each amendment")
    assert ended(stand)[-1].is_applied


def ended(stand: Stand) -> list[AmendEnded]:
    return [one for one in stand.journal() if isinstance(one, AmendEnded)]
