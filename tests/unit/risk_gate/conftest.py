"""Make the builders beside the tests importable; a ledger on a real journal."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from gate_builders import CREATE_LIFE, NOW, ZERO_HASH, D, FixedClock, a_policy

from gpt_trader.risk_gate.domain.records import EpochClaimed, Opened
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime.journal import Journal


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Journal.open(tmp_path / "gate.jsonl") as journal:
        ledger = Ledger(journal=journal, policy=a_policy(), clock=FixedClock(), create_life=CREATE_LIFE)
        ledger.replay()
        ledger.commit(
            EpochClaimed(epoch=1, intents_sequence=1, intents_head=ZERO_HASH, at=NOW),
            Opened(cash={"USD": D(100000)}, positions=(), at=NOW),
        )
        yield ledger
