"""Every alert is tested, explained, and made of metrics that exist."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from watching import ALERTS, ROOT, binary, rules

TESTS = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
RUNBOOKS = ROOT / "docs/runbooks"
PROMISED = {
    "connection_lost": {"critical"},
    "rate_limit_high": {"warning"},
    "bot_stopped": {"critical", "warning"},
    "circuit_breaker_open": {"warning"},
    "execution_critical": {"critical"},
    "execution_degraded": {"warning"},
    "execution_p95_spike": {"warning", "critical"},
    "execution_retry_high": {"warning", "critical"},
    "reduce_only_active": {"warning"},
    "daily_loss_warning": {"warning"},
    "large_unrealized_loss": {"warning"},
    "stale_open_orders": {"warning"},
    "failed_orders": {"warning"},
    "expired_orders": {"warning"},
    "feed_stale": {"warning", "critical"},
    "gate_down": {"critical"},
    "kill_active": {"critical"},
}
"""Every alert of SPEC OB6, with a severity for each of its thresholds."""
THRESHOLDS = {
    "execution_p95_spike": ["> 1", "> 3"],
    "execution_retry_high": ["> 0.10", "> 0.25"],
    "feed_stale": ["> 30", "> 60"],
    "execution_degraded": ["> 0.05"],
    "execution_critical": ["> 0.20"],
}
RULES = rules()


def test_every_promised_alert_is_there_with_each_of_its_thresholds() -> None:
    found: dict[str, set[str]] = {}
    for rule in RULES:
        found.setdefault(rule["alert"], set()).add(rule["labels"]["severity"])

    assert found == PROMISED
    for name, thresholds in THRESHOLDS.items():
        assert [
            rule["expr"].strip()[-len(text) :] for rule, text in zip(named(name), thresholds, strict=True)
        ] == thresholds


def test_the_rules_are_valid() -> None:
    promtool("check", "rules", *map(str, ALERTS))


def test_the_rules_fire_and_stay_silent_as_their_tests_say() -> None:
    promtool("test", "rules", *map(str, TESTS))


def test_every_rule_is_tested_firing_and_silent() -> None:
    fired: set[tuple[str, str]] = set()
    silent: set[str] = set()
    for case in (
        case
        for path in TESTS
        for group in yaml.safe_load(path.read_text())["tests"]
        for case in group["alert_rule_test"]
    ):
        fired |= {(case["alertname"], alert["exp_labels"]["severity"]) for alert in case["exp_alerts"]}
        silent |= set() if case["exp_alerts"] else {case["alertname"]}

    assert fired == {(rule["alert"], rule["labels"]["severity"]) for rule in RULES}
    assert silent == set(PROMISED)


@pytest.mark.parametrize("name", PROMISED)
def test_every_alert_says_what_to_do(name: str) -> None:
    runbook = RUNBOOKS / f"{name}.md"

    text = runbook.read_text()
    for rule in named(name):
        assert rule["annotations"].keys() == {"summary", "recovery", "runbook_url"}
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
    for heading in ("## What it means", "## What to look at", "## What to do", "## When it ends"):
        assert heading in text
    assert "`gpt-trader " in text, "a runbook names a command"


def test_no_runbook_is_left_over() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(PROMISED)


def test_no_rule_depends_on_how_it_is_installed() -> None:
    selectors = [
        word for rule in RULES for word in re.findall(r"\b(job|instance|namespace|pod|release)\s*[=!]", rule["expr"])
    ]

    assert not selectors


def named(name: str) -> list[dict[str, object]]:
    return [rule for rule in RULES if rule["alert"] == name]


def promtool(*words: str) -> None:
    done = subprocess.run([binary("promtool"), *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
