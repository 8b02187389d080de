"""The policy file changes under a running gate: tighter is adopted, looser and broken are told and wait."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from gate_builders import a_policy

from gpt_trader.contracts.telemetry import Severity
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import PolicyAdopted, parse
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.policy_watch import PolicyWatch
from gpt_trader.runtime.health import Health
from gpt_trader.runtime.journal import read


@dataclass(slots=True)
class KeptAlarms:
    """Remembers what a person was told."""

    told: list[tuple[str, str]] = field(default_factory=list)

    async def alarm(self, severity: Severity, code: str, text: str, hint: str) -> None:
        del severity, hint
        self.told.append((code, text))


def written(path: Path, policy: Policy) -> None:
    path.write_text(yaml.safe_dump(policy.model_dump(mode="json")))


@pytest.fixture
def alarms() -> KeptAlarms:
    return KeptAlarms()


@pytest.fixture
def watch(ledger: Ledger, tmp_path: Path, alarms: KeptAlarms) -> PolicyWatch:
    path = tmp_path / "policy.yaml"
    written(path, ledger.policy)
    return PolicyWatch(ledger=ledger, path=path, alarms=alarms, health=Health("risk-gate"))


async def looked(watch: PolicyWatch) -> None:
    """Look as often as it takes until a change counts as still."""
    for _ in range(3):
        await watch.look()


def adoptions(ledger: Ledger) -> list[str]:
    records = [parse(entry.payload) for entry in read(ledger.journal.path)]
    return [record.version for record in records if isinstance(record, PolicyAdopted)]


async def test_a_tighter_policy_is_adopted_recorded_and_told(
    watch: PolicyWatch, ledger: Ledger, alarms: KeptAlarms
) -> None:
    before = ledger.policy.version()
    tight = a_policy(limits__max_order_notional=500)
    written(watch.path, tight)

    await looked(watch)

    assert ledger.policy == tight
    assert ledger.state.policy_version == tight.version()
    assert adoptions(ledger)[-1] == tight.version()
    text = f"policy {before} -> {tight.version()}: limits.max_order_notional: 10000 -> 500 (tighter)"
    assert alarms.told == [("policy_adopted", text)]
    assert metrics.POLICY_DRIFT.collect()[0].samples[0].value == 0


async def test_a_policy_that_is_looser_anywhere_is_refused_and_told_once(
    watch: PolicyWatch, ledger: Ledger, alarms: KeptAlarms
) -> None:
    running = ledger.policy
    count = len(adoptions(ledger))
    written(watch.path, a_policy(limits__max_order_notional=500, frequency__trades_per_hour=5))

    await looked(watch)
    await looked(watch)

    assert ledger.policy is running
    assert len(adoptions(ledger)) == count
    assert [code for code, _ in alarms.told] == ["policy_drift"]
    assert "frequency.trades_per_hour: 4 -> 5 (looser)" in alarms.told[0][1]
    assert metrics.POLICY_DRIFT.collect()[0].samples[0].value == 1

    written(watch.path, running)
    await looked(watch)
    assert metrics.POLICY_DRIFT.collect()[0].samples[0].value == 0


async def test_a_broken_file_changes_nothing_and_its_line_is_told(
    watch: PolicyWatch, ledger: Ledger, alarms: KeptAlarms
) -> None:
    running = ledger.policy
    watch.path.write_text(watch.path.read_text().replace("impact_bps:", "impact_percent:"))

    await looked(watch)

    assert ledger.policy is running
    assert [code for code, _ in alarms.told] == ["policy_drift"]
    assert f"{watch.path}:" in alarms.told[0][1]
    assert "did you mean impact_bps (basis points, 1/100 %)" in alarms.told[0][1]


async def test_a_file_is_judged_only_once_it_keeps_still(
    watch: PolicyWatch, ledger: Ledger, alarms: KeptAlarms
) -> None:
    await looked(watch)
    whole = watch.path.read_text()
    watch.path.write_text(whole[: len(whole) // 2])
    await watch.look()
    written(watch.path, a_policy(limits__max_order_notional=500))

    await looked(watch)

    assert [code for code, _ in alarms.told] == ["policy_adopted"]
    assert ledger.policy.limits.max_order_notional == 500
