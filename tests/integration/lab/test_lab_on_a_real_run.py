"""Re-judging what a real run left behind: all services, the simulated venue, the learning store."""

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import system

pytestmark = pytest.mark.timeout(240)

SHIPPED = Path(str(files("gpt_trader.risk_gate") / "policies" / "demo.yaml"))
TRADER = Path(sys.executable).parent / "gpt-trader"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trade for some seconds until a position was opened and closed again."""
    folder = tmp_path_factory.mktemp("real")
    with system(folder) as running:
        running.until("a round trip", lambda: {"BUY", "SELL"} <= sides(running.books()), seconds=120)
        running.until("its fills at the gate", lambda: journaled(running.run_dir, "fill_reported") >= 2)
    return folder / "run"


def sides(books: Mapping[str, Any]) -> set[str]:
    return {fill["side"] for fill in books["fills"]}


def journaled(run_dir: Path, kind: str) -> int:
    journal = run_dir / "risk-gate" / "journal" / "gate.jsonl"
    return journal.read_bytes().count(f'"kind":"{kind}","payload"'.encode())


def rejudged(run_dir: Path, policy: Path) -> dict[str, Any]:
    argv = [str(TRADER), "rejudge", "--run-dir", str(run_dir), "--policy", str(policy), "--json"]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    found = json.loads(ended.stdout)
    assert isinstance(found, dict)
    return found


def changed(tmp_path: Path, section: str, **limits: object) -> Path:
    document = yaml.safe_load(SHIPPED.read_text())
    document[section] |= limits
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_policy_of_the_run_gives_every_verdict_again(run_dir: Path) -> None:
    found = rejudged(run_dir, SHIPPED)

    assert found["decisions"] == found["same"] == journaled(run_dir, "decision_made")
    assert found["recorded_hash"] == found["rejudged_hash"]
    assert found["limits"] == []


def test_a_policy_that_wants_larger_orders_denies_each_entry_with_its_money(run_dir: Path, tmp_path: Path) -> None:
    found = rejudged(run_dir, changed(tmp_path, "sizing", min_order_notional=1_000_000))

    assert found["newly_denied"] == len(found["changes"]) > 0
    assert found["newly_approved"] == 0
    assert {tuple(one["reasons"]) for one in found["changes"]} == {("G15 notional_reaches_minimum",)}
    assert any(one["basis"] == "trade" and one["difference"] is not None for one in found["changes"])


def test_a_lower_order_limit_only_makes_entries_smaller(run_dir: Path, tmp_path: Path) -> None:
    found = rejudged(run_dir, changed(tmp_path, "limits", max_order_notional=500))

    assert found["resized"] == len(found["changes"]) > 0
    assert all(float(one["quantity_after"]) < float(one["quantity_before"]) for one in found["changes"])
