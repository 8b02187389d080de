"""What waits in the queue and what comes back: only the lab speaks and reads this, at both ends."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from gpt_trader.contracts.message import Command, Message, Name, canonical, digest
from gpt_trader.lab.storm.campaign import SMALLEST, Kind, Tally, ranges
from gpt_trader.lab.storm.protections import PROTECTIONS

_MOST_PIECES = 1000
_LARGEST = 1000
_LONGEST_REASON = 500
_SHOWN = 16


def _known(name: str | None) -> str | None:
    if name is not None and name not in PROTECTIONS:
        raise ValueError("is no protection that this release knows")
    return name


class Piece(Command):
    """A range of seeds and the terms of the campaign that it belongs to."""

    first: int
    count: Annotated[int, Field(ge=1, le=_LARGEST)]
    length: Annotated[int, Field(ge=1)]
    without: Annotated[str | None, AfterValidator(_known)]

    @property
    def seeds(self) -> range:
        """The schedules to run."""
        return range(self.first, self.first + self.count)

    @property
    def kind(self) -> Kind:
        """What they share."""
        return Kind(without=self.without, length=self.length)


class PieceRan(Message):
    """What the seeds of a piece added up to."""

    kind: Literal["ran"] = "ran"
    release: str
    tally: Tally


class PieceFailed(Message):
    """Nobody could run a piece, and nobody will try again."""

    kind: Literal["failed"] = "failed"
    release: str
    reason: Annotated[str, Field(max_length=_LONGEST_REASON)]


Outcome = PieceRan | PieceFailed
OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Annotated[Outcome, Field(discriminator="kind")])


def cut(seeds: range, kind: Kind) -> Sequence[Piece]:
    """Cut a campaign into pieces: short enough to be lost without regret, few enough for the queue to hold."""
    size = max(1, min(_LARGEST, max(SMALLEST, -(-len(seeds) // _MOST_PIECES)) // kind.length))
    return [
        Piece(first=part.start, count=len(part), length=kind.length, without=kind.without)
        for part in ranges(seeds, size)
    ]


def named(pieces: Sequence[Piece], moment: str) -> Name:
    """Name a campaign by its pieces and when they were submitted: the same seeds are run anew each time."""
    return digest(canonical([moment, *(piece.model_dump() for piece in pieces)]))[:_SHOWN]
