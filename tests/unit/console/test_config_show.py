"""`gpt-trader config show` names the source of each value, and passes on what a service refuses."""

from pathlib import Path

import orjson
from typer.testing import CliRunner

from gpt_trader.console.__main__ import app
from gpt_trader.learning.settings import Settings as LearningSettings

PROFILE = """\
runtime:
  nats_url: nats://127.0.0.1:4999
learning:
  store_dir: store
"""


def shown(folder: Path, profile: str, *options: str) -> tuple[int, str]:
    (folder / "app.yaml").write_text(profile)
    words = ["config", "show", "--run-dir", str(folder), "--service", "learning", *options]
    found = CliRunner().invoke(app, words)
    return found.exit_code, found.output


def test_each_value_is_shown_with_who_said_it(tmp_path: Path) -> None:
    code, output = shown(tmp_path, PROFILE, "--json")

    assert code == 0, output
    settings = orjson.loads(output)["learning"]
    assert settings["nats_url"] == {"value": "nats://127.0.0.1:4999", "origin": f"{tmp_path / 'app.yaml'}:2:13"}
    assert settings["log_level"]["origin"] == "default"


def test_what_a_service_refuses_is_passed_on_with_its_line(tmp_path: Path) -> None:
    code, output = shown(tmp_path, PROFILE + "  stoer_dir: x\n")

    assert code == 2
    assert "app.yaml:5:14: learning.stoer_dir is no setting: did you mean store_dir?" in output


def test_the_reference_states_default_and_meaning_of_every_setting() -> None:
    found = CliRunner().invoke(app, ["config", "reference", "--service", "learning", "--json"])

    assert found.exit_code == 0, found.output
    settings = orjson.loads(found.output)["learning"]
    assert settings.keys() == LearningSettings.model_fields.keys()
    assert all(entry["meaning"] for entry in settings.values())
    assert "default" not in settings["store_dir"]
    assert settings["health_port"] == {
        "default": 0,
        "meaning": "port of the health and metrics server; 0 = any free port",
    }


def test_every_limit_is_shown_with_unit_side_meaning_and_the_values_of_each_profile() -> None:
    found = CliRunner().invoke(app, ["config", "limits"])

    assert found.exit_code == 0, found.output
    lines = found.output.splitlines()
    at = lines.index("limits.max_order_notional [quote currency, tighter: lower]: one order, fee included (G6)")
    assert lines[at + 1] == "  demo 10000, dev 200, canary 100, prod 10000, spot 10000"
