"""Every position has a live exit authority: tripped through the running gate, whoever else is gone (FM1, FM2, RG13)."""

import time
from collections import Counter
from decimal import Decimal
from typing import Any

from stand import BTC, DOGE, ETH, PRICES, Stand, approved, policy, until

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.sharding import shard_of
from gpt_trader.contracts.signals import Action
from gpt_trader.lab.domain.derivation import Before, again
from gpt_trader.risk_gate.adapters.coinbase_bodies import CoinbaseBodies
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import DecisionMade, PolicyAdopted
from gpt_trader.risk_gate.domain.state import GateState

D = Decimal


def stopped_out(stand: Stand, product: str = BTC, percent: str = "-1") -> None:
    """Let the price fall."""
    stand.price(product, PRICES[product] * (1 + D(percent) / 100))


def closed_by_gate(stand: Stand, product: str = BTC) -> Decision:
    """Wait until nothing is held any more; returns the gate's first own decision since the product was entered."""
    until(lambda: not stand.position(product), f"no position in {product}")
    stand.settled()

    def its_own() -> list[Decision]:
        of_product = [one for one in stand.seen.decisions if one.product == product]
        entered = max(place for place, one in enumerate(of_product) if one.signal.action is Action.ENTER)
        return [one for one in of_product[entered:] if one.signal.strategy == "risk-gate"]

    first, *_ = until(its_own, "a decision of the gate's own")
    assert isinstance(first, Decision)
    return first


LEFT_ALONE = {"strategy_silent_seconds": 60, "stop_grace_seconds": 1, "default_stop_fraction": "0.005"}


@policy(protection={"strategy_silent_seconds": 1, "stop_grace_seconds": 60})
def test_the_gate_runs_the_stop_of_a_strategy_that_stopped_beating(stand: Stand) -> None:
    stand.hold(BTC, stop=D(63700))
    stand.hands.is_strategy_alive = False
    until(lambda: any(alert.code == "strategy_silent" for alert in stand.seen.alerts), "the alarm")
    assert stand.position(BTC)

    stopped_out(stand)
    closing = closed_by_gate(stand)

    assert closing.signal.reason.startswith("stop: 63700 reached, strategy silent for")
    assert [one["side"] for one in stand.orders(BTC)] == ["BUY", "SELL"]


@policy(protection={"strategy_silent_seconds": 5, "stop_grace_seconds": 60})
def test_the_gate_runs_the_stops_of_a_dead_shard_and_leaves_a_living_one_its_own(stand: Stand) -> None:
    stand.hands.strategy_shards = 2
    assert (shard_of(ETH, 2), shard_of(BTC, 2)) == (0, 1)
    stand.hold(BTC, stop=D(63700))
    stand.hold(ETH, stop=D(3180))
    stand.hands.dead_shards = frozenset({1})
    until(lambda: any("shard 1 of 2" in alert.text for alert in stand.seen.alerts), "the alarm")

    stopped_out(stand, ETH)
    stopped_out(stand, BTC)
    closing = closed_by_gate(stand, BTC)

    assert closing.signal.reason.startswith("stop: 63700 reached, strategy silent for")
    assert stand.position(ETH)


@policy(protection=LEFT_ALONE)
def test_a_living_strategy_that_does_not_act_on_its_stop_is_helped_after_the_grace(stand: Stand) -> None:
    stand.hold(BTC, stop=D(63700))

    stopped_out(stand)
    closing = closed_by_gate(stand)

    assert closing.signal.reason.startswith("stop: 63700 reached, no exit for ")


@policy(protection=LEFT_ALONE)
def test_a_position_without_a_stop_has_the_policys(stand: Stand) -> None:
    stand.hold(BTC, stop=None)

    stopped_out(stand)
    closing = closed_by_gate(stand)

    assert closing.signal.reason.startswith("stop: ")


@policy(protection={"max_hold_seconds": {"T3": 4}})
def test_a_tier_with_a_longest_hold_is_closed_by_age_whoever_lives(stand: Stand) -> None:
    stand.hold(BTC, stop=D(60000))
    approved(stand.enter(DOGE, stop=D("0.1")))
    until(lambda: any(fill.product == DOGE for fill in stand.seen.fills), "a position")

    closing = closed_by_gate(stand, DOGE)

    assert closing.signal.reason.startswith("max_hold: held since")
    assert stand.position(BTC)


