"""`gpt-trader config check`: what a start would refuse, with its place, and what is odd, without starting anything."""

from pathlib import Path

import yaml
from typer.testing import CliRunner

from gpt_trader.console.__main__ import app
from gpt_trader.console.stack.policies import shipped_policy


def checked(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["config", "check", *words])
    return found.exit_code, found.output


def test_every_problem_of_every_file_of_a_run_is_told_with_its_place(tmp_path: Path) -> None:
    limits = yaml.safe_load(shipped_policy("dev").read_text())
    del limits["limits"]["max_leverage"]
    limits["limits"]["daily_loss_fraction"] = "3%"
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(limits))
    (tmp_path / "universe.yaml").write_text("products:\n  BTC-USD: T9\n")
    (tmp_path / "app.yaml").write_text("risk-gat:\n  mode: demo\nlearning:\n  stoer_dir: x\n")

    code, output = checked("--run-dir", str(tmp_path))

    assert code == 2
    assert "limits.max_leverage is missing" in output
    assert "write 0.03" in output
    assert f"{tmp_path}/universe.yaml:2:12: products.BTC-USD = 'T9'" in output
    assert f"{tmp_path}/app.yaml:1:1: risk-gat is no section: did you mean risk-gate?" in output
    assert f"{tmp_path}/app.yaml:4:14: learning.stoer_dir is no setting: did you mean store_dir?" in output


def test_what_is_possible_and_hardly_meant_is_a_warning(tmp_path: Path) -> None:
    limits = yaml.safe_load(shipped_policy("dev").read_text())
    limits["limits"]["notional_per_hour"] = 3000
    file = tmp_path / "limits-of-mine.yaml"
    file.write_text(yaml.safe_dump(limits))

    code, output = checked(str(file))

    assert code == 0
    assert "limits.notional_per_hour = 3000 is above limits.notional_per_day = 2000" in output
