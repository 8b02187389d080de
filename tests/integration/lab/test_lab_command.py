"""The command as an operator runs it: exit codes, help, and the second interpreter."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lab_builders import GATE_JOURNAL, RECORDING, a_policy, a_traded_day, forged, line_of, replace_line

PLUGIN = """
import time
from dataclasses import replace
from gpt_trader.strategy.domain.trend import TREND

def of_hash_order(view, parameters, now):
    pure = TREND.decide(view, parameters, now)
    return replace(pure, reason=pure.reason + " " + "".join({"north", "south", "east", "west", "up", "down"}))

def of_local_time(view, parameters, now):
    pure = TREND.decide(view, parameters, now)
    return replace(pure, reason=f"{pure.reason} {time.localtime(now.timestamp()).tm_hour}")

UNORDERED = replace(TREND, name="unordered", decide=of_hash_order)
LOCAL = replace(TREND, name="local", decide=of_local_time)
"""
ENTRY_POINTS = "[gpt_trader.strategies]\nunordered = impure_plugin:UNORDERED\nlocal = impure_plugin:LOCAL\n"
TRADE = """
import sys
from pathlib import Path
from gpt_trader.strategy.adapters.registry import registered
from lab_builders import a_traded_day
a_traded_day(Path(sys.argv[1]), registered([sys.argv[2]]))
"""


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trade a day that tests only read."""
    run_dir = tmp_path_factory.mktemp("day")
    a_traded_day(run_dir)
    return run_dir


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """Install two strategies that no one should trade with, and pin what they depend on."""
    plugin = tmp_path / "plugin"
    (plugin / "impure_plugin-1.0.dist-info").mkdir(parents=True)
    (plugin / "impure_plugin.py").write_text(PLUGIN)
    (plugin / "impure_plugin-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    (plugin / "impure_plugin-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: impure-plugin\nVersion: 1.0\n"
    )
    builders = Path(__file__).parents[2] / "unit" / "lab"
    return {**os.environ, "PYTHONPATH": f"{plugin}:{builders}", "PYTHONHASHSEED": "1", "TZ": "UTC"}


