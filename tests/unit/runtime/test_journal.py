import resource
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt_trader.contracts.message import GENESIS_HASH
from gpt_trader.runtime.journal import Broken, Journal, JournalCorrupt, JournalInUse, Verified, read, verify

RECORDS: list[tuple[str, object]] = [
    (f"kind-{n % 3}", {"n": n, "price": Decimal("1.10"), "text": "ä\n"}) for n in range(8)
]


def a_journal(path: Path) -> str:
    with Journal.open(path) as journal:
        journal.append_all(RECORDS)
        return journal.head


def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "gate" / "journal.jsonl"
    a_journal(path)

    with Journal.open(path) as journal:
        entries = list(journal.entries())

    assert [(entry.sequence, entry.kind) for entry in entries] == [(n + 1, kind) for n, (kind, _) in enumerate(RECORDS)]
    assert [entry.payload["n"] for entry in entries] == list(range(8))
    assert entries[0].payload["price"] == "1.10"
    assert list(read(path)) == entries


def test_the_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    head = a_journal(path)

    with Journal.open(path) as journal:
        journal.append("later", None)
        entry = list(journal.entries())[-1]

    assert (entry.sequence, entry.previous) == (9, head)
    assert verify(path) == Verified(entries=9, head=entry.hash, torn_bytes=0)


def test_one_by_one_or_at_once_gives_the_same_chain(tmp_path: Path) -> None:
    head = a_journal(tmp_path / "at_once")

    with Journal.open(tmp_path / "one_by_one") as journal:
        for kind, payload in RECORDS:
            journal.append(kind, payload)

        assert journal.head == head


def test_a_journal_begins_empty_and_private(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"

    with Journal.open(path) as journal:
        assert (journal.sequence, journal.head) == (0, GENESIS_HASH)
        journal.append_all([])
        assert journal.sequence == 0
    assert path.stat().st_mode & 0o777 == 0o600


@given(st.data())
def test_a_torn_last_line_is_cut_and_everything_before_it_kept(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        a_journal(path)
        content = path.read_bytes()
        whole = content.rfind(b"\n", 0, -1) + 1
        path.write_bytes(content[: data.draw(st.integers(whole + 1, len(content) - 1))])

        with Journal.open(path) as journal:
            assert journal.sequence == 7
            journal.append("again", 1)

        assert isinstance(verify(path), Verified)
        assert path.read_bytes().startswith(content[:whole])


@given(st.data())
def test_any_changed_byte_is_found_at_its_line(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        a_journal(path)
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 2))
        content[at] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)

        verdict = verify(path)

        assert isinstance(verdict, Broken)
        assert verdict.at == bytes(path.read_bytes())[:at].count(b"\n") + 1
        with pytest.raises(JournalCorrupt, match=f"line {verdict.at}"):
            Journal.open(path)


@given(st.data())
def test_a_removed_repeated_or_swapped_line_is_found(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        a_journal(path)
        lines = path.read_bytes().splitlines(keepends=True)
        at = data.draw(st.integers(0, len(lines) - 2))
        match data.draw(st.sampled_from(["removed", "repeated", "swapped"])):
            case "removed":
                del lines[at]
            case "repeated":
                lines.insert(at, lines[at])
            case _:
                lines[at], lines[at + 1] = lines[at + 1], lines[at]
        path.write_bytes(b"".join(lines))

        assert isinstance(verify(path), Broken)


def test_a_line_of_another_journal_does_not_fit(tmp_path: Path) -> None:
    a_journal(tmp_path / "one")
    with Journal.open(tmp_path / "other") as other:
        other.append_all([("kind", n) for n in range(8)])
    lines = (tmp_path / "one").read_bytes().splitlines(keepends=True)
    lines[4] = (tmp_path / "other").read_bytes().splitlines(keepends=True)[4]
    (tmp_path / "one").write_bytes(b"".join(lines))

    assert verify(tmp_path / "one") == Broken(at=5, reason="the previous hash is not that of the line before")


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"

    with Journal.open(path) as journal:
        with pytest.raises(JournalInUse):
            Journal.open(path)
        journal.append("kind", 1)

    with Journal.open(path) as journal:
        assert journal.sequence == 1


def test_verifying_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    a_journal(path)
    with path.open("ab") as torn:
        torn.write(b'{"kind":"half')
    before = path.read_bytes()

    verdict = verify(path)

    assert isinstance(verdict, Verified)
    assert (verdict.entries, verdict.torn_bytes) == (8, 13)
    assert path.read_bytes() == before


def test_after_a_failed_write_nothing_more_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    head = a_journal(path)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal.open(path) as journal:
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                journal.append("kind", 1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))

        with pytest.raises(OSError, match="an earlier write failed"):
            journal.append("kind", 2)
        assert (journal.sequence, journal.head) == (8, head)

    with Journal.open(path) as reopened:
        assert (reopened.sequence, reopened.head) == (8, head)


def test_what_has_no_canonical_form_is_not_written(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal.jsonl") as journal, pytest.raises(TypeError):
        journal.append("kind", object())
