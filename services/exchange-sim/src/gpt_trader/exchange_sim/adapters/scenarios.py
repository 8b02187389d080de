"""Faults from files: a scenario that somebody wrote, a recording that a run left behind."""

from pathlib import Path

from pydantic import ValidationError

from gpt_trader.exchange_sim.domain.faults.board import Firing
from gpt_trader.exchange_sim.domain.faults.fault import Scenario
from gpt_trader.exchange_sim.ports import CannotStart
from gpt_trader.runtime.document import DocumentUnreadable, read_document


def read_scenario(path: Path) -> Scenario:
    """Read a scenario; a refusal names line and column, field, value and reason."""
    try:
        document = read_document(path)
    except DocumentUnreadable as error:
        raise CannotStart(f"--scenario {error}") from error
    try:
        return Scenario.model_validate(document.content)
    except ValidationError as error:
        place = document.value_at(error.errors(include_url=False)[0]["loc"])
        raise CannotStart(f"--scenario {place}: {explained(error)}") from error


def read_recording(path: Path) -> list[Firing]:
    """Read the firings of a run; a refusal names the line."""
    firings = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CannotStart(f"--repeat {path}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        try:
            firings.append(Firing.model_validate_json(line))
        except ValidationError as error:
            raise CannotStart(f"--repeat {path}:{number}: {explained(error)}") from error
    return firings


def explained(error: ValidationError) -> str:
    """Say which field is wrong, what it holds and why, for each."""
    sentences = []
    for one in error.errors(include_url=False):
        where = ".".join(str(part) for part in one["loc"])
        given = "" if isinstance(one["input"], dict) else f" is {one['input']!r}"
        reason = one["msg"].removeprefix("Value error, ")
        sentences.append(f"{where}{given}: {reason}" if where else reason)
    return "; ".join(sentences)
