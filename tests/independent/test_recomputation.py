"""The recomputation of a run (`tests/e2e/test_finished_run.py`) is independent of what it checks."""

import ast
from pathlib import Path


def test_the_recomputation_knows_nothing_of_the_gate() -> None:
    tree = ast.parse((Path(__file__).parent / "recomputation.py").read_text())

    imported = {
        node.module if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }

    assert not [name for name in imported if name and name.startswith("gpt_trader")]
