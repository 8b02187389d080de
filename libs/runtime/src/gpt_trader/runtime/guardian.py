"""Refuses a configuration file with every problem at once: place, key, value, reason, and what was probably meant."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gpt_trader.runtime.document import Document, DocumentUnreadable, read_document

M = TypeVar("M", bound=BaseModel)

RETIRED: Mapping[str, str] = {
    "intx": "INTX perpetuals left Advanced Trade on 2026-10-01: trade CFM futures (products ending in -CDE) instead",
}
"""Words that people know from elsewhere, with what became of them; found anywhere in a key or a product."""

_PERCENT = re.compile(r"^\s*([\d.]+)\s*%\s*$")
_SPAN = re.compile(r"^\s*(\d+)\s*(ms|s|sec|m|min|h|d)\s*$")
_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_UNITS = {"bps": "basis points, 1/100 %", "fraction": "a fraction of one", "seconds": "whole seconds"}


class Refused(Exception):
    """The file can't be used; `problems` are lines for the person who wrote it."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep every problem; the message is all of them."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read_model(path: Path, model: type[M]) -> M:
    """Read a file as a model; raises Refused with everything that is wrong with it."""
    try:
        document = read_document(path)
    except DocumentUnreadable as error:
        raise Refused([str(error)]) from error
    try:
        return model.model_validate(document.content)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise Refused([line for problem in problems for line in _told(problem, document, model)]) from error


def meant_instead(key: str, known: Iterable[str]) -> str:
    """Say what an unknown key was probably meant to be; empty if nothing is near."""
    names = list(known)
    retired = [reason for word, reason in RETIRED.items() if word in key.lower()]
    if retired:
        return f": {retired[0]}"
    stem = key.rpartition("_")[0]
    near = [name for name in names if stem and name.rpartition("_")[0] == stem] or get_close_matches(key, names, 1)
    if not near:
        return ""
    unit = _UNITS.get(near[0].rpartition("_")[2])
    return f": did you mean {near[0]}{f' ({unit})' if unit else ''}?"


def _told(problem: Mapping[str, Any], document: Document, model: type[BaseModel]) -> Iterable[str]:
    location = tuple(str(part) for part in problem["loc"])
    name = ".".join(location)
    if problem["type"] == "extra_forbidden":
        yield f"{document.key_at(location)}: {name}: unknown key{meant_instead(location[-1], _known(model, location))}"
    elif problem["type"] == "missing":
        yield f"{document.key_at(location[:-1])}: {name} is missing; nothing is assumed in its place"
    elif location:
        value, reason = problem["input"], problem["msg"].removeprefix("Value error, ")
        yield f"{document.value_at(location)}: {name} = {value!r}: {reason}{_as_written(location, value)}"
    else:
        yield from (placed(line, document) for line in problem["msg"].removeprefix("Value error, ").splitlines())


def placed(line: str, document: Document) -> str:
    """Place a sentence about several keys at the one it begins with."""
    first = line.split(maxsplit=1)[0]
    return f"{document.value_at(first.split('.'))}: {line}"


def _known(model: type[BaseModel], location: Sequence[str]) -> Iterable[str]:
    """Name the fields beside the one at this place."""
    for part in location[:-1]:
        field = model.model_fields.get(part)
        kind = None if field is None else field.annotation
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return ()
        model = kind
    return model.model_fields


def _as_written(location: Sequence[str], value: object) -> str:
    """Translate a value that was written in another unit than its key's."""
    text = str(value)
    name = next((part for part in reversed(location) if part.rpartition("_")[2] in _UNITS or "fraction" in part), "")
    percent, span = _PERCENT.match(text), _SPAN.match(text)
    if percent and "fraction" in name:
        return f" ({name} is a fraction of one: write {float(percent[1]) / 100:g})"
    if percent and name.endswith("_bps"):
        return f" ({name} is in basis points: write {float(percent[1]) * 100:g})"
    if span and span[2] in _SECONDS and name.endswith("_seconds"):
        return f" ({name} is in seconds: write {int(span[1]) * _SECONDS[span[2]]})"
    if "fraction" in name and re.fullmatch(r"[\d.]+", text):
        return f" ({name} is a fraction of one: 5 % is written 0.05)"
    return ""
