"""Controls that nothing smaller than a running system can show, with the gate, the venue and the bus of one."""

import resource
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from stand import BTC, ETH, PRICES, Stand, failed, is_approved, policy, promptly, until
from system import GATE

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.intents import ApprovedIntent, SignedIntent
from gpt_trader.contracts.signals import Action, Signal
from gpt_trader.contracts.subjects import Zone
from gpt_trader.runtime.release import release_of

pytestmark = pytest.mark.timeout(240)


# --- C16 and C08, over the streams


def intents(stand: Stand) -> list[ApprovedIntent]:
    envelopes = stand.history("INTENTS", SignedIntent, "intents.approved.>")
    return [ApprovedIntent.decode(envelope.payload) for envelope in envelopes]


def test_each_order_at_the_venue_comes_from_one_signal(stand: Stand) -> None:
    stand.hold(BTC)
    stand.hold(ETH)
    stand.leave(BTC)

    asked = Counter(signal.signal_id for signal in stand.history("SIGNALS", Signal))
    made_by = {intent.client_order_id: intent for intent in intents(stand)}
    orders = stand.orders()
    assert len(orders) == 3
    for order in orders:
        intent = made_by[order["client_order_id"]]
        assert asked[intent.signal_id] == 1
        assert intent.strategy == "trend"
    assert len({made_by[order["client_order_id"]].signal_id for order in orders}) == len(orders)


def test_all_signals_over_again_make_no_intent(stand: Stand) -> None:
    stand.hold(BTC)
    before, known = intents(stand), len(stand.history("DECISIONS", Decision))
    signals = stand.history("SIGNALS", Signal)

    for signal in [*signals, *signals]:
        stand.send(signal)
    until(lambda: len(stand.history("DECISIONS", Decision)) == known + 2 * len(signals), "a verdict on each")

    assert intents(stand) == before
    again = stand.history("DECISIONS", Decision)[known:]
    assert all("signal_id_is_first" in failed(one) and not is_approved(one) for one in again)


# --- C21


@pytest.mark.parametrize("changed", ["another version", "other contracts"])
def test_a_strategy_of_another_release_enters_nothing_until_it_runs_ours(stand: Stand, changed: str) -> None:
    ours = release_of(Zone.STRATEGY)
    version, _, contracts = ours.partition("+")
    stand.hold(BTC)

    theirs = {"another version": f"{version}.1+{contracts}", "other contracts": f"{version}+{contracts[::-1]}"}[changed]
    stand.hands.strategy_release = theirs
    cause = stand.until_cause("mixed_versions", within=5)
    entry, left = stand.enter(ETH), stand.exit(BTC)
    stand.hands.strategy_release = ours
    stand.until_gone("mixed_versions")

    assert cause.status is TradingStatus.REDUCE_ONLY
    assert f"strategy runs {theirs}; the gate runs {ours}" in cause.detail
    assert failed(entry).keys() == {"state_allows"}
    assert is_approved(left)
    assert is_approved(stand.enter(ETH))


def test_a_heartbeat_that_the_gate_can_not_read_is_of_another_release(stand: Stand) -> None:
    stand.hands.is_strategy_alive = False
    beating = stand.hands.bus(Zone.STRATEGY).publish(subjects.heartbeats(Zone.STRATEGY), b'{"version": "0.0.9"}')
    stand.hands.run(beating)
    cause = stand.until_cause("mixed_versions", within=5)
    entry = stand.enter(ETH)
    stand.hands.is_strategy_alive = True
    stand.until_gone("mixed_versions")

    assert "can't be read" in cause.detail
    assert failed(entry).keys() == {"state_allows"}


# --- C24: on 21 June 2017 one market sell took ETH-USD from 317.81 to 224.48, and stops to 0.10


@policy(flatten={"max_slices_without_progress": 3})
def test_a_flatten_slices_into_a_thin_book_and_waits_where_the_book_is_gone(stand: Stand) -> None:
    held, price = stand.hold(ETH), PRICES[ETH]

    stand.price(ETH, price, spread_bps="2000", depth="2000")
    flattened(stand)
    tried = slices(stand)
    assert stand.position(ETH) == held, "the next bid is 10 % down"
    assert {(row["filled_size"], row["status"]) for row in tried} == {("0", "CANCELLED")}
    assert all(price * Decimal("0.98") <= terms(row)[1] for row in tried), "the collar"

    stand.price(ETH, price, depth="20000")
    flattened(stand)
    sold = slices(stand)[len(tried) :]
    assert stand.position(ETH) == 0
    assert sum(Decimal(row["filled_size"]) for row in sold) == held
    for row in sold:
        quantity, limit = terms(row)
        assert quantity * price <= 2020, "a tenth of what is visible within 100 bps, each bid up to 1 % under the mid"
        assert limit >= price * Decimal("0.98"), "the collar, also where the slice before took the touch"
        assert Decimal(row["average_filled_price"]) >= limit


