"""SPEC 18 with real processes: what dies, stalls, fills up or jumps, and what may not happen then.

FM7, and the death of gate and bus at every point of an order's way, is in tests/crashes/test_crash_matrix.py, a second
gate in tests/integration/risk_gate/test_gate_process.py and tests/integration/attacks/test_second_gate.py.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import orjson
import pytest
from nats.aio.client import Client
from stand import BTC, ETH, TERMS, Stand, Terms, approved, failed, is_approved, policy, promptly, trips, until
from system import GATE

from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.contracts.decisions import Decision, Verdict
from gpt_trader.contracts.intents import ApprovedIntent, SignedIntent
from gpt_trader.contracts.signals import Action, Signal
from gpt_trader.risk_gate.domain import records
from gpt_trader.runtime.bus import BusUnavailable, PublishUnknown


@pytest.fixture(scope="module")
def stand_terms() -> Terms:
    """Give the state store up as soon as in production."""
    return replace(TERMS, settings={GATE: {"store_answer_seconds": 0.2}})


def published(stand: Stand) -> list[Decision]:
    return stand.history("DECISIONS", Decision)


def decided(stand: Stand) -> list[Decision]:
    return [record.decision for record in stand.journal() if isinstance(record, records.DecisionMade)]


def intents(stand: Stand) -> list[str]:
    envelopes = stand.history("INTENTS", SignedIntent, "intents.approved.>")
    return [ApprovedIntent.decode(envelope.payload).client_order_id for envelope in envelopes]


def no_entry_passes(stand: Stand, rule: str = "state_allows") -> None:
    """Ask once, and see that nothing reached the venue."""
    before = len(stand.orders())
    decision = stand.decided(stand.ask(Action.ENTER, ETH))
    assert rule in failed(decision), failed(decision)
    assert len(stand.orders()) == before


# --- FM1


def test_while_the_gate_is_dead_nothing_can_be_sent_and_then_it_goes_on_where_it_was(stand: Stand) -> None:
    held = stand.hold(BTC)
    last, epoch, cash = stand.seen.decisions[-1], stand.state().epoch, stand.account().cash
    sent = len(stand.orders())

    stand.kill9(GATE)
    asked = stand.ask(Action.ENTER, ETH)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", stand.system.ports.egress), timeout=1)
    time.sleep(1)
    assert len(stand.orders()) == sent

    stand.start(GATE)
    stand.trading()
    answered = stand.decided(asked)
    assert answered.previous_hash == last.hash
    assert stand.state().epoch > epoch
    assert stand.position(BTC) == held
    assert stand.account().cash[0].total <= cash[0].total
    assert [one.hash for one in published(stand)] == [one.hash for one in decided(stand)]


# --- FM3


@trips("venue_is_reachable")
def test_while_the_venue_answers_nothing_every_order_is_denied_until_it_does(stand: Stand) -> None:
    stand.hold(BTC)
    sent = len(stand.orders())

    stand.fault("http_500_before_accept", match="/api/v3/brokerage", times=-1)
    stand.until_cause("venue_down")
    entry, left = stand.enter(ETH), stand.exit(BTC)
    stand.fault("http_500_before_accept", times=0)
    stand.until_gone("venue_down")
    stand.trading()

    assert {"state_allows", "venue_is_reachable"} <= failed(entry).keys()
    assert "venue_is_reachable" in failed(left)
    assert len(stand.orders()) == sent
    stand.leave(BTC)


# --- FM4


@policy(marks={"stale_seconds": 4})
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_without_market_data_no_entry_passes_and_an_exit_does(stand: Stand, how: str) -> None:
    stand.hold(BTC)

    if how == "killed":
        stand.kill9("market-data")
    else:
        stand.freeze("market-data")
    stand.until_old(ETH, 4)
    no_entry_passes(stand, "mark_is_fresh")
    left = stand.exit(BTC)
    stand.revive()

    approved(left)
    until(lambda: is_approved(stand.enter(ETH)), "entries again")


# --- FM5


def test_a_bus_that_was_killed_comes_back_with_everything_it_acknowledged(stand: Stand) -> None:
    stand.hold(BTC)
    asked = [stand.ask(Action.ENTER, ETH) for _ in range(3)]

    stand.kill9("nats")
    with pytest.raises((BusUnavailable, PublishUnknown)):  # unknown when it was handed over before the loss was noticed
        stand.ask(Action.ENTER, ETH)
    time.sleep(4)  # the executor believes the gate's last word for three
    at_most = len(stand.orders())
    time.sleep(1)
    assert len(stand.orders()) == at_most, "nothing is sent while nobody can stop it"

    stand.start("nats")
    all_is_answered(stand, asked)
    stand.trading()

    at_venue = [row["client_order_id"] for row in stand.orders()]
    assert len(at_venue) == len(set(at_venue))
    assert set(at_venue) <= set(intents(stand))


def all_is_answered(stand: Stand, asked: list[Signal]) -> None:
    """Wait until bus and journal have the same answers; a signal that came again was denied the second time."""
    names = {signal.signal_id for signal in asked}

    def is_complete() -> bool:
        stand.revive()
        try:
            said = published(stand)
        except BusUnavailable:
            return False
        is_equal = [one.hash for one in said] == [one.hash for one in decided(stand)]
        return is_equal and names <= {one.signal.signal_id for one in said}

    until(is_complete, "an answer to every signal")
    entered = [one.signal.signal_id for one in published(stand) if one.verdict is Verdict.APPROVED]
    assert len(entered) == len(set(entered))


# --- FM6


def store_folder(stand: Stand) -> Path:
    return stand.system.folder.of("redis")


def agreed(stand: Stand) -> None:
    stand.until_gone("state_store")
    approved(stand.enter(ETH))


def test_a_state_store_that_died_blocks_entries_within_3_s_until_it_agrees(stand: Stand) -> None:
    stand.kill9("redis")
    stand.until_cause("state_store", within=3)
    no_entry_passes(stand)

    stand.start("redis")
    agreed(stand)


def test_a_state_store_that_stalls_blocks_entries_within_3_s_until_it_agrees(stand: Stand) -> None:
    stand.freeze("redis")
    stand.until_cause("state_store", within=3)
    no_entry_passes(stand)

    stand.thaw("redis")
    agreed(stand)


def test_a_state_store_that_forgot_everything_is_noticed(stand: Stand) -> None:
    before = len(stand.seen.states)
    stand.kill9("redis")
    shutil.rmtree(store_folder(stand) / "appendonlydir")
    stand.start("redis")

    promptly(lambda: details(stand, "state_store", before), "the loss to be noticed", 3)
    agreed(stand)


def test_a_state_store_restored_from_an_old_copy_is_noticed(stand: Stand, tmp_path: Path) -> None:
    stand.stop("redis")
    shutil.copytree(store_folder(stand) / "appendonlydir", tmp_path / "copy")
    stand.start("redis")
    stand.until_gone("state_store")
    copied = written(tmp_path / "copy")
    until(lambda: written(store_folder(stand) / "appendonlydir") > copied, "another version in the store")

    stand.stop("redis")
    shutil.rmtree(store_folder(stand) / "appendonlydir")
    shutil.copytree(tmp_path / "copy", store_folder(stand) / "appendonlydir")
    since = len(stand.seen.states)
    stand.start("redis")

    until(lambda: any("is stored where" in told for told in details(stand, "state_store", since)), "the version")
    agreed(stand)


def written(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def details(stand: Stand, code: str, since: int) -> list[str]:
    return [cause.detail for state in stand.seen.states[since:] for cause in state.causes if cause.code == code]


def test_a_state_store_with_a_torn_file_refuses_to_start_and_entries_stay_blocked(stand: Stand) -> None:
    stand.stop("redis")
    (file,) = (store_folder(stand) / "appendonlydir").glob("*.incr.aof")
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])

    stand.system.children["redis"].start()
    assert stand.system.children["redis"].ended() == 1
    stand.until_cause("state_store", within=3)
    no_entry_passes(stand)

    file.write_bytes(whole)
    stand.start("redis")
    agreed(stand)


# --- FM8: a second gate is in test_gate_process.py and test_second_gate.py


def test_two_executors_make_one_order_of_each_approval(stand: Stand, tmp_path: Path) -> None:
    profile = stand.system.profile_with("executor", {"journal_dir": str(tmp_path / "other"), "health_port": 0})
    with (tmp_path / "log").open("wb") as log:
        other = subprocess.Popen(stand.system.service_argv("executor", profile), stdout=log, stderr=log)
        try:
            until(lambda: b"ready" in (tmp_path / "log").read_bytes() or other.poll() is not None, "the other")
            decisions = [stand.enter(ETH) for _ in range(4)]
            until(lambda: len(stand.orders(ETH)) >= 1, "an order")
            time.sleep(1)
        finally:
            other.kill()
            other.wait()

    at_venue = [row["client_order_id"] for row in stand.orders(ETH)]
    assert len(at_venue) == len(set(at_venue)) <= sum(map(is_approved, decisions))
    assert set(at_venue) <= set(intents(stand))


# --- FM9


def test_entries_stop_before_the_disk_is_full_and_go_on_when_there_is_room(stand: Stand, tmp_path: Path) -> None:
    stand.hold(BTC)
    free = shutil.disk_usage(stand.system.root).free // 1_000_000
    stand.restart_with(GATE, min_free_megabytes=free - 500)
    stand.trading()

    with (tmp_path / "ballast").open("wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, 1_000_000_000)
    stand.until_cause("disk_space", within=5)
    no_entry_passes(stand)
    left = stand.exit(BTC)
    (tmp_path / "ballast").unlink()
    stand.until_gone("disk_space")

    assert is_approved(left), "there is room for what shrinks a position"
    approved(stand.enter(ETH))


def test_a_slow_disk_stops_entries(stand: Stand) -> None:
    stand.restart_with(GATE, slow_write_seconds=0.000001)

    assert "to write" in stand.until_cause("slow_disk", within=5).detail
    no_entry_passes(stand)


def test_a_gate_that_can_write_no_more_ends_and_nothing_is_half_decided(stand: Stand) -> None:
    journal = stand.system.folder.of(GATE) / "journal" / "gate.jsonl"
    blocks = journal.stat().st_size // 512 + 60
    stand.restart_with(GATE, "/bin/sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh")
    asked: list[Signal] = []
    while stand.system.children[GATE].is_alive:
        asked.append(stand.ask(Action.ENTER, ETH))
        until(partial(has_answered_or_ended, stand, asked[-1]), "an answer, or the gate's end")
        assert len(asked) < 200, "the gate never met its limit"
    assert stand.system.children[GATE].ended() == 1
    sent = [row["client_order_id"] for row in stand.orders()]

    stand.revive()
    stand.trading()
    all_is_answered(stand, asked)

    assert "journal_tail_cut" in stand.log(GATE)
    assert set(sent) <= set(intents(stand))
    at_venue = [row["client_order_id"] for row in stand.orders()]
    assert len(at_venue) == len(set(at_venue))


def has_answered_or_ended(stand: Stand, signal: Signal) -> bool:
    is_answered = any(one.signal.signal_id == signal.signal_id for one in stand.seen.decisions)
    return is_answered or not stand.system.children[GATE].is_alive


def test_entries_stop_before_the_bus_is_full_and_an_approval_that_it_can_not_keep_is_void(stand: Stand) -> None:
    """INTENTS drops nothing (reliability 2.2): full means no more orders, for what is not on record is not sent."""
    stand.hold(BTC)
    give_room(stand, "INTENTS", 500_000)
    little = stand.until_cause("bus_store", within=5)
    no_entry_passes(stand)
    stand.leave(BTC)
    give_room(stand, "INTENTS", 10_000_000)
    stand.until_gone("bus_store")
    stand.hold(BTC)
    sent = len(stand.orders())

    give_room(stand, "INTENTS", 100)
    full = stand.exit(BTC)
    until(lambda: "maximum bytes exceeded" in stand.log(GATE), "the bus's refusal")
    stand.kill9(GATE)
    stand.system.children[GATE].start()
    refused = stand.system.children[GATE].ended()
    give_room(stand, "INTENTS", 10_000_000)
    stand.revive()
    stand.trading()

    assert "INTENTS can take" in little.detail
    assert is_approved(full)
    assert refused != 0, "a gate that can't claim its epoch does not run"
    assert "maximum bytes exceeded" in stand.log(GATE)
    assert len(stand.orders()) == sent
    assert {row["client_order_id"] for row in stand.orders()} <= set(intents(stand))
    stand.leave(BTC)


def give_room(stand: Stand, stream: str, more: int) -> None:
    """Change how much a stream may hold to what it holds and this."""

    async def work() -> None:
        client = Client()
        seed = RunFolder(stand.system.root).of("provisioner") / "provisioner.nk"
        await client.connect(stand.system.nats_url, nkeys_seed_str=seed.read_text(), inbox_prefix="_INBOX_provisioner")
        info = orjson.loads((await client.request(f"$JS.API.STREAM.INFO.{stream}")).data)
        changed = {**info["config"], "max_bytes": info["state"]["bytes"] + more}
        answer = await client.request(f"$JS.API.STREAM.UPDATE.{stream}", orjson.dumps(changed))
        assert "error" not in orjson.loads(answer.data)
        await client.close()

    stand.hands.run(work())


# --- FM11 and C29


@pytest.mark.parametrize("seconds", [3600, -3600, 3, -3], ids="{:+d}s".format)
def test_a_clock_that_is_set_while_the_gate_runs_stops_entries_until_it_is_right(
    stand: Stand, tmp_path: Path, seconds: int
) -> None:
    offset = tmp_path / "offset"
    offset.write_text("0")
    start_on_a_clock(stand, offset)
    stand.system.wait_until_ready(GATE)
    stand.trading()
    before = stand.clock.now()

    offset.write_text(str(seconds))
    stand.until_cause("clock_jump", within=5)
    no_entry_passes(stand)
    said_at = stand.state().published_at
    offset.write_text("0")
    stand.until_gone("clock_jump")
    after = stand.clock.now()

    second = timedelta(seconds=1)
    assert before - second < said_at < after + second, "the gate's own time went on evenly"
    approved(stand.enter(ETH))
    stand.settled()  # the next test restarts the gate: an answer that is lost then takes long to find out


def test_a_clock_that_was_set_back_while_the_gate_was_down_stops_entries(stand: Stand, tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    offset.write_text("-3600")
    start_on_a_clock(stand, offset)

    assert "-3" in stand.until_cause("clock_jump").detail
    no_entry_passes(stand)


@pytest.mark.parametrize("seconds", [3, -3])
def test_a_gate_whose_clock_is_3_s_off_the_venues_gives_no_permit(stand: Stand, seconds: int) -> None:
    start = stand.system.clock.clock_start
    assert start is not None
    permits = len([one for one in stand.journal() if isinstance(one, records.PermitLogged)])
    stand.restart_with(GATE, clock_start=(start + timedelta(seconds=seconds)).isoformat())

    stand.until_cause("clock")
    for _ in range(3):
        no_entry_passes(stand)
    assert len([one for one in stand.journal() if isinstance(one, records.PermitLogged)]) == permits


def start_on_a_clock(stand: Stand, offset: Path) -> None:
    argv = stand.system.children[GATE].argv
    stand.system.children[GATE].stop()
    wrapped = [sys.executable, str(Path(__file__).with_name("shifted.py")), str(offset), *argv[2:]]
    stand.system.children[GATE].argv = wrapped
    stand.system.children[GATE].start()
