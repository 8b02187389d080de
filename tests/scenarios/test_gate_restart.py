"""The running gate and its past: it starts from a snapshot and the rest, and believes no journal that lost its end."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from stand import BTC, TERMS, Stand, Terms, failed, until
from system import GATE

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.events import GateEvent
from gpt_trader.risk_gate.adapters.snapshots import readable
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.events import told
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.records import DecisionMade
from gpt_trader.risk_gate.domain.state import GateState, fingerprint
from gpt_trader.runtime.journal import Verified, read, verify

TOO_OLD = timedelta(minutes=5)
"""An age at which a signal is denied, and nothing else comes of it."""


@pytest.fixture(scope="module")
def stand_terms() -> Terms:
    return replace(TERMS, settings={"risk-gate": {"snapshot_records": 100}})


def folder(stand: Stand) -> Path:
    return stand.system.folder.of(GATE) / "journal"


def replays(stand: Stand) -> list[dict[str, Any]]:
    """Return what the gate said of each of its starts."""
    lines = [orjson.loads(line) for line in stand.log(GATE).splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == "journal_replayed"]


def whole_fold(stand: Stand, head: str) -> str:
    """Fold the journal from its first record to the one with this hash."""
    state = GateState()
    for entry in read(folder(stand) / "gate.jsonl"):
        state = evolve(state, records.parse(entry.payload))
        if entry.hash == head:
            return fingerprint(state)
    raise AssertionError(f"no record has the hash {head}")


def test_a_gate_killed_without_warning_starts_from_a_snapshot_with_the_same_state(stand: Stand) -> None:
    stand.hold(BTC)
    newest = max((one.place.sequence for one in readable(folder(stand))), default=0)
    while max((one.place.sequence for one in readable(folder(stand))), default=0) <= newest:
        assert failed(stand.enter(BTC, age=TOO_OLD))
    last = stand.enter(BTC, age=TOO_OLD)

    stand.kill9(GATE)
    stand.start(GATE)

    said = replays(stand)[-1]
    assert said["after"] > newest
    assert said["state"] == whole_fold(stand, said["head"])
    written = [one.decision for one in stand.journal() if isinstance(one, DecisionMade)]
    assert last in written
    assert stand.history("DECISIONS", Decision, "decisions.>")[-len(written) :] == written
    assert isinstance(verify(folder(stand) / "gate.jsonl"), Verified)
    stand.trading()
    stand.leave(BTC)


def test_a_clean_stop_leaves_a_snapshot_of_the_very_end(stand: Stand) -> None:
    stand.hold(BTC)

    assert stand.stop(GATE) == 0

    written = len(stand.journal())
    assert next(readable(folder(stand))).place.sequence == written
    stand.start(GATE)
    assert replays(stand)[-1]["records"] == 0
    stand.trading()
    stand.leave(BTC)


@pytest.mark.parametrize("is_snapshot_kept", [True, False])
def test_a_journal_whose_end_was_cut_is_refused(stand: Stand, is_snapshot_kept: bool) -> None:  # noqa: FBT001 - a case
    """With its snapshot the file betrays itself; without it the gate's own word on the bus does."""
    stand.stop(GATE)
    path = folder(stand) / "gate.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-12]))
    kept = [one.rename(one.with_name(f"away-{one.name}")) for one in folder(stand).glob("snapshot-*")]
    if is_snapshot_kept:
        kept = [one.rename(one.with_name(one.name.removeprefix("away-"))) for one in kept]

    gate = stand.system.children[GATE]
    gate.start()
    code = gate.ended()

    path.write_bytes(whole)
    for one in folder(stand).glob("away-*"):
        one.rename(one.with_name(one.name.removeprefix("away-")))
    assert code == 2
    last = stand.log(GATE).splitlines()[-1]
    assert ("it was cut or replaced" if is_snapshot_kept else "the journal was cut, or put back") in last
    stand.start(GATE)
    stand.trading()


def test_permits_and_causes_are_events_on_the_bus_each_record_of_the_journal_that_no_other_message_says(
    stand: Stand,
) -> None:
    stand.hold(BTC)
    stand.command("pause", b'{"product": "BTC-USD"}')
    stand.until_cause("operator_pause", product=BTC)
    stand.kill9(GATE)
    stand.start(GATE)
    stand.command("resume")
    stand.until_gone("operator_pause")
    number = len(stand.journal())
    until(lambda: stand.history("EVENTS", GateEvent)[-1].record >= number, "the events up to the last record")

    said = stand.history("EVENTS", GateEvent)
    written = [event for at, record in enumerate(stand.journal(), 1) for event in told(at, record)]
    permitted = {event.content["client_order_id"] for event in said if event.kind == "permit_answered"}
    assert [event for event in said if event.record <= number] == [one for one in written if one.record <= number]
    assert {row["client_order_id"] for row in stand.orders()} <= permitted
    assert {"cause_raised", "cause_cleared", "permit_logged", "reconciled"} <= {event.kind for event in said}
