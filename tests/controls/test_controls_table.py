"""The table of controls against the tests it names, and the report against what it is told."""

import ast
from pathlib import Path
from typing import Any

from controls import CONTROLS, Control
from report import Outcome, place, rows, table

ROOT = Path(__file__).parents[2]


def test_every_control_stands_once() -> None:
    assert [control.name for control in CONTROLS] == [f"C{number:02d}" for number in range(1, 30)]


def test_every_test_of_a_control_exists() -> None:
    named = [test.partition("::")[::2] for control in CONTROLS for test in control.tests]
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    known = {
        path: {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, kinds)}
        for path, _ in named
    }

    assert not [f"{path}::{name}" for path, name in named if name not in known[path]]


def test_a_control_holds_only_if_all_its_tests_ran_and_passed() -> None:
    two, none = Control("C01", "", ("a", "b")), Control("C02", "", ())
    good, bad = Outcome(), Outcome(passed=False)

    def result(control: Control, **found: Outcome) -> Any:
        return rows([control], found)[0]["result"]

    assert result(two, a=good, b=good) == "holds"
    assert result(two, a=good, b=bad) == result(two, b=bad) == "fails"
    assert result(two, a=good) == result(two) == result(none) == "not proved"


def test_the_table_names_what_keeps_a_control_from_holding_and_what_was_measured() -> None:
    control = Control("C01", "a rule", ("a", "b", "c"))
    lines = table(rows([control], {"a": Outcome(figures={"p99": 1}), "b": Outcome(passed=False, seconds=2)}))

    assert lines.splitlines()[1].split() == ["C01", "fails", "3", "2.0", "a", "rule"]
    assert [line.strip() for line in lines.splitlines()[2:]] == ["p99: 1", "failed: b", "not run: c"]


def test_tests_run_in_the_order_of_their_file() -> None:
    last, first = test_tests_run_in_the_order_of_their_file, test_every_control_stands_once
    here = str(Path(__file__).relative_to(ROOT))

    assert place(f"{here}::{first.__name__}") < place(f"{here}::{last.__name__}")
