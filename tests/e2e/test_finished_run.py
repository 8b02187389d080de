"""What a run leaves behind: the venue's books bear the gate out, and its records give every decision again.

One run for all of them: it trades, is held against a computation that knows only the venue's books, loses strategy and
gate by a kill, decides again, and ends.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from against_run import Found, against
from harness import RunningSystem, system
from recomputation import CENT

from gpt_trader.contracts.account import AccountSnapshot
from gpt_trader.contracts.orders import Fill

pytestmark = pytest.mark.timeout(480)

SHIPPED = Path(str(files("gpt_trader.risk_gate") / "policies" / "demo.yaml"))
PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Finished:
    """The folder of a run that ended, and what the venue's books said of it while it ran."""

    run_dir: Path
    found: Found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    with system(folder, "--rate", "60") as running:
        running.until("round trips", lambda: len(running.history("FILLS", Fill)) >= 12, seconds=240)
        running.exchange("/balances", {"currency": "USD", "amount": "1234.56"})
        running.until("a deposit in the books", lambda: accounts(running)[-1].transfers == Decimal("1234.56"))
        found = against(running.run_dir)

        running.kill_9("strategy")
        running.kill_9("risk-gate")
        before = journaled(running.run_dir, "decision_made")
        running.until("it decides again", lambda: journaled(running.run_dir, "decision_made") > before)
    return Finished(folder / "run", found)


def accounts(running: RunningSystem) -> list[AccountSnapshot]:
    return running.history("STATE", AccountSnapshot, "account")


def journaled(run_dir: Path, kind: str) -> int:
    journal = run_dir / "risk-gate" / "journal" / "gate.jsonl"
    return journal.read_bytes().count(f'"kind":"{kind}","payload"'.encode())


def test_exposure_profit_and_frequency_agree_with_the_venues_books_to_the_cent(finished: Finished) -> None:
    found = finished.found

    assert not found.differences
    assert found.accounts.largest < CENT
    assert found.accounts.compared > 20
    assert found.frequency.compared > 10
    assert found.accounts.highest > 0


def test_a_recorded_run_replays_to_the_same_hash(finished: Finished) -> None:
    replayed = subprocess.run(
        [str(PROGRAMS / "lab"), "replay", "--run-dir", str(finished.run_dir), "--twice"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def rejudged(run_dir: Path, policy: Path) -> dict[str, Any]:
    argv = [str(PROGRAMS / "gpt-trader"), "rejudge", "--run-dir", str(run_dir), "--policy", str(policy), "--json"]
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


def test_the_policy_of_the_run_gives_every_verdict_again(finished: Finished) -> None:
    found = rejudged(finished.run_dir, SHIPPED)

    assert found["decisions"] == found["same"] == journaled(finished.run_dir, "decision_made")
    assert found["recorded_hash"] == found["rejudged_hash"]
    assert found["limits"] == []


def test_a_policy_that_wants_larger_orders_denies_each_entry_with_its_money(finished: Finished, tmp_path: Path) -> None:
    found = rejudged(finished.run_dir, changed(tmp_path, "sizing", min_order_notional=1_000_000))

    assert found["newly_denied"] == len(found["changes"]) > 0
    assert found["newly_approved"] == 0
    assert {tuple(one["reasons"]) for one in found["changes"]} == {("G15 notional_reaches_minimum",)}
    assert any(one["basis"] == "trade" and one["difference"] is not None for one in found["changes"])


def test_a_lower_order_limit_only_makes_entries_smaller(finished: Finished, tmp_path: Path) -> None:
    found = rejudged(finished.run_dir, changed(tmp_path, "limits", max_order_notional=500))

    assert found["resized"] == len(found["changes"]) > 0
    assert all(float(one["quantity_after"]) < float(one["quantity_before"]) for one in found["changes"])
