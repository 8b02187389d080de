"""YAML files that remember where everything stands, so that a refusal can name file, line and column."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Keys = tuple[str, ...]


class DocumentUnreadable(Exception):
    """The file can't be read as YAML with words for keys; the message names file, line and reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a file says. `keys` and `values` give `file:line:column` of the key and of the value at a path."""

    path: Path
    content: Any
    keys: Mapping[Keys, str]
    values: Mapping[Keys, str]

    def key_at(self, location: Sequence[str | int]) -> str:
        """Return where a key stands, or the nearest thing above it that does."""
        return self._nearest(self.keys, location)

    def value_at(self, location: Sequence[str | int]) -> str:
        """Return where a value stands, or the nearest thing above it that does."""
        return self._nearest(self.values, location)

    def _nearest(self, places: Mapping[Keys, str], location: Sequence[str | int]) -> str:
        path = tuple(str(part) for part in location)
        for length in range(len(path), 0, -1):
            if path[:length] in places:
                return places[path[:length]]
        return str(self.path)


class _ExactLoader(yaml.SafeLoader):
    """Leaves numbers with a fraction and times as text, so that they become exact decimals and UTC times later."""


def _as_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    del loader
    return str(node.value)


_ExactLoader.add_constructor("tag:yaml.org,2002:float", _as_text)
_ExactLoader.add_constructor("tag:yaml.org,2002:timestamp", _as_text)


def read_document(path: Path) -> Document:
    """Read one YAML document; an empty file is an empty mapping.

    Refused is what reads differently than it looks: a key that comes twice, an alias, a number in another base.
    """
    try:
        text = path.read_text()
        _refuse_aliases(path, text)
        loader = _ExactLoader(text)
        root = loader.get_single_node()
        if root is None:
            return Document(path=path, content={}, keys={}, values={})
        keys: dict[Keys, str] = {}
        values: dict[Keys, str] = {}
        _note(path, root, (), keys, values)
        return Document(path=path, content=loader.construct_document(root), keys=keys, values=values)
    except OSError as error:
        raise DocumentUnreadable(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, KeyError, RecursionError) as error:  # all but the first: values that are none
        raise DocumentUnreadable(f"{path}: not valid YAML: {error}") from error


_PLAIN = re.compile(r"[-+]?(0|[1-9][0-9_]{0,17})")
_INTEGER = "tag:yaml.org,2002:int"


def _refuse_aliases(path: Path, text: str) -> None:
    """One written value stands in one place; an alias that contains itself would never end."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise DocumentUnreadable(f"{_place(path, event)}: an alias: write the value out")


def _note(path: Path, node: yaml.Node, at: Keys, keys: dict[Keys, str], values: dict[Keys, str]) -> None:
    values[at] = _place(path, node)
    if node.tag == _INTEGER and not _PLAIN.fullmatch(node.value):
        raise DocumentUnreadable(
            f"{values[at]}: {node.value[:20]}: write whole numbers with decimal digits, no leading 0"
        )
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note(path, item, (*at, str(index)), keys, values)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise DocumentUnreadable(f"{_place(path, key)}: a key must be a word")
        here = (*at, key.value)
        if here in keys:
            raise DocumentUnreadable(f"{_place(path, key)}: {'.'.join(here)!r} appears twice")
        keys[here] = _place(path, key)
        _note(path, value, here, keys, values)


def _place(path: Path, found: yaml.Node | yaml.Event) -> str:
    mark = found.start_mark
    return str(path) if mark is None else f"{path}:{mark.line + 1}:{mark.column + 1}"
