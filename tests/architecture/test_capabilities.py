"""docs/capabilities.md against the code: nothing is claimed that is not there, and no capability is left out."""

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "capabilities.md"
SPECIFICATION = ROOT.parent / "shared" / "SPEC.md"

_ROW = re.compile(r"^\| ([A-Z]+[0-9]+) \|(.*)\|$", re.MULTILINE)
_QUOTED = re.compile(r"`([^`]+)`")
_STATES = ("built", "partly", "not yet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One capability as the document states it."""

    name: str
    state: str
    missing: str
    code: tuple[str, ...]
    tests: tuple[str, ...]


def rows() -> tuple[Row, ...]:
    found = []
    for name, rest in _ROW.findall(DOCUMENT.read_text()):
        cells = [cell.strip() for cell in rest.split("|")]
        if len(cells) == 4:
            state, _, missing = cells[1].partition(":")
            code, tests = (tuple(_QUOTED.findall(cell)) for cell in cells[2:])
            found.append(Row(name=name, state=state, missing=missing.strip(), code=code, tests=tests))
    return tuple(found)


def invariants() -> dict[str, tuple[str, ...]]:
    """Return the tests of each invariant: rows of two cells after the name."""
    cells = {name: rest.split("|") for name, rest in _ROW.findall(DOCUMENT.read_text())}
    return {name: tuple(_QUOTED.findall(parts[1])) for name, parts in cells.items() if len(parts) == 2}


@cache
def functions_of(path: str) -> frozenset[str]:
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, functions))


def missing_tests(names: tuple[str, ...]) -> list[str]:
    parts = [(name, *name.partition("::")[::2]) for name in names]
    return [name for name, path, function in parts if function not in functions_of(path)]


def test_every_capability_stands_exactly_once() -> None:
    counts = Counter(row.name for row in rows())

    assert counts
    assert not [name for name, count in counts.items() if count > 1]


def test_the_capabilities_are_those_of_the_specification() -> None:
    if not SPECIFICATION.is_file():
        pytest.skip("the specification is not beside this clone: the set of ids can't be compared")
    declared = {name for name, _ in _ROW.findall(SPECIFICATION.read_text())}

    assert {row.name for row in rows()} == declared


def test_every_state_is_one_of_three_and_partly_says_what_is_missing() -> None:
    assert not [row.name for row in rows() if row.state not in _STATES]
    assert not [row.name for row in rows() if (row.state == "partly") != bool(row.missing)]


def test_what_is_built_names_code_and_tests_that_exist() -> None:
    claimed = [row for row in rows() if row.state != "not yet"]

    assert not [row.name for row in claimed if not row.code or not row.tests]
    assert not [(row.name, path) for row in claimed for path in row.code if not (ROOT / path).exists()]
    assert not [(row.name, missing) for row in claimed if (missing := missing_tests(row.tests))]


def test_what_is_not_built_claims_nothing() -> None:
    assert not [row.name for row in rows() if row.state == "not yet" and (row.code or row.tests)]


def test_every_invariant_has_tests_that_exist() -> None:
    held = invariants()

    assert set(held) == {f"I{number}" for number in range(1, 11)}
    assert not [name for name, tests in held.items() if not tests or missing_tests(tests)]
