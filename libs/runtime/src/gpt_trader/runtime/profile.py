"""Reads a profile (YAML): sections of settings, each value with the place it was read from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt_trader.runtime.document import DocumentUnreadable, read_document


class ProfileUnreadable(Exception):
    """The profile can't be read as sections of settings; the message names file, line and reason."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value with the place it was read from."""

    content: Any
    origin: str


def read_profile(path: Path) -> Mapping[str, Mapping[str, Value]]:
    """Return the sections of a profile with their keys; an empty section is an empty mapping."""
    try:
        document = read_document(path)
    except DocumentUnreadable as error:
        raise ProfileUnreadable(str(error)) from error
    if not isinstance(document.content, Mapping):
        raise ProfileUnreadable(f"{document.value_at(())}: the profile must be a mapping of names to values")
    sections: dict[str, Mapping[str, Value]] = {}
    for section, content in document.content.items():
        if content is not None and not isinstance(content, Mapping):
            place = document.value_at((section,))
            raise ProfileUnreadable(f"{place}: section {section!r} must be a mapping of names to values")
        sections[section] = {
            key: Value(value, document.value_at((section, str(key)))) for key, value in (content or {}).items()
        }
    return sections
