"""Files that hold the gate's state at one place of its journal, so that a start folds only what came after.

A snapshot is only ever a shortcut: the journal is the truth, and whatever is not exactly as it was written, or was
written by another version of the rules, is passed over.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

import gpt_trader.contracts
import gpt_trader.risk_gate.domain
from gpt_trader.risk_gate.domain.seen import SeenIds
from gpt_trader.risk_gate.domain.state import GateState, dumped, loaded
from gpt_trader.runtime import logs
from gpt_trader.runtime.journal import Place, sync_folder

log = logs.get("risk-gate")

_KEPT = 2
"""The newest may have been made unreadable by a disk; the one before it is still a shortcut."""
_HASH_BYTES = 32
_PIECE = 1 << 20


class _Head(BaseModel):
    """The first line: whose fold it is, up to where, and the lengths of what follows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: str
    place: Place
    state_bytes: int
    ids_bytes: tuple[int, ...]


class Unusable(Exception):
    """A file that is no snapshot of these rules, or no longer; the message says why."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state after the entry that ends at `place`."""

    place: Place
    state: GateState


@cache
def rules_version() -> str:
    """Hash the source of everything that a fold runs: a state is believed only by the code that made it."""
    found = sha256()
    for package in (gpt_trader.contracts, gpt_trader.risk_gate.domain):
        folder = Path(package.__path__[0])
        paths = sorted(folder.rglob("*.py"))
        if not paths:
            raise FileNotFoundError(f"{folder} holds no source, so nobody can tell which rules a snapshot is of")
        for path in paths:
            source = path.read_bytes()
            found.update(f"{path.relative_to(folder)} {len(source)}\n".encode() + source)
    return found.hexdigest()


def write(folder: Path, snapshot: Snapshot, rules: str) -> Path:
    """Put a snapshot on disk, whole or not at all, and drop older ones; raises OSError."""
    content, ids = dumped(snapshot.state)
    packed = [one.packed() for one in ids]
    head = _Head(
        rules=rules,
        place=snapshot.place,
        state_bytes=len(content),
        ids_bytes=tuple(len(one) for one in packed),
    )
    path = folder / f"snapshot-{snapshot.place.sequence:012d}"
    unfinished = path.with_suffix(".tmp")
    try:
        _write_synced(unfinished, (head.model_dump_json().encode() + b"\n", content, *packed))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(folder)
    for old in _files(folder)[_KEPT:]:
        old.unlink()
    return path


def readable(folder: Path) -> Iterator[Snapshot]:
    """Yield every snapshot that is as it was written and made by these rules, newest first."""
    rules = rules_version()
    for path in _files(folder):
        try:
            yield read(path, rules)
        except (OSError, Unusable) as error:
            log.warning("snapshot_passed_over", path=str(path), reason=str(error))


def read(path: Path, rules: str) -> Snapshot:
    """Read one; raises Unusable, OSError."""
    content = path.read_bytes()
    body, own_hash = content[:-_HASH_BYTES], content[-_HASH_BYTES:]
    if sha256(body).digest() != own_hash:
        raise Unusable("its hash does not match its content")
    first, _, rest = body.partition(b"\n")
    try:
        head = _Head.model_validate_json(first)
        if head.rules != rules:
            raise Unusable("it was made by other rules")
        return Snapshot(head.place, loaded(*_parted(rest, head)))
    except (ValidationError, ValueError) as error:
        raise Unusable(f"{type(error).__name__}: {error}") from error


def _parted(rest: bytes, head: _Head) -> tuple[bytes, tuple[SeenIds, ...]]:
    start = head.state_bytes
    ids = []
    for length in head.ids_bytes:
        ids.append(SeenIds.unpacked(rest[start : start + length]))
        start += length
    return rest[: head.state_bytes], tuple(ids)


def _write_synced(path: Path, parts: tuple[bytes, ...]) -> None:
    """Write in pieces, so that the disk is never busy for long, and end with the hash of everything."""
    own_hash = sha256()
    path.touch(mode=0o600)
    with path.open("wb") as file:
        for part in parts:
            for start in range(0, len(part), _PIECE):
                piece = part[start : start + _PIECE]
                own_hash.update(piece)
                file.write(piece)
                file.flush()
                os.fdatasync(file.fileno())
        file.write(own_hash.digest())
        file.flush()
        os.fsync(file.fileno())


def _files(folder: Path) -> list[Path]:
    return sorted((path for path in folder.glob("snapshot-*") if path.suffix != ".tmp"), reverse=True)