@policy(protection={"strategy_silent_seconds": 2, "flattens_abandoned": True, "abandoned_seconds": 4})
def test_a_position_whose_strategy_stays_away_is_closed_where_the_policy_says_so(stand: Stand) -> None:
    stand.hold(BTC, stop=D(60000))
    stand.hands.is_strategy_alive = False

    closing = closed_by_gate(stand)

    assert closing.signal.reason.startswith("abandoned: strategy silent for ")


@policy(protection={"strategy_silent_seconds": 1, "stop_grace_seconds": 1})
def test_a_protective_exit_is_sent_in_reduce_only_and_not_while_halted(stand: Stand) -> None:
    stand.hold(BTC, stop=D(63700))
    stand.command("kill")
    stand.until_status("halted")

    stopped_out(stand)
    time.sleep(2)
    assert stand.position(BTC)
    stand.command("reduce_only")
    stand.command("reset")

    closed_by_gate(stand)


@policy(marks={"stale_seconds": 4}, protection={"orphan_seconds": 1})
def test_a_position_without_a_price_raises_the_alarm_until_it_has_one(stand: Stand) -> None:
    stand.hold(BTC, stop=D(60000))

    stand.freeze("market-data")
    cause = stand.until_cause("orphan_position")
    stand.thaw("market-data")
    stand.until_gone("orphan_position")

    assert cause.product == BTC
    assert any(alert.code == "orphan_position" for alert in stand.seen.alerts)


RESTING = {
    "strategy_silent_seconds": 60,
    "stop_grace_seconds": 2,
    "default_stop_fraction": "0.01",
    "venue_stops": True,
}


def stops(stand: Stand, product: str = BTC) -> list[dict[str, Any]]:
    """Return the stops at the venue since the test began, with their status and terms."""
    kind = "stop_limit_stop_limit_gtc"
    found = [row for row in stand.orders(product) if kind in row["order_configuration"]]
    return [{**row["order_configuration"][kind], **row} for row in found]


def open_stops(stand: Stand, product: str = BTC) -> list[dict[str, Any]]:
    return [row for row in stops(stand, product) if row["status"] == "OPEN"]


def hold_with_stop(stand: Stand, product: str = BTC, **changes: Any) -> dict[str, Any]:
    """Enter, and wait for the stop that the gate puts at the venue."""
    decision = stand.enter(product, **changes)
    assert decision.intent_id, (decision.failures, stand.account().open_orders)

    def is_protected() -> bool:
        """Whether a stop of its size rests, and nothing else moves: a fill that is still to come replaces the stop."""
        sizes = [D(row["base_size"]) for row in open_stops(stand, product)]
        return sizes == [stand.position(product)] and [one.status for one in stand.account().open_orders] == ["open"]

    until(is_protected, lambda: f"a stop for all of it: {stops(stand, product)}, {stand.account().open_orders}")
    (stop,) = open_stops(stand, product)
    return stop


def sold(stand: Stand, product: str = BTC) -> Decimal:
    return sum((D(row["filled_size"]) for row in stand.orders(product) if row["side"] == "SELL"), D(0))


def bought(stand: Stand, product: str = BTC) -> Decimal:
    return sum((D(row["filled_size"]) for row in stand.orders(product) if row["side"] == "BUY"), D(0))


@policy(protection=RESTING)
def test_a_stop_rests_at_the_venue_and_sells_all_while_the_gate_is_dead(stand: Stand) -> None:
    stop = hold_with_stop(stand, stop=D(63700))
    assert (D(stop["stop_price"]), D(stop["base_size"])) == (D(63700), stand.position(BTC))
    assert D(stop["limit_price"]) >= D(63700) * (1 - D("0.02"))

    stand.kill9("risk-gate")
    stopped_out(stand)
    until(lambda: stops(stand)[0]["status"] == "FILLED", "the stop at the venue")
    stand.start("risk-gate")
    until(lambda: stand.position(BTC) == 0, "the fill counted")
    stand.trading()

    assert sold(stand) == bought(stand)
    assert len(stops(stand)) == 1


