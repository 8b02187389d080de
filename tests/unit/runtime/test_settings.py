from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from gpt_trader.runtime.settings import ServiceSettings, drift, fingerprint, load, origins


class Mode(StrEnum):
    DEMO = "demo"
    LIVE = "live"


class GateSettings(ServiceSettings):
    max_notional: Annotated[Decimal, Field(gt=0, description="largest order, quote currency")]
    max_age: Annotated[timedelta, Field(description="oldest usable tick, seconds")] = timedelta(seconds=2)
    mode: Annotated[Mode, Field(description="where orders go")] = Mode.DEMO
    is_dry: Annotated[bool, Field(description="log orders instead of sending them")] = False
    products: Annotated[tuple[str, ...], Field(description="what may be traded")] = ("BTC-USD",)
    api_secret: Annotated[int | None, Field(description="not for anybody's eyes")] = None


def gate(*argv: str) -> GateSettings:
    return load(GateSettings, service="risk-gate", argv=argv)


def a_profile(folder: Path, text: str) -> str:
    path = folder / "app.yaml"
    path.write_text(text)
    return str(path)


def refusal(capsys: Any, *argv: str) -> str:
    with pytest.raises(SystemExit) as stop:
        gate(*argv)
    assert stop.value.code == 2
    return str(capsys.readouterr().err)


def test_the_command_line_wins_over_the_profile_and_that_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RISK_GATE_MAX_NOTIONAL", "1")
    monkeypatch.setenv("RISK_GATE_MAX_AGE", "1")
    monkeypatch.setenv("RISK_GATE_MODE", "live")
    profile = a_profile(tmp_path, "risk-gate:\n  max_notional: 2\n  max_age: 2.5\n")

    settings = gate("--profile", profile, "--max-notional", "3")

    assert (settings.max_notional, settings.max_age, settings.mode) == (Decimal(3), timedelta(seconds=2.5), Mode.LIVE)


def test_every_value_knows_where_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISK_GATE_MODE", "live")
    profile = a_profile(tmp_path, "runtime:\n  log_level: debug\nrisk-gate:\n  max_notional: 2\n")

    found = origins(gate("--profile", profile, "--is-dry"))

    assert found["is_dry"] == "--is-dry"
    assert found["max_notional"] == f"{profile}:4:17"
    assert found["log_level"] == f"{profile}:2:14"
    assert found["mode"] == "$RISK_GATE_MODE"
    assert found["max_age"] == "default"


def test_the_own_section_wins_over_the_shared_one(tmp_path: Path) -> None:
    text = "runtime:\n  log_level: debug\nrisk-gate:\n  log_level: error\n  max_notional: 2\n"

    assert gate("--profile", a_profile(tmp_path, text)).log_level == "error"


def test_sections_of_other_services_are_not_our_business(tmp_path: Path) -> None:
    text = "executor:\n  whatever: 1\nrisk-gate:\n  max_notional: 2\n"

    assert gate("--profile", a_profile(tmp_path, text)).max_notional == 2


def test_decimals_in_the_profile_are_exact(tmp_path: Path) -> None:
    text = "risk-gate:\n  max_notional: 0.1000000000000000055\n"

    assert gate("--profile", a_profile(tmp_path, text)).max_notional == Decimal("0.1000000000000000055")


def test_an_unknown_key_is_refused_with_file_line_and_key(tmp_path: Path, capsys: Any) -> None:
    profile = a_profile(tmp_path, "risk-gate:\n  max_notional: 2\n  max_notionel: 3\n")

    assert f"{profile}:3:17: risk-gate.max_notionel is no setting: did you mean max_notional?" in refusal(
        capsys, "--profile", profile
    )


def test_an_unknown_key_in_the_shared_section_is_refused(tmp_path: Path, capsys: Any) -> None:
    profile = a_profile(tmp_path, "runtime:\n  max_notional: 2\n")

    assert f"{profile}:2:17: runtime.max_notional is no setting" in refusal(capsys, "--profile", profile)


def test_a_key_that_appears_twice_is_refused(tmp_path: Path, capsys: Any) -> None:
    profile = a_profile(tmp_path, "risk-gate:\n  max_notional: 2\n  max_notional: 3\n")

    assert "appears twice" in refusal(capsys, "--profile", profile)