def lab(*options: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gpt_trader.lab", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)


def as_json(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found = json.loads(ended.stdout)
    assert isinstance(found, dict)
    return found


def test_an_equal_run_ends_with_0_also_in_another_interpreter(traded: Path) -> None:
    ended = lab("replay", "--run-dir", str(traded), "--twice", "--json")

    found = as_json(ended)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert found["is_equal"]
    assert [one["service"] for one in found["services"]] == ["strategy", "risk-gate", "executor"]
    assert all(one["inputs_per_second"] > 0 for one in found["services"])


def test_a_divergence_ends_with_1_and_names_the_record(traded: Path, tmp_path: Path) -> None:
    run_dir = Path(shutil.copytree(traded, tmp_path / "run"))
    number = line_of(run_dir / GATE_JOURNAL, b'"kind":"marked"')
    forged(run_dir / GATE_JOURNAL, number, {"equity": "1"})

    ended = lab("replay", "--run-dir", str(run_dir))

    assert ended.returncode == 1
    assert f"risk-gate DIVERGED at record {number} marked" in ended.stdout
    assert "  equity\n    recorded 1\n    replayed 100000\n" in ended.stdout
    assert ended.stdout.endswith("NOT EQUAL\n")


def test_a_corrupt_file_ends_with_2_and_is_named(traded: Path, tmp_path: Path) -> None:
    run_dir = Path(shutil.copytree(traded, tmp_path / "run"))
    replace_line(run_dir / RECORDING, 3, b'"subject"', b'"subjecT"')

    ended = lab("replay", "--run-dir", str(run_dir))

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "strategy.jsonl line 3: subject: Field required" in ended.stderr


def test_a_run_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    ended = lab("replay", "--run-dir", str(tmp_path))

    assert ended.returncode == 2
    assert "gate.jsonl: No such file or directory" in ended.stderr


@pytest.mark.parametrize("strategy", ["unordered", "local"])
def test_a_strategy_that_depends_on_its_surroundings_is_caught_by_a_second_interpreter(
    surroundings: dict[str, str], tmp_path: Path, strategy: str
) -> None:
    run_dir = str(tmp_path / "run")
    subprocess.run([sys.executable, "-c", TRADE, run_dir, strategy], check=True, timeout=120, env=surroundings)

    once = lab("replay", "--run-dir", run_dir, env=surroundings)
    twice = lab("replay", "--run-dir", run_dir, "--twice", env=surroundings)

    assert once.returncode == 0, "in the same surroundings it repeats itself"
    assert twice.returncode == 1
    assert "strategy IS NOT PURE" in twice.stdout


def test_help_tells_what_is_read_and_what_the_exit_codes_mean() -> None:
    ended = lab("replay", "--help")

    assert ended.returncode == 0
    for word in ("strategy.jsonl", "gate.jsonl", "executor.journal", "exit code", "--twice", "examples"):
        assert word in ended.stdout


TRADER = Path(sys.executable).parent / "gpt-trader"


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    """Write a policy that denies every entry of the traded day."""
    path = tmp_path / "stricter.yaml"
    path.write_text(a_policy(sizing__min_order_notional=9000).document())
    return path


def test_a_rejudging_prints_the_diff_of_verdicts_and_ends_with_0(traded: Path, stricter: Path) -> None:
    ended = lab("rejudge", "--run-dir", str(traded), "--policy", str(stricter), "--json")

    found = as_json(ended)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (found["decisions"], found["same"], found["newly_denied"]) == (9, 5, 4)
    assert found["money"]["newly_denied"]["unknown"] == 0


def test_the_console_hands_over_to_the_lab_with_the_same_answer(traded: Path, stricter: Path) -> None:
    options = ("--run-dir", str(traded), "--policy", str(stricter), "--from", "2026-03-02T11:00", "--to", "2026-03-03")

    own, through = lab("rejudge", *options), trader("rejudge", *options)
    equal, missing = trader("replay", "--run-dir", str(traded), "--twice"), trader("replay", "--run-dir", "/nowhere")

    assert "7 decisions of policy" in own.stdout
    assert (through.returncode, through.stdout) == (0, own.stdout)
    assert (equal.returncode, missing.returncode) == (0, 2)
    assert "gate.jsonl: No such file" in missing.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("profile: demo", "limits is missing"),
        ("limits: {max_order_notional: -1}", "limits.max_order_notional = -1: Input should be greater than 0"),
        ("limits: {max_ordre_notional: 1}", "limits.max_ordre_notional: unknown key: did you mean max_order_notional"),
        ("[", "while parsing"),
        ("5", "Input should be a valid dictionary"),
        (None, "No such file"),
    ],
)
def test_a_bad_policy_ends_with_2_and_names_file_field_and_reason(
    traded: Path, tmp_path: Path, text: str | None, reason: str
) -> None:
    path = tmp_path / "bad.yaml"
    if text is not None:
        path.write_text(text)

    for ended in (command("rejudge", "--run-dir", str(traded), "--policy", str(path)) for command in (lab, trader)):
        assert (ended.returncode, ended.stdout) == (2, "")
        assert str(path) in ended.stderr
        assert reason in ended.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--from", "yesterday"), "--from: 'yesterday' is not an ISO 8601 time"),
        (("--from", "2026-03-03", "--to", "2026-03-02"), "2026-03-02T00:00:00+00:00 is not after --from"),
    ],
)
def test_a_span_that_makes_no_sense_ends_with_2(
    traded: Path, stricter: Path, options: tuple[str, ...], reason: str
) -> None:
    ended = lab("rejudge", "--run-dir", str(traded), "--policy", str(stricter), *options)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert reason in ended.stderr


@pytest.mark.parametrize("command", ["lab", "gpt-trader"])
def test_the_help_of_a_rejudging_says_that_knock_on_effects_are_not_simulated(command: str) -> None:
    ended = lab("rejudge", "--help") if command == "lab" else trader("rejudge", "--help")

    assert ended.returncode == 0
    words = " ".join(ended.stdout.split())
    for word in ("in the state that really was", "not simulated", "--policy", "--from", "--to"):
        assert word in words


def trader(*options: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "COLUMNS": "160"}
    return subprocess.run([str(TRADER), *options], capture_output=True, text=True, timeout=120, check=False, env=env)
