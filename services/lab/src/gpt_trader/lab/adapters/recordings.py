"""Reads the recording of the strategies: which lines are whole, which strategies ran, and one input after another."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from gpt_trader.lab.adapters.reasons import reason_of
from gpt_trader.lab.ports import Unreadable
from gpt_trader.runtime.recording import Input
from gpt_trader.strategy.adapters.registry import registered
from gpt_trader.strategy.domain.replay import SETUP
from gpt_trader.strategy.domain.setup import Setup, Strategies, UnknownStrategy

_SETUP_MARK = f'"subject":"{SETUP}"'.encode()
"""Payloads are quoted inside a line, so that this can stand nowhere else."""


@dataclass(slots=True, kw_only=True)
class Recording:
    """A recording as it stood when it was opened; `line` is the one being folded."""

    path: Path
    lines: int
    torn_bytes: int
    setups: tuple[Setup, ...]
    line: int = field(default=0)

    def inputs(self) -> Iterator[Input]:
        """Yield the inputs in order; raises Unreadable."""
        with self.path.open("rb") as lines:
            for self.line, text in enumerate(lines, start=1):
                if self.line > self.lines:
                    break
                yield _input(self.path, self.line, text)
        self.line = self.lines

    def notes(self) -> Iterator[str]:
        """Say what a reader should know of it."""
        if self.torn_bytes:
            yield f"{self.path.name}: the last line is torn ({self.torn_bytes} bytes) and was left out"
        if len(self.setups) > 1:
            yield f"{self.path.name}: the service was started {len(self.setups)} times"

    def strategies(self) -> Strategies:
        """Load the strategies that ran, from those that are installed; raises Unreadable for one that is not."""
        names = {given.strategy for setup in self.setups for given in setup.assignments}
        try:
            return registered(names)
        except UnknownStrategy as error:
            raise Unreadable(self.path, 0, str(error)) from None


def opened(path: Path) -> Recording:
    """Look a recording through; raises Unreadable where it is missing or a setup makes no sense."""
    setups: list[Setup] = []
    number, text = 0, b"\n"
    try:
        with path.open("rb") as lines:
            for number, text in enumerate(lines, start=1):
                if _SETUP_MARK in text and text.endswith(b"\n"):
                    setups.append(_setup(path, number, text))
    except OSError as error:
        raise Unreadable(path, 0, reason_of(error)) from None
    torn_bytes = 0 if text.endswith(b"\n") else len(text)
    return Recording(path=path, lines=number - bool(torn_bytes), torn_bytes=torn_bytes, setups=tuple(setups))


def _setup(path: Path, number: int, text: bytes) -> Setup:
    line = _input(path, number, text)
    try:
        return Setup.decode(line.payload)
    except ValidationError as error:
        raise Unreadable(path, number, reason_of(error)) from None


def _input(path: Path, number: int, text: bytes) -> Input:
    try:
        return Input.model_validate_json(text)
    except ValidationError as error:
        raise Unreadable(path, number, reason_of(error)) from None
