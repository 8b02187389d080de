"""Nothing that ships can trade for real money: no default, no profile, no policy, and no run that `up` makes (CF5)."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from gpt_trader.console.stack.configuration import Exchange, profile_of
from gpt_trader.console.stack.folder import RunFolder
from gpt_trader.console.stack.plan import Plan, choose_ports
from gpt_trader.console.stack.policies import Profile, shipped_policy
from gpt_trader.risk_gate.settings import Mode, RiskGateSettings
from gpt_trader.runtime.clock import ClockSettings
from gpt_trader.runtime.settings import load

ROOT = Path(__file__).parents[3]
SHIPPED = sorted(path for folder in ("services", "libs") for path in (ROOT / folder).rglob("*.yaml"))
LOCAL = Exchange(rest="127.0.0.1:1", ws="wss://127.0.0.1:2", ca=Path("ca"), key_file=Path("key"), admin="127.0.0.1:3")


def a_run_of(profile: Profile, folder: Path) -> Path:
    plan = Plan(
        run_dir=folder,
        products=("BTC-USD",),
        intervals=("1m",),
        strategies=("trend",),
        rate=Decimal(1),
        start=datetime(2026, 1, 1, tzinfo=UTC),
        seed=7,
        policy=shipped_policy(profile),
        replay=(),
        ticks_per_second=1,
        records=False,
    )
    path = folder / "app.yaml"
    path.write_text(yaml.safe_dump(profile_of(plan, choose_ports(None), RunFolder(folder), LOCAL, ClockSettings())))
    return path


@pytest.mark.parametrize("profile", list(Profile))
def test_a_run_of_each_profile_is_a_demo_at_a_venue_of_its_own(profile: Profile, tmp_path: Path) -> None:
    argv = ["--profile", str(a_run_of(profile, tmp_path))]

    settings = load(RiskGateSettings, service="risk-gate", argv=argv)

    assert settings.mode is Mode.DEMO
    assert settings.confirm_live == ""
    assert settings.venue_rest == "127.0.0.1:1"


@pytest.mark.parametrize("profile", list(Profile))
def test_a_run_of_no_profile_goes_live_by_its_mode_alone(
    profile: Profile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--profile", str(a_run_of(profile, tmp_path)), "--mode", "live"]

    with pytest.raises(SystemExit) as ended:
        load(RiskGateSettings, service="risk-gate", argv=argv)

    assert ended.value.code == 2
    assert "confirm_live must be YES" in capsys.readouterr().err


def test_without_a_word_the_gate_sends_nothing() -> None:
    fields = RiskGateSettings.model_fields

    assert fields["mode"].default is Mode.DRY_RUN
    assert fields["confirm_live"].default == ""


def test_no_shipped_file_says_live_or_yes() -> None:
    assert len(SHIPPED) >= 7
    for path in SHIPPED:
        assert not {"mode", "confirm_live"} & set(yaml.safe_load(path.read_text())), path


@pytest.mark.parametrize("mode", ["demo", "paper"])
@pytest.mark.parametrize(
    "venue", ["api.coinbase.com", "api.coinbase.com:443", "coinbase.com", "API.Coinbase.com", "api.coinbase.com.:443"]
)
def test_a_simulated_mode_is_refused_at_the_real_venue(
    mode: str, venue: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--profile", str(a_run_of(Profile.DEMO, tmp_path)), "--mode", mode, "--venue-rest", venue]

    with pytest.raises(SystemExit):
        load(RiskGateSettings, service="risk-gate", argv=argv)

    assert f"mode is {mode}: venue_rest is the real venue" in capsys.readouterr().err
