"""A persistent set of ids that only grows: 16 bytes an id, adding is cheap however large it is, old versions stay."""

from bisect import bisect_left
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, SerializationInfo, ValidationInfo

_WIDTH = 16
"""Bytes kept of an id's SHA-256: nobody can find a second id for them, and they are spread evenly."""
_FAN = 64
_SHELVES = _FAN * _FAN
_EMPTY = ((b"",) * _FAN,) * _FAN


@dataclass(frozen=True, slots=True)
class SeenIds:
    """Digests of ids, sorted, in 64 x 64 shelves by their first bits: an addition copies one shelf and its row.

    The same ids give the same shelves, whatever the order of adding.
    """

    shelves: tuple[tuple[bytes, ...], ...] = _EMPTY

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        digest = _digest(key)
        row, place = _shelf_of(digest)
        shelf = self.shelves[row][place]
        at = shelf.find(digest)
        while at > 0 and at % _WIDTH:  # the end of one digest and the beginning of the next
            at = shelf.find(digest, at + 1)
        return at >= 0

    def __len__(self) -> int:
        return sum(len(shelf) for row in self.shelves for shelf in row) // _WIDTH

    def with_id(self, key: str) -> "SeenIds":
        """Return the set that also holds `key`."""
        digest = _digest(key)
        at, place = _shelf_of(digest)
        row = self.shelves[at]
        start, is_known = _found(row[place], digest)
        if is_known:
            return self
        shelf = row[place][:start] + digest + row[place][start:]
        row = (*row[:place], shelf, *row[place + 1 :])
        return SeenIds((*self.shelves[:at], row, *self.shelves[at + 1 :]))

    def packed(self) -> bytes:
        """Return every digest, sorted, in one run of bytes."""
        return b"".join([b"".join(row) for row in self.shelves])

    @classmethod
    def unpacked(cls, packed: bytes) -> "SeenIds":
        """Give back the set whose sorted digests these are."""
        count = len(packed) // _WIDTH

        def start(shelf: int) -> int:
            first = (shelf << 4).to_bytes(2)
            return _WIDTH * bisect_left(range(count), first, key=lambda at: packed[at * _WIDTH : at * _WIDTH + 2])

        edges = [*map(start, range(_SHELVES)), len(packed)]
        shelves = [packed[edges[at] : edges[at + 1]] for at in range(_SHELVES)]
        return cls(tuple(tuple(shelves[at : at + _FAN]) for at in range(0, _SHELVES, _FAN)))


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()[:_WIDTH]


def _shelf_of(digest: bytes) -> tuple[int, int]:
    """Return row and place by the first twelve bits."""
    return digest[0] >> 2, (digest[0] & 3) << 4 | digest[1] >> 4


def _found(shelf: bytes, digest: bytes) -> tuple[int, bool]:
    """Return where a digest is or belongs, in bytes, and whether it is there."""
    number = bisect_left(range(len(shelf) // _WIDTH), digest, key=lambda at: shelf[at * _WIDTH : (at + 1) * _WIDTH])
    start = number * _WIDTH
    return start, shelf[start : start + _WIDTH] == digest


@dataclass(slots=True)
class Apart:
    """Collects the sets while a state is dumped, and hands them out while it is loaded: they are most of its bytes."""

    kept: list[SeenIds] = field(default_factory=list)


def _dumped(ids: SeenIds, info: SerializationInfo) -> str | int:
    apart = info.context
    if not isinstance(apart, Apart):
        return ids.packed().hex()
    apart.kept.append(ids)
    return len(apart.kept) - 1


def _loaded(value: object, info: ValidationInfo) -> SeenIds:
    match value:
        case SeenIds():
            return value
        case int() if isinstance(info.context, Apart) and 0 <= value < len(info.context.kept):
            return info.context.kept[value]
        case str():
            return SeenIds.unpacked(bytes.fromhex(value))
        case _:
            raise ValueError("is no set of ids")


Ids = Annotated[SeenIds, PlainSerializer(_dumped), PlainValidator(_loaded)]
"""Serialized as its digests in hex; with an `Apart` as context, as a number in it."""
