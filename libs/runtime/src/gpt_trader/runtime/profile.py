"""Reads a profile (YAML) and remembers on which line each value stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class ProfileUnreadable(Exception):
    """The profile can't be read as sections of settings; the message names file, line and reason."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value with the place it was read from."""

    content: Any
    origin: str


class _ExactLoader(yaml.SafeLoader):
    """Leaves numbers with a fraction and times as text, so that they become exact decimals and UTC times later."""


def _as_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    del loader
    return str(node.value)


_ExactLoader.add_constructor("tag:yaml.org,2002:float", _as_text)
_ExactLoader.add_constructor("tag:yaml.org,2002:timestamp", _as_text)


def read_profile(path: Path) -> Mapping[str, Mapping[str, Value]]:
    """Return the sections of a profile with their keys; an empty section is an empty mapping."""
    try:
        loader = _ExactLoader(path.read_text())
        root = loader.get_single_node()
    except OSError as error:
        raise ProfileUnreadable(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProfileUnreadable(f"{path}: not valid YAML: {error}") from error
    if root is None:
        return {}
    return {
        section: {
            key: Value(loader.construct_object(value, deep=True), _place(path, value))
            for key, value in _keys(path, content, f"section {section!r}").items()
        }
        for section, content in _keys(path, root, "the profile").items()
    }


def _keys(path: Path, node: yaml.Node, what: str) -> Mapping[str, yaml.Node]:
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise ProfileUnreadable(f"{_place(path, node)}: {what} must be a mapping of names to values")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ProfileUnreadable(f"{_place(path, key)}: a key of {what} must be a word")
        if key.value in found:
            raise ProfileUnreadable(f"{_place(path, key)}: {key.value!r} appears twice in {what}")
        found[key.value] = value
    return found


def _place(path: Path, node: yaml.Node) -> str:
    return f"{path}:{node.start_mark.line + 1}"
