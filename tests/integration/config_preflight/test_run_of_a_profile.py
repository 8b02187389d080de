"""A run with a shipped profile: its own copy of the limits, the profile's products, and changes of its files told."""

from collections.abc import Iterator

import pytest
import yaml
from harness import RunningSystem, system

from gpt_trader.console.stack.policies import shipped_policy, shipped_universe
from gpt_trader.contracts.telemetry import Alert


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    options = ("--policy-profile", "dev", "--rate", "1", "--ticks-per-second", "5", "--no-record")
    with system(tmp_path_factory.mktemp("profile"), *options) as up:
        yield up


def alerts(running: RunningSystem, code: str) -> list[Alert]:
    return [alert for alert in running.history("ALERTS", Alert) if alert.code == code]


def test_a_profile_brings_its_limits_and_its_ten_products(running: RunningSystem) -> None:
    declared = yaml.safe_load((running.run_dir / "universe.yaml").read_text())

    assert declared["products"] == shipped_universe("dev")
    assert len(declared["products"]) == 10
    assert (running.run_dir / "policy.yaml").read_text() == shipped_policy("dev").read_text()
    profile = yaml.safe_load((running.run_dir / "app.yaml").read_text())
    assert profile["risk-gate"]["policy_file"] == str(running.run_dir / "policy.yaml")


def test_the_run_s_own_limits_can_be_tightened_while_it_runs(running: RunningSystem) -> None:
    file = running.run_dir / "policy.yaml"
    file.write_text(file.read_text().replace("max_open_orders: 10", "max_open_orders: 9"))

    running.until("the tighter policy is adopted", lambda: bool(alerts(running, "policy_adopted")))

    (adopted,) = alerts(running, "policy_adopted")
    assert "limits.max_open_orders" in adopted.text


def test_settings_that_drift_are_named_once_by_the_service_until_they_agree_again(running: RunningSystem) -> None:
    file = running.run_dir / "app.yaml"
    declared = file.read_text()
    heard = running.trader_json("status")["services"]
    assert {beat["drift"] for name, beat in heard.items() if beat} == {""}

    file.write_text(declared.replace("learning:", "learning:\n  batch_seconds: 7"))
    running.until("the drift is told", lambda: bool(alerts(running, "settings_drift")))

    (told,) = alerts(running, "settings_drift")
    assert told.service == "learning"
    assert "batch_seconds: " in told.text
    assert told.text.endswith("-> 7.0")
    assert "its files say otherwise since it started: batch_seconds" in running.trader("status").stdout
    checked = running.trader("config", "check")
    assert "learning: runs with other settings than declared: batch_seconds" in checked.stdout
    assert checked.returncode == 0

    file.write_text(declared)
    running.until("they agree again", lambda: not running.trader_json("status")["services"]["learning"]["drift"])
    assert len(alerts(running, "settings_drift")) == 1
