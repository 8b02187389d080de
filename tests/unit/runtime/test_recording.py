"""A recording is whole or the service stops: one with holes could not be replayed."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gpt_trader.runtime.recording import Recorder, recorded, recorder

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class NearlyFullDisk(io.BytesIO):
    """Takes a few bytes of a line, as a raw file does when the disk is about to be full."""

    def write(self, content: bytes) -> int:  # type: ignore[override, explicit-override] # only bytes come
        return super().write(content[:10])


def test_a_line_that_the_disk_took_in_part_is_an_error() -> None:
    with pytest.raises(OSError, match="only part"):
        Recorder(NearlyFullDisk()).record(NOW, "pulse", b"")


def test_a_new_run_continues_behind_the_last_whole_line(tmp_path: Path) -> None:
    with recorder(tmp_path, "strategy") as record:
        record.record(NOW, "pulse", b"1")
    path = tmp_path / "strategy.jsonl"
    path.write_bytes(path.read_bytes() + b'{"at":"2026')

    with recorder(tmp_path, "strategy") as record:
        record.record(NOW, "pulse", b"2")

    assert [line.payload for line in recorded(path)] == ["1", "2"]
