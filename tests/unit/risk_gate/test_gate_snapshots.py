"""A snapshot is a shortcut through the journal: it leads to the same state, or it is not taken."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from gate_builders import CREATE_LIFE, FixedClock
from gate_lives import THINGS, TIRELESS, a_life
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from gpt_trader.risk_gate.adapters import snapshots as files
from gpt_trader.risk_gate.adapters.snapshots import Snapshot, Unusable, readable, rules_version
from gpt_trader.risk_gate.domain.gate import folded
from gpt_trader.risk_gate.domain.records import Record
from gpt_trader.risk_gate.domain.seen import SeenIds
from gpt_trader.risk_gate.domain.state import GateState, dumped, fingerprint, loaded
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.snapshots import Snapshots, opened_books
from gpt_trader.runtime.journal import START, Broken, Journal, JournalCorrupt, JournalCut, Place, read, verify

RULES = rules_version()
A_DAY = a_life(
    ["enter", "fill", "enter", "fill_partly", "repeat", "repeat", "leave", "fill", "pause", "flatten", "mark"]
)

lives = st.lists(st.sampled_from(sorted(THINGS)), max_size=40)
short_lives = st.lists(st.sampled_from(sorted(THINGS)), max_size=8)


def journaled(folder: Path, written: Sequence[Record]) -> Journal:
    journal = Journal.open(folder / "gate.jsonl")
    journal.append_all([(record.kind, record) for record in written])
    return journal


def a_snapshot(folder: Path, written: Sequence[Record] = A_DAY, upto: int | None = None) -> Path:
    """Journal records, and write the snapshot of the first of them."""
    upto = len(written) if upto is None else upto
    with journaled(folder, written[:upto]) as journal:
        path = files.write(folder, Snapshot(journal.place, folded(written[:upto], GateState())), RULES)
        journal.append_all([(record.kind, record) for record in written[upto:]])
    return path


def started(folder: Path) -> Ledger:
    """Start as the gate does, up to the replay."""
    with opened_books(folder) as books:
        ledger = Ledger(
            journal=books.journal, state=books.state, policy=TIRELESS, clock=FixedClock(), create_life=CREATE_LIFE
        )
        ledger.replay()
        return ledger


@settings(max_examples=1000, deadline=None)
@given(short_lives, st.data())
def test_a_snapshot_at_any_point_and_the_rest_make_the_state_of_the_whole_fold(
    what: list[str], data: st.DataObject
) -> None:
    written = a_life(what)
    upto = data.draw(st.integers(0, len(written)))

    before = loaded(*dumped(folded(written[:upto], GateState())))
    shortcut, whole = folded(written[upto:], before), folded(written, GateState())

    assert fingerprint(shortcut) == fingerprint(whole)
    assert dumped(shortcut) == dumped(whole)  # also in the order of its parts, which later records may depend on


@given(lives)
def test_a_state_survives_its_type_adapter(what: list[str]) -> None:
    adapter = TypeAdapter(GateState)
    state = folded(a_life(what), GateState())

    assert fingerprint(adapter.validate_json(adapter.dump_json(state))) == fingerprint(state)
    assert fingerprint(adapter.validate_python(adapter.dump_python(state))) == fingerprint(state)


@given(st.data())
def test_a_snapshot_with_any_byte_changed_is_not_used(data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = a_snapshot(folder)
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)

        assert not list(readable(folder))
        assert started(folder).journal.since == START


@given(st.data())
def test_a_snapshot_with_its_end_missing_is_not_used(data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = a_snapshot(folder)
        content = path.read_bytes()
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])

        assert not list(readable(folder))


@pytest.mark.parametrize("upto", range(4, len(A_DAY) + 1))
def test_a_start_folds_only_what_came_after_the_snapshot(tmp_path: Path, upto: int) -> None:
    a_snapshot(tmp_path, upto=upto)

    ledger = started(tmp_path)

    assert ledger.journal.since.sequence == upto
    assert (ledger.journal.sequence, fingerprint(ledger.state)) == (len(A_DAY), fingerprint(folded(A_DAY, GateState())))


def test_an_unusable_snapshot_leaves_the_one_before_it(tmp_path: Path) -> None:
    with journaled(tmp_path, A_DAY[:6]) as journal:
        files.write(tmp_path, Snapshot(journal.place, folded(A_DAY[:6], GateState())), RULES)
        journal.append_all([(record.kind, record) for record in A_DAY[6:]])
        newest = files.write(tmp_path, Snapshot(journal.place, folded(A_DAY, GateState())), RULES)
    newest.write_bytes(b"")

    ledger = started(tmp_path)

    assert ledger.journal.since.sequence == 6
    assert fingerprint(ledger.state) == fingerprint(folded(A_DAY, GateState()))


def test_a_snapshot_by_other_rules_is_not_used(tmp_path: Path) -> None:
    with journaled(tmp_path, A_DAY) as journal:
        path = files.write(tmp_path, Snapshot(journal.place, folded(A_DAY, GateState())), "f" * 64)

    with pytest.raises(Unusable, match="other rules"):
        files.read(path, RULES)
    assert started(tmp_path).journal.since == START


@pytest.mark.parametrize("kept", [0, 1, 5, len(A_DAY) - 1])
def test_a_journal_shorter_than_its_snapshot_is_refused(tmp_path: Path, kept: int) -> None:
    a_snapshot(tmp_path)
    path = tmp_path / "gate.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:kept]))

    with pytest.raises(JournalCut, match="cut or replaced"), opened_books(tmp_path):
        pass


def test_a_journal_that_is_not_the_one_of_its_snapshot_is_refused(tmp_path: Path) -> None:
    a_snapshot(tmp_path)
    (tmp_path / "gate.jsonl").unlink()
    with journaled(tmp_path, a_life(["enter"] * 40)):
        pass

    with pytest.raises(JournalCut), opened_books(tmp_path):
        pass


def test_a_changed_byte_before_the_snapshot_is_found_by_the_audit_and_after_it_by_the_start(tmp_path: Path) -> None:
    a_snapshot(tmp_path, upto=6)
    path = tmp_path / "gate.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    early, late = len(lines[0]) + 5, len(b"".join(lines[:7])) + 5

    path.write_bytes(whole[:early] + b"#" + whole[early + 1 :])
    assert started(tmp_path).journal.since.sequence == 6
    assert verify(path) == Broken(at=2, reason="the hash does not match the content")

    path.write_bytes(whole[:late] + b"#" + whole[late + 1 :])
    with pytest.raises(JournalCorrupt, match="line 8"), opened_books(tmp_path):
        pass


def test_a_journal_goes_on_from_where_it_was_opened_and_stays_one_chain(tmp_path: Path) -> None:
    a_snapshot(tmp_path, upto=6)
    ledger = started(tmp_path)
    with Journal.open(ledger.journal.path, ledger.journal.since) as journal:
        journal.append("later", {"n": 1})

        back = [(entry.sequence, entry.kind) for entry in journal.newest_first()]

    assert back == [(entry.sequence, entry.kind) for entry in reversed(list(read(journal.path)))]
    assert back[0] == (len(A_DAY) + 1, "later")


def test_reading_back_stops_at_an_entry_that_was_changed(tmp_path: Path) -> None:
    with journaled(tmp_path, A_DAY) as journal:
        other = tmp_path / "other.jsonl"
        with Journal.open(other) as second:
            second.append_all([(record.kind, record) for record in A_DAY[1:]])
        lines = journal.path.read_bytes().splitlines(keepends=True)
        lines[3] = other.read_bytes().splitlines(keepends=True)[3]
        size = sum(map(len, lines))
        journal.path.write_bytes(b"".join(lines))
        moved = Journal(
            journal.path, START, journal._file, Place(sequence=journal.sequence, head=journal.head, offset=size)
        )

        with pytest.raises(JournalCorrupt, match="line 4"):
            list(moved.newest_first())


def test_only_the_two_newest_snapshots_are_kept_and_private(tmp_path: Path) -> None:
    for upto in (4, 6, 8, 10):
        with TemporaryDirectory() as elsewhere:
            path = a_snapshot(Path(elsewhere), upto=upto)
            state = files.read(path, RULES)
        files.write(tmp_path, state, RULES)

    kept = sorted(tmp_path.iterdir())

    assert [path.name for path in kept] == ["snapshot-000000000008", "snapshot-000000000010"]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_a_clean_stop_writes_a_snapshot_only_if_something_happened(tmp_path: Path) -> None:
    with journaled(tmp_path, A_DAY):
        pass
    with opened_books(tmp_path) as books:
        ledger = Ledger(
            journal=books.journal, state=books.state, policy=TIRELESS, clock=FixedClock(), create_life=CREATE_LIFE
        )
        ledger.replay()
        Snapshots(ledger=ledger, every_records=10**6).take()

    again = started(tmp_path)
    assert again.journal.since.sequence == len(A_DAY)
    before = sorted(tmp_path.iterdir())
    Snapshots(ledger=again, every_records=10**6).take()
    assert sorted(tmp_path.iterdir()) == before


def test_a_disk_that_takes_no_snapshot_stops_nothing(tmp_path: Path) -> None:
    with journaled(tmp_path, A_DAY):
        pass
    with opened_books(tmp_path) as books:
        ledger = Ledger(
            journal=books.journal, state=books.state, policy=TIRELESS, clock=FixedClock(), create_life=CREATE_LIFE
        )
        ledger.replay()
        unwritable = tmp_path / f"snapshot-{len(A_DAY):012d}.tmp"
        unwritable.mkdir()

        Snapshots(ledger=ledger, every_records=10**6).take()

        ledger.commit(*a_life(["mark"])[-1:])
    assert not list(readable(tmp_path))


@given(st.sets(st.text(max_size=8), max_size=300))
def test_ids_come_back_from_their_bytes(keys: set[str]) -> None:
    ids = SeenIds()
    for key in keys:
        ids = ids.with_id(key)

    again = SeenIds.unpacked(ids.packed())

    assert again == ids
    assert len(again) == len(keys)
    assert all(key in again for key in keys)
    assert "\N{SNOWMAN} never added" not in again
