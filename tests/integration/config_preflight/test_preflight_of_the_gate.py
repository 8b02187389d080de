"""A live start against simulated venues: refused for each reason, told all at once, and allowed only with the word."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from gate_stack import GateStack, gate_stack

from gpt_trader.console.stack.policies import shipped_policy
from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus

GATE = [sys.executable, "-m", "gpt_trader.risk_gate"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GateStack]:
    async with gate_stack(tmp_path_factory.mktemp("preflight")) as running:
        yield running


@contextmanager
def venue(*options: str) -> Iterator[dict[str, str]]:
    argv = [sys.executable, "-m", "gpt_trader.exchange_sim", "--ticks-per-second", "1", *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()


def a_live_profile(stack: GateStack, venue: dict[str, str], path: Path, **changes: Any) -> Path:
    """Take the run's configuration to live: another venue, a real clock, a journal of its own."""
    profile = yaml.safe_load(stack.folder.profile.read_text())
    profile["runtime"] = {"nats_url": profile["runtime"]["nats_url"], "run_dir": str(path / "run")}
    profile["risk-gate"] |= {
        "mode": "live",
        "policy_file": str(shipped_policy("canary")),
        "journal_dir": str(path / "journal"),
        "venue_rest": venue["rest"],
        "venue_ws": venue["ws"],
        "venue_ca_file": venue["ca"],
        "cdp_key_file": venue["key_file"],
        "health_port": 0,
        "egress_port": 0,
    } | changes
    file = path / "app.yaml"
    file.write_text(yaml.safe_dump(profile))
    return file


def asked(profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [*GATE, *options, "--profile", str(profile)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def lines(output: str) -> dict[str, str]:
    """Return what was found by check."""
    rows = [row for row in output.splitlines() if row.strip() and not row.startswith(" ")]
    return {row[8:21].strip(): row[:8].strip() for row in rows}


def test_the_demo_passes(stack: GateStack) -> None:
    found = asked(stack.folder.profile, "--preflight")

    assert found.returncode == 0, found.stdout + found.stderr
    assert lines(found.stdout).keys() == {
        "policy", "disk", "bus", "permissions", "state store", "venue", "key scopes", "clock", "balance", "products",
    }  # fmt: skip
    assert lines(found.stdout)["permissions"] == "ok"


def test_live_is_refused_for_every_reason_at_once_also_with_the_word(stack: GateStack, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    fast = ["--clock-origin", now.isoformat(), "--clock-start", (now + timedelta(seconds=1)).isoformat()]
    with venue("--key-kind", "with-transfer", "--balances", "USD=99.99", *fast) as bad:
        found = asked(a_live_profile(stack, bad, tmp_path, confirm_live="YES"))

    assert found.returncode == 2
    failed = {check for check, result in lines(found.stdout).items() if result == "failed"}
    assert failed == {"key scopes", "clock", "balance"}
    assert "without the transfer right" in found.stdout
    assert "99.99 USD (at least 100)" in found.stdout
    assert not (tmp_path / "journal" / "gate.jsonl").exists()


def test_live_passes_on_a_good_account_and_starts_only_with_the_word(stack: GateStack, tmp_path: Path) -> None:
    with venue() as good:
        profile = a_live_profile(stack, good, tmp_path)
        looked, started = asked(profile, "--preflight"), asked(profile)

    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert "100000.00 USD" in looked.stdout
    assert started.returncode == 2
    assert "confirm_live must be YES" in started.stderr


def test_a_legacy_key_is_explained_and_refused(stack: GateStack, tmp_path: Path) -> None:
    key = tmp_path / "old.json"
    key.write_text('{"apiKey": "a", "apiSecret": "b"}')
    key.chmod(0o600)
    places = {"rest": "127.0.0.1:1", "ws": "wss://127.0.0.1:1", "ca": yaml.safe_load(
        stack.folder.profile.read_text())["risk-gate"]["venue_ca_file"], "key_file": str(key)}  # fmt: skip
    found = asked(a_live_profile(stack, places, tmp_path, confirm_live="YES"))

    assert found.returncode == 2
    assert "legacy API key (HMAC or Exchange style)" in found.stdout


def test_a_state_store_that_is_down_blocks_and_hides_no_other_finding(stack: GateStack, tmp_path: Path) -> None:
    with venue() as good:
        found = asked(a_live_profile(stack, good, tmp_path, redis_url="redis://127.0.0.1:1"), "--preflight")

    assert found.returncode == 2
    assert {check for check, result in lines(found.stdout).items() if result == "failed"} == {"state store"}
    assert "start the state store" in found.stdout


def test_only_the_word_typed_below_the_balance_lets_a_run_go_live(stack: GateStack, tmp_path: Path) -> None:
    argv = [Path(sys.executable).parent / "gpt-trader", "preflight", "--confirm", "--run-dir", str(tmp_path)]

    def typed(word: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(argv, input=f"{word}\n", capture_output=True, text=True, timeout=60, check=False)

    with venue() as good:
        profile = a_live_profile(stack, good, tmp_path)
        before = profile.read_text()
        refused = typed("yes")
        unchanged = profile.read_text()
        confirmed = typed("YES")

    assert refused.returncode == 2
    assert "not confirmed: nothing was changed" in refused.stderr
    assert unchanged == before
    assert confirmed.returncode == 0, confirmed.stderr
    assert confirmed.stdout.index("100000.00 USD") < confirmed.stdout.index("Type YES")
    assert yaml.safe_load(profile.read_text())["risk-gate"]["confirm_live"] == "YES"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_gate_told_to_start_halted_trades_only_after_a_reset(stack: GateStack) -> None:
    profile = yaml.safe_load(stack.folder.profile.read_text())
    profile["risk-gate"]["start_halted"] = True
    stack.folder.profile.write_text(yaml.safe_dump(profile))
    stack.crash()
    await stack.restart()

    state = await stack.status(TradingStatus.HALTED)
    assert "start_halted is set" in {cause.detail for cause in state.causes}

    await stack.command(subjects.CONTROL_RESET)
    await stack.status(TradingStatus.ACTIVE)