@pytest.mark.parametrize("text", ["[1, 2]\n", "risk-gate: 5\n", "a: [\n", "risk-gate:\n  [1]: 2\n"])
def test_a_profile_that_is_none_is_refused_with_its_name(tmp_path: Path, capsys: Any, text: str) -> None:
    profile = a_profile(tmp_path, text)

    assert profile in refusal(capsys, "--profile", profile)


def test_a_missing_profile_is_refused(tmp_path: Path, capsys: Any) -> None:
    assert "No such file" in refusal(capsys, "--profile", str(tmp_path / "none.yaml"))


def test_a_missing_setting_says_how_to_give_it(capsys: Any) -> None:
    text = refusal(capsys)

    assert "max_notional is missing" in text
    assert "--max-notional" in text
    assert "RISK_GATE_MAX_NOTIONAL" in text


def test_a_bad_value_is_named_with_field_value_and_reason(tmp_path: Path, capsys: Any) -> None:
    profile = a_profile(tmp_path, "risk-gate:\n  max_notional: -1\n  mode: paper\n")

    text = refusal(capsys, "--profile", profile)

    assert f"{profile}:2:17: max_notional = -1: Input should be greater than 0" in text
    assert f"{profile}:3:9: mode = 'paper': Input should be 'demo' or 'live'" in text


def test_a_bad_secret_is_not_shown(capsys: Any) -> None:
    text = refusal(capsys, "--max-notional", "1", "--api-secret", "hunter2")

    assert "api_secret" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("argv", "expected"),
    [(["--is-dry"], True), (["--is-dry", "false"], False), (["--is-dry", "--no-is-dry"], False), ([], False)],
)
def test_flags_read_as_people_write_them(argv: list[str], expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert gate("--max-notional", "1", *argv).is_dry is expected


@pytest.mark.parametrize("given", ["BTC-USD,ETH-USD", '["BTC-USD","ETH-USD"]', "BTC-USD, ETH-USD"])
def test_lists_are_separated_by_commas_or_json(given: str) -> None:
    assert gate("--max-notional", "1", "--products", given).products == ("BTC-USD", "ETH-USD")


def test_lists_in_the_profile_are_lists(tmp_path: Path) -> None:
    profile = a_profile(tmp_path, "risk-gate:\n  max_notional: 1\n  products: [A-B, C-D]\n")

    assert gate("--profile", profile).products == ("A-B", "C-D")


def test_half_a_clock_is_refused(capsys: Any) -> None:
    assert "clock_rate" in refusal(capsys, "--max-notional", "1", "--clock-rate", "10")


def test_help_teaches_every_setting(capsys: Any) -> None:
    with pytest.raises(SystemExit) as stop:
        gate("--help")

    text = capsys.readouterr().out
    assert stop.value.code == 0
    for name, field in GateSettings.model_fields.items():
        assert "--" + name.replace("_", "-") in text
        assert str(field.description).split(maxsplit=1)[0] in text
    assert "{demo,live}" in text


def test_settings_can_not_be_changed_afterwards() -> None:
    settings = gate("--max-notional", "1")

    with pytest.raises(ValueError, match="frozen"):
        settings.max_notional = Decimal(2)  # type: ignore[misc] # that is the point


def test_a_changed_profile_is_told_by_the_values_a_start_would_change(tmp_path: Path) -> None:
    profile = a_profile(tmp_path, "risk-gate:\n  max_notional: 2\n  max_age: 2\n  api_secret: 4711\n")
    running = gate("--profile", profile, "--is-dry")
    assert drift(running) == ""

    a_profile(tmp_path, "risk-gate:\n  max_notional: 3\n  max_age: 2.0\n  api_secret: 4712\n  is_dry: false\n")

    assert drift(running) == "max_notional: 2 -> 3; api_secret: (hidden) -> (hidden)"
    assert fingerprint(running) != fingerprint(gate("--profile", profile, "--is-dry"))


def test_a_profile_that_is_broken_or_gone_has_drifted(tmp_path: Path) -> None:
    running = gate("--profile", a_profile(tmp_path, "risk-gate:\n  max_notional: 2\n"))

    a_profile(tmp_path, "risk-gate:\n  max_notionl: 2\n")
    assert "did you mean max_notional" in drift(running)

    (tmp_path / "app.yaml").unlink()
    assert "a start would be refused" in drift(running)