def terms(row: dict[str, Any]) -> tuple[Decimal, Decimal]:
    """Return size and limit of an order."""
    order = row["order_configuration"]["sor_limit_ioc"]
    return Decimal(order["base_size"]), Decimal(order["limit_price"])


def flattened(stand: Stand) -> None:
    """Flatten, and wait until the gate has nothing more to try."""
    ended = stand.log(GATE).count("flatten_ended")
    stand.command("flatten")
    until(lambda: stand.log(GATE).count("flatten_ended") > ended, "the end of a flatten")
    stand.settled()
    stand.command("resume")


def slices(stand: Stand) -> list[dict[str, Any]]:
    return [row for row in stand.orders(ETH) if row["side"] == "SELL"]


# --- C17


@pytest.mark.parametrize("dying", [(GATE,), ("executor",), (GATE, "executor"), ("nats",)], ids=" and ".join)
def test_whoever_dies_with_an_entry_in_flight_none_rests_at_the_venue(stand: Stand, dying: tuple[str, ...]) -> None:
    stand.delays(pending_ms=1500)
    entry = stand.ask(Action.ENTER, BTC)
    until(lambda: resting(stand), "an order that the venue works on")

    for name in dying:
        stand.kill9(name)
    promptly(lambda: not resting(stand), "nothing at the venue", 5)

    for name in dying:
        stand.system.children[name].start()
    stand.revive()
    stand.trading()
    stand.settled()
    assert not resting(stand)
    assert len(stand.orders(BTC)) <= 1
    bought = sum((Decimal(row["filled_size"]) for row in stand.orders(BTC)), Decimal(0))
    until(lambda: stand.position(BTC) == bought, "what the venue says was bought")
    answers = [one for one in stand.seen.decisions if one.signal.signal_id == entry.signal_id]
    assert any(map(is_approved, answers)), "once; what a dead gate did not acknowledge comes again, and is denied then"


def resting(stand: Stand) -> list[dict[str, Any]]:
    return [row for row in stand.orders() if row["status"] in {"OPEN", "PENDING", "QUEUED", "CANCEL_QUEUED"}]


# --- C26, the short form; the long one is `make bench`


def test_a_burst_of_signals_on_moving_markets_loses_none_and_costs_no_memory(
    stand: Stand, record_property: Callable[[str, object], None]
) -> None:
    """50 signals a second for 10 s, in halves, so that the second shows what the first left behind."""
    stand.let_go(BTC)
    stand.let_go(ETH)
    asked, sizes = [], [resident(stand)]
    for _ in range(2):
        since = time.monotonic()
        for number in range(250):
            asked.append(stand.ask(Action.ENTER if number % 2 else Action.EXIT, (BTC, ETH)[number // 2 % 2]).signal_id)
            time.sleep(max(0.0, since + (number + 1) / 50 - time.monotonic()))
        until(lambda: set(asked) <= {one.signal.signal_id for one in stand.seen.decisions}, "a decision on each")
        sizes.append(resident(stand))

    decided = [one for one in stand.history("DECISIONS", Decision) if one.signal.signal_id in set(asked)]
    assert Counter(asked) == Counter(one.signal.signal_id for one in decided)
    assert sizes[2] - sizes[1] < 8_000_000, sizes
    record_property("gate's memory before, between, after (bytes)", sizes)
    for share in (0.5, 0.99):
        record_property(f"decision, {share:.0%} within (s)", decided_within(stand, share))


def resident(stand: Stand) -> int:
    """Return the gate's resident memory in bytes."""
    pages = Path(f"/proc/{stand.system.children[GATE].pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def decided_within(stand: Stand, share: float) -> float:
    """Return the bucket below which this share of decisions was on disk, since the gate's start."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stand.system.ports.health[GATE]}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    named = (line for line in lines if line.startswith("risk_gate_decided_seconds_bucket"))
    buckets = [(line.split('le="')[1].split('"')[0], float(line.split()[-1])) for line in named]
    return next(float(bound) for bound, count in buckets if count >= share * buckets[-1][1])
