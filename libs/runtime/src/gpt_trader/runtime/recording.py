"""Keeps the inputs of a pure service in arrival order, so that a run can be repeated bit for bit."""

import errno
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict


class Input(BaseModel):
    """One recorded input: when it was handled (trading time), on which subject it came, and its exact text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: AwareDatetime
    subject: str
    payload: str


@dataclass(frozen=True, slots=True)
class Recorder:
    """Appends inputs to a file without waiting for the disk; without a file it costs one comparison.

    The sink is unbuffered: what was recorded survives the process, however it ends.
    """

    _sink: BinaryIO | None

    def record(self, at: datetime, subject: str, payload: bytes) -> None:
        """Append one input; raises OSError when the disk is full, and the next start cuts what it took of the line."""
        if self._sink is not None:
            line = {"at": at, "subject": subject, "payload": payload.decode()}
            content = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
            if self._sink.write(content) != len(content):
                raise OSError(
                    errno.ENOSPC, "the disk took only part of an input: a recording with holes proves nothing"
                )


@contextmanager
def recorder(record_dir: Path | None, service: str) -> Iterator[Recorder]:
    """Open `<record_dir>/<service>.jsonl` for appending behind its last whole line; no directory records nothing."""
    if record_dir is None:
        yield Recorder(None)
        return
    record_dir.mkdir(parents=True, exist_ok=True)
    path = record_dir / f"{service}.jsonl"
    _cut_torn_line(path)
    with path.open("ab", buffering=0) as sink:
        yield Recorder(sink)


def recorded(path: Path) -> Iterator[Input]:
    """Read a recording back, in order; a last line torn by a crash is left out."""
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield Input.model_validate_json(line)


def _cut_torn_line(path: Path) -> None:
    """Drop what a crash left of a line, or the next one would be glued to it."""
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("r+b") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            whole = content.rfind(b"\n") + 1
        file.truncate(whole)