@policy(protection=RESTING)
def test_with_gate_and_executor_killed_the_stop_sells_and_no_entry_rests(stand: Stand) -> None:
    """Entries are immediate-or-cancel: whoever dies, none is left at the venue (C17)."""
    hold_with_stop(stand, stop=D(63700))
    asked = stand.ask(Action.ENTER, BTC, stop=D(63700))

    stand.kill9("risk-gate")
    stand.kill9("executor")
    left = [row["side"] for row in stand.orders(BTC) if row["status"] in {"OPEN", "PENDING", "QUEUED"}]
    stopped_out(stand)
    until(lambda: stops(stand)[0]["status"] in {"FILLED", "CANCELLED"}, "the end of the stop")
    stand.system.children["risk-gate"].start()  # it waits for the executor's fills, as the executor for its egress
    stand.start("executor")
    stand.decided(asked)  # or it comes again in the middle of the next test, seconds later
    until(lambda: stand.position(BTC) == bought(stand) - sold(stand), "every fill counted")

    assert set(left) <= {"SELL"}
    assert sold(stand) <= bought(stand)


@policy(protection=RESTING)
def test_an_exit_goes_after_the_stop_is_gone_and_ends_exactly_flat(stand: Stand) -> None:
    stop = hold_with_stop(stand, stop=D(63700))

    stand.leave(BTC)

    (after,) = stops(stand)
    assert (after["order_id"], after["status"]) == (stop["order_id"], "CANCELLED")
    assert sold(stand) == bought(stand)


@policy(protection=RESTING)
def test_a_kill_cancels_stops_too_and_a_reset_brings_them_back(stand: Stand) -> None:
    hold_with_stop(stand, stop=D(63700))

    stand.command("kill")
    stand.until_status("halted")
    until(lambda: not open_stops(stand), "no stop at the venue")
    stand.command("reset")
    until(lambda: open_stops(stand), "a stop at the venue again")

    assert len(stops(stand)) == 2
    stand.leave(BTC)


@policy(protection=RESTING)
def test_a_stop_that_the_venue_does_not_execute_is_taken_back_and_the_gate_sells(stand: Stand) -> None:
    """The price gaps through stop and limit: a triggered stop-limit rests in vain."""
    hold_with_stop(stand, stop=D(63700))

    stopped_out(stand, percent="-5")
    closing = closed_by_gate(stand)

    assert sold(stand) == bought(stand)
    assert closing.signal.strategy == "risk-gate"
    assert [row["status"] for row in stops(stand)] == ["CANCELLED"]


@policy(protection=RESTING)
def test_the_stop_follows_the_position_when_it_grows(stand: Stand) -> None:
    first = hold_with_stop(stand, stop=D(63700), confidence=D("0.2"))

    approved(stand.enter(BTC, stop=D(63000), confidence=D("0.2")))
    until(lambda: bought(stand) > D(first["base_size"]), "more of it")
    until(lambda: [D(row["base_size"]) for row in open_stops(stand)] == [bought(stand)], "a stop for all of it")

    (second,) = open_stops(stand)
    assert D(second["stop_price"]) == D(63000)
    stand.leave(BTC)


@policy(protection=RESTING)
def test_a_stopped_executor_and_gate_leave_the_stop_at_the_venue(stand: Stand) -> None:
    stop = hold_with_stop(stand, stop=D(63700))

    codes = stand.stop("risk-gate"), stand.stop("executor")
    left = [row["order_id"] for row in open_stops(stand)]
    stand.start("risk-gate")
    stand.start("executor")
    stand.trading()

    assert codes == (0, 0)
    assert left == [stop["order_id"]]
    assert [(row["order_id"], row["status"]) for row in stops(stand)] == [(stop["order_id"], "OPEN")]
    stand.leave(BTC)


def test_every_record_that_all_this_made_is_made_again_from_those_before_it(stand: Stand) -> None:
    """The gate's own exits, stops and requests to cancel are as deterministic as any decision (I10)."""
    state, limits, intents = GateState(), None, dict[ClientOrderId, ApprovedIntent]()
    kinds = Counter[str]()

    for record in stand.journal():
        made = again(record, Before(state=state, policy=limits, intents=intents, spelling=CoinbaseBodies()))
        assert made is None or made == record, record.kind
        kinds[record.kind] += 1
        state = evolve(state, record)
        if isinstance(record, PolicyAdopted):
            limits = Policy.model_validate_json(record.document)
        if isinstance(record, DecisionMade) and record.intent is not None:
            intents[record.intent.client_order_id] = record.intent

    assert kinds["cancel_asked"]
    assert kinds["decision_made"]
