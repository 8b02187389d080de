"""A recording gives back the outputs of the run that wrote it."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from gpt_trader.strategy.domain.evolve import begin, evolve
from gpt_trader.strategy.domain.inputs import parse
from gpt_trader.strategy.domain.setup import Setup, Strategies
from gpt_trader.strategy.domain.state import Output, State

SETUP = "setup"
"""Subject of the line with which each run begins."""


class RecordedInput(Protocol):
    """One line of a recording."""

    @property
    def at(self) -> datetime: ...  # noqa: D102 - trading time at which it was folded
    @property
    def subject(self) -> str: ...  # noqa: D102 - where it came from
    @property
    def payload(self) -> str: ...  # noqa: D102 - its exact text


class NotARecording(ValueError):
    """The lines do not begin with a setup."""


def replay(lines: Iterable[RecordedInput], strategies: Strategies) -> Iterator[Output]:
    """Fold recorded inputs in order; a further setup line is a restart and begins afresh."""
    state: State | None = None
    for line in lines:
        if line.subject == SETUP:
            state = begin(Setup.decode(line.payload), strategies)
            continue
        event = parse(line.subject, line.payload.encode())
        if state is None or event is None:
            raise NotARecording(f"subject={line.subject!r} at {line.at}: expected {SETUP!r} first, then known inputs")
        state, outputs = evolve(state, event, line.at)
        yield from outputs
