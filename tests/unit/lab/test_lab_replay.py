"""The same inputs give the same run; whatever does not is named with its first record and its fields."""

import shutil
import time
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from lab_builders import (
    BTC,
    EXECUTOR_JOURNAL,
    GATE_JOURNAL,
    MINUTE,
    RECORDING,
    SHIPPED,
    START,
    a_traded_day,
    forged,
    line_of,
    replace_line,
)

from gpt_trader.contracts import subjects
from gpt_trader.lab.domain.comparison import Comparison
from gpt_trader.lab.domain.gate import linked
from gpt_trader.lab.ports import Unreadable
from gpt_trader.lab.service import Run, replayed
from gpt_trader.runtime.clock import SystemClock
from gpt_trader.runtime.journal import Journal, read
from gpt_trader.runtime.recording import recorded, recorder
from gpt_trader.strategy.domain.setup import Strategies
from gpt_trader.strategy.domain.strategy import Choice, Decision, View
from gpt_trader.strategy.domain.trend import TREND


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trade a day that tests only read."""
    run_dir = tmp_path_factory.mktemp("day")
    a_traded_day(run_dir)
    return run_dir


@pytest.fixture
def run_dir(traded: Path, tmp_path: Path) -> Path:
    """Copy the day, so that a test may change it."""
    return Path(shutil.copytree(traded, tmp_path / "run"))


def compared(run_dir: Path, strategies: Strategies = SHIPPED) -> dict[str, Comparison]:
    results = replayed(Run.opened(run_dir), strategies, SystemClock())
    return {one.comparison.service: one.comparison for one in results}


def test_a_run_with_restarts_commands_and_a_flatten_repeats_bit_for_bit(traded: Path) -> None:
    found = compared(traded)

    assert all(one.is_equal for one in found.values()), [one.first for one in found.values()]
    entries = list(read(traded / GATE_JOURNAL))
    assert found["risk-gate"].replayed_hash == entries[-1].hash
    kinds = {entry.kind for entry in entries}
    assert {"decision_made", "permit_logged", "fill_reported", "command_received", "marked"} <= kinds
    assert sum(entry.kind == "epoch_claimed" for entry in entries) == 2
    purposes = {entry.payload["purpose"] for entry in entries if entry.kind == "decision_made"}
    assert purposes == {"entry", "exit", "flatten"}
    assert found["strategy"].compared >= 5
    assert found["executor"].compared == found["executor"].outputs > 0
    assert any("started 2 times" in note for note in found["strategy"].notes)


def test_a_replay_repeats_itself(traded: Path) -> None:
    assert compared(traded) == compared(traded)


def test_the_chain_is_linked_as_the_journal_links_it(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "any.jsonl") as journal:
        journal.append_all([("one", {"b": Decimal("1.50"), "a": START}), ("two", {"c": [1, "x"]})])
        entries = list(journal.entries())

    assert [linked(entry, entry.payload, entry.previous) for entry in entries] == [entry.hash for entry in entries]


def with_confidence_of(clockwork: Any) -> Strategies:
    """Replace the trend strategy by one whose confidence also depends on something that is no input."""

    def decide(view: View[Any], parameters: Any, now: datetime) -> Decision:
        pure = TREND.decide(view, parameters, now)
        return replace(pure, confidence=pure.confidence - Decimal(clockwork() % 1000) / 10_000)

    return {**SHIPPED, "trend": replace(TREND, decide=decide)}


@pytest.mark.parametrize("clockwork", [time.time_ns, lambda: Random().getrandbits(32)], ids=["clock", "randomness"])
def test_a_strategy_that_is_not_pure_is_caught(tmp_path: Path, clockwork: Any) -> None:
    impure = with_confidence_of(clockwork)
    a_traded_day(tmp_path, impure)

    found = compared(tmp_path, impure)

    first = found["strategy"].first
    assert not found["strategy"].is_equal
    assert first is not None
    assert first.reason == "the replayed strategy produces another signal than the one the gate decided on"
    assert [difference.field for difference in first.differences] == ["confidence"]
    assert first.ids["product"] == BTC
    assert found["risk-gate"].is_equal, "the gate is pure and must not be blamed"


def test_a_strategy_that_falls_silent_is_caught(traded: Path) -> None:
    silent = {**SHIPPED, "trend": replace(TREND, is_warm=lambda _: False)}

    found = compared(traded, silent)

    first = found["strategy"].first
    assert first is not None
    assert first.reason == "the gate decided on a signal that the replayed strategy does not produce"
    assert found["strategy"].recorded_hash != found["strategy"].replayed_hash


def test_a_strategy_that_asks_for_more_is_caught(traded: Path) -> None:
    def decide(view: View[Any], parameters: Any, now: datetime) -> Decision:
        pure = TREND.decide(view, parameters, now)
        wants_more = now == START + 85 * MINUTE and view.holding is None
        return replace(pure, choice=Choice.ENTER, stop_price=Decimal(1)) if wants_more else pure

    found = compared(traded, {**SHIPPED, "trend": replace(TREND, decide=decide)})

    assert any("never decided" in one.reason for one in [found["strategy"].first] if one is not None)


def test_a_signal_that_was_still_on_its_way_at_the_end_is_no_divergence(run_dir: Path) -> None:
    decisions = [entry for entry in read(run_dir / GATE_JOURNAL) if entry.kind == "decision_made"]
    by_strategy = [entry for entry in decisions if entry.payload["purpose"] in {"entry", "exit"}]
    cut(run_dir / GATE_JOURNAL, by_strategy[-1].sequence - 1)

    found = compared(run_dir)["strategy"]

    assert found.is_equal
    assert "1 signals at the end never reached the gate" in found.notes


def test_a_forged_decision_is_named_with_its_fields(run_dir: Path) -> None:
    path = run_dir / GATE_JOURNAL
    number = line_of(path, b'"kind":"decision_made"')
    payload = next(entry.payload for entry in read(path) if entry.sequence == number)
    payload["decision"]["quantity"] = "99"
    forged(path, number, payload)

    found = compared(run_dir)["risk-gate"]

    first = found.first
    assert first is not None
    assert first.place == f"record {number} decision_made"
    assert first.ids["decision_id"] == payload["decision"]["decision_id"]
    assert [(one.field, one.recorded) for one in first.differences] == [("decision.quantity", "99")]
    assert found.diverged == 1, "one divergence does not multiply"
    assert found.recorded_hash != found.replayed_hash


@pytest.mark.parametrize(
    ("kind", "change", "reason"),
    [
        ("fill_reported", {"is_slippage": True}, "the record is not what its inputs give"),
        ("order_reported", {"raised": [{"code": "x", "status": "halted", "detail": "", "product": None,
                                        "since": "2026-03-02T09:00:00Z", "until": None}]},
         "the record is not what its inputs give"),
        ("marked", {"equity": "1"}, "the record is not what its inputs give"),
        ("intent_stored", {"payload_sha256": "1" * 64}, "the record is not what its inputs give"),
        ("intent_stored", {"client_order_id": "other"}, "it stores an intent that no decision made"),
        ("permit_logged", {"body_sha256": "1" * 64}, "the permit would be refused: no_matching_approval"),
        ("policy_adopted", {"version": "other"}, "the record is not what its inputs give"),
        ("command_received", {"note": "accepted?"}, "the record is not what its inputs give"),
    ],
)  # fmt: skip
def test_every_consequence_is_made_again(run_dir: Path, kind: str, change: dict[str, object], reason: str) -> None:
    path = run_dir / GATE_JOURNAL
    number = line_of(path, f'"kind":"{kind}"'.encode())
    forged(path, number, change)

    first = compared(run_dir)["risk-gate"].first

    assert first is not None
    assert (first.place, first.reason) == (f"record {number} {kind}", reason)


def test_a_permit_given_twice_is_caught(run_dir: Path) -> None:
    path = run_dir / GATE_JOURNAL
    entries = [(entry.kind, entry.payload) for entry in read(path)]
    place = next(number for number, (kind, _) in enumerate(entries) if kind == "permit_logged")
    rewrite(path, [*entries[: place + 1], *entries[place:]])

    first = compared(run_dir)["risk-gate"].first

    assert first is not None
    assert first.reason == "the permit would be refused: permit_already_issued"


def test_a_report_the_executor_never_made_is_caught(run_dir: Path) -> None:
    path = run_dir / GATE_JOURNAL
    number = line_of(path, b'"kind":"order_reported"')
    event = next(entry.payload["event"] for entry in read(path) if entry.sequence == number)
    forged(path, number, {"event": {**event, "reason": "forged"}})

    found = compared(run_dir)["executor"]

    assert found.first is not None
    assert [one.field for one in found.first.differences] == ["reason"]
    assert found.recorded_hash != found.replayed_hash


def test_an_order_nobody_approved_is_caught_in_the_executors_journal(run_dir: Path) -> None:
    path = run_dir / EXECUTOR_JOURNAL
    number = line_of(path, b'"kind":"intent_seen"')
    intent = next(entry.payload["intent"] for entry in read(path) if entry.sequence == number)
    forged(path, number, {"intent": {**intent, "quantity": "1000"}})

    first = compared(run_dir)["executor"].first

    assert first is not None
    assert first.reason == "the executor took another intent than the gate approved"


def test_an_impossible_step_of_an_order_is_caught(run_dir: Path) -> None:
    path = run_dir / EXECUTOR_JOURNAL
    entries = [(entry.kind, entry.payload) for entry in read(path)]
    rewrite(path, [entry for entry in entries if entry[0] != "submitting"])

    first = compared(run_dir)["executor"].first

    assert first is not None
    assert first.reason.startswith("the executor would not record this")


@pytest.mark.parametrize("name", [RECORDING, GATE_JOURNAL, EXECUTOR_JOURNAL])
def test_a_torn_last_line_is_left_out_and_said(run_dir: Path, name: Path) -> None:
    with (run_dir / name).open("ab") as file:
        file.write(b'{"at":"2026-03-02T13:')

    found = compared(run_dir)

    assert all(one.is_equal for one in found.values())
    assert any("the last line is torn (21 bytes)" in note for one in found.values() for note in one.notes)


@pytest.mark.parametrize("name", [GATE_JOURNAL, EXECUTOR_JOURNAL])
def test_a_changed_journal_is_refused_with_file_line_and_reason(run_dir: Path, name: Path) -> None:
    replace_line(run_dir / name, 2, b'"kind"', b'"kinD"')

    with pytest.raises(Unreadable, match=f"{name.name} line 2: the hash does not match the content"):
        compared(run_dir)


@pytest.mark.parametrize(
    ("mark", "before", "after", "reason"),
    [
        (b"ticks.", b'"subject"', b'"subjecT"', "subject: Field required"),
        (b"ticks.", rb"\"bid\":", rb"\"biD\":", "bid: Field required"),
        (b"setup", rb"\"retained_candles\":300", rb"\"retained_candles\":3", "retained_candles: Input should be"),
        (b"setup", rb"\"strategy\":\"trend\"", rb"\"strategy\":\"trent\"", "'trent' is not registered"),
    ],
)
def test_a_corrupt_recording_is_refused_with_file_line_and_reason(
    run_dir: Path, mark: bytes, before: bytes, after: bytes, reason: str
) -> None:
    path = run_dir / RECORDING
    number = line_of(path, mark)
    replace_line(path, number, before, after)

    with pytest.raises(Unreadable, match=rf"strategy\.jsonl line {number}: .*{reason}"):
        compared(run_dir)


@pytest.mark.parametrize("name", [RECORDING, GATE_JOURNAL, EXECUTOR_JOURNAL])
def test_a_missing_file_is_named(run_dir: Path, name: Path) -> None:
    (run_dir / name).unlink()

    with pytest.raises(Unreadable, match=f"{name.name}: No such file"):
        compared(run_dir)


def test_a_record_of_another_version_is_named(run_dir: Path) -> None:
    path = run_dir / GATE_JOURNAL
    number = line_of(path, b'"kind":"marked"')
    forged(path, number, {"kind": "marked_differently"})

    with pytest.raises(Unreadable, match=rf"gate\.jsonl line {number}: .*marked_differently"):
        compared(run_dir)


def test_a_recording_torn_by_a_kill_can_be_gone_on_with(tmp_path: Path) -> None:
    with recorder(tmp_path, "strategy") as record:
        record.record(START, subjects.CONTROL_KILL, b"")
        assert len(list(recorded(tmp_path / "strategy.jsonl"))) == 1, "an input is in the file at once"
    with (tmp_path / "strategy.jsonl").open("ab") as file:
        file.write(b'{"at":"2026')

    with recorder(tmp_path, "strategy") as record:
        record.record(START, subjects.CONTROL_RESET, b"")

    subjects_read = [line.subject for line in recorded(tmp_path / "strategy.jsonl")]
    assert subjects_read == [subjects.CONTROL_KILL, subjects.CONTROL_RESET]


def cut(path: Path, entries: int) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:entries]))


def rewrite(path: Path, entries: list[tuple[str, Any]]) -> None:
    path.unlink()
    with Journal.open(path) as journal:
        journal.append_all(entries)
