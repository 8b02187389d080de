"""Finds lost messages: the venue numbers every message of a connection, on all channels, without holes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class InOrder:
    """Nothing was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """So many messages were lost before this one."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A message from the past: late or twice; to be ignored."""


class Sequencing:
    """The place in one connection's numbering. A fresh connection needs a fresh one."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next: int | None = None

    def follow(self, number: int) -> InOrder | Missed | Repeated:
        """Judge the number of the message just received and move on."""
        expected = number if self._next is None else self._next
        if number < expected:
            return Repeated()
        self._next = number + 1
        if number > expected:
            return Missed(count=number - expected)
        return InOrder()
