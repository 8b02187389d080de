"""Runs exactly the tests that prove the controls, and says of each control whether it holds.

python tests/controls/report.py            # var/controls-report.json and a table; exit code 1 if any is not proved
"""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from controls import CONTROLS, Control

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "var" / "controls-report.json"
PARALLEL = ("--numprocesses", "2", "--dist", "loadfile")
"""A file's tests share a running system, so they stay together."""


@dataclass(slots=True)
class Outcome:
    """What became of all cases of one test; `figures` are what it measured and did not judge."""

    passed: bool = True
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)


class Outcomes:
    """A pytest plugin that keeps what became of each test; every case of a test has to pass."""

    def __init__(self) -> None:
        self.found: dict[str, Outcome] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = self.found.setdefault(report.nodeid.partition("[")[0], Outcome())
        outcome.passed = outcome.passed and report.passed
        outcome.seconds += report.duration
        outcome.figures |= dict(report.user_properties)


def rows(controls: Iterable[Control], found: Mapping[str, Outcome]) -> list[dict[str, Any]]:
    """Say of each control what its tests found: `not proved` where it has none, or one that did not run."""
    return [_row(control, {test: found.get(test) for test in control.tests}) for control in controls]


def _row(control: Control, ran: Mapping[str, Outcome | None]) -> dict[str, Any]:
    known = [one for one in ran.values() if one is not None]
    result = "holds" if all(one.passed for one in known) else "fails"
    if result == "holds" and len(known) < max(1, len(ran)):
        result = "not proved"
    return {
        "control": control.name,
        "rule": control.rule,
        "result": result,
        "tests": {test: _word(one) for test, one in ran.items()},
        "seconds": round(sum(one.seconds for one in known), 1),
        "figures": {name: figure for one in known for name, figure in one.figures.items()},
    }


def _word(outcome: Outcome | None) -> str:
    if outcome is None:
        return "not run"
    return "passed" if outcome.passed else "failed"


def table(found: Iterable[Mapping[str, Any]]) -> str:
    """Lay the rows out for a reader; below a row, its figures, and the tests that keep it from holding."""
    lines = [f"{'control':<8} {'result':<11} {'tests':>5} {'s':>6}  rule"]
    for row in found:
        lines.append(
            f"{row['control']:<8} {row['result']:<11} {len(row['tests']):>5} {row['seconds']:>6}  {row['rule']}"
        )
        lines += [f"{'':<34}{name}: {figure}" for name, figure in row["figures"].items()]
        lines += [f"{'':<34}{word}: {test}" for test, word in row["tests"].items() if word != "passed"]
    return "\n".join(lines)


def place(test: str) -> tuple[str, int]:
    """Return file and position of a test: what can't be undone on a shared system is last in its file."""
    path, _, name = test.partition("::")
    return path, (ROOT / path).read_text().index(f"def {name}(")


def main() -> int:
    """Run, write, print."""
    began, outcomes = datetime.now(UTC), Outcomes()
    wanted = sorted({test for control in CONTROLS for test in control.tests}, key=place)
    pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *PARALLEL, *wanted], plugins=[outcomes])
    found = rows(CONTROLS, outcomes.found)
    report = {
        "version": version("gpt-trader-risk-gate"),
        "commit": _git("rev-parse", "HEAD"),
        "has_local_changes": bool(_git("status", "--porcelain")),
        "at": began.isoformat(),
        "seconds": round((datetime.now(UTC) - began).total_seconds(), 1),
        "controls": found,
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    print(table(found))
    print(f"{REPORT.relative_to(ROOT)}: {sum(row['result'] == 'holds' for row in found)} of {len(found)} hold")
    return int(any(row["result"] != "holds" for row in found))


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
