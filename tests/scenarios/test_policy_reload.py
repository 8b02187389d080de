"""The policy file of a running gate: a tighter limit holds at once, a looser one is told and waits (CF4, C23)."""

import yaml
from stand import BTC, Stand, failed, policy_document, until

from gpt_trader.contracts.telemetry import Alert


def declare(stand: Stand, **changes: object) -> None:
    stand.system.policy_file.write_text(yaml.safe_dump(policy_document(changes)))


def told(stand: Stand, code: str) -> Alert:
    def found() -> Alert | None:
        return next((one for one in reversed(stand.history("ALERTS", Alert)) if one.code == code), None)

    return until(found, f"alert {code}")


def test_a_tighter_limit_holds_without_a_restart_and_decisions_name_its_version(stand: Stand) -> None:
    before = stand.enter(BTC)
    declare(stand, limits={"max_order_notional": "0.5"})
    alert = told(stand, "policy_adopted")

    after = stand.enter(BTC)

    assert "order_is_within_limit" in failed(after)
    assert f"{before.policy_version} -> {after.policy_version}: limits.max_order_notional" in alert.text


def test_a_looser_limit_is_told_as_drift_and_not_adopted(stand: Stand) -> None:
    running = stand.enter(BTC).policy_version
    declare(stand, limits={"max_order_notional": "20000"})

    assert "limits.max_order_notional" in told(stand, "policy_drift").text
    assert stand.enter(BTC).policy_version == running
