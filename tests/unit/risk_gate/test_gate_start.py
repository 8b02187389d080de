"""What a start does with approvals of which nobody knows whether the bus kept them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from gate_builders import CREATE_LIFE, SPELLING, a_request

from gpt_trader.contracts import subjects
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.message import Message
from gpt_trader.risk_gate.domain.decide import decide
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.risk_gate import RiskGate
from gpt_trader.risk_gate.service.startup import Startup
from gpt_trader.risk_gate.service.verdicts import signed
from gpt_trader.runtime.bus import Bus, FencedOff, Received
from gpt_trader.runtime.secret_files import write_secret
from gpt_trader.runtime.signing import Signer, generate_seed


@dataclass(slots=True)
class LateBus:
    """Keeps what a dead gate had sent only once the next one has read the stream: its claim comes second."""

    late: Received
    kept: list[Received] = field(default_factory=list)

    async def last(self, stream: str, _subject: str) -> Received | None:
        if stream == "STATE":
            return None
        return self.kept[-1] if self.kept else Received(subjects.INTENTS_EPOCH, b"", sequence=1)

    async def history(self, stream: str, *, start_sequence: int) -> AsyncIterator[Received]:
        for received in self.kept:
            if stream == "INTENTS" and (received.sequence or 0) >= start_sequence:
                yield received

    async def store(
        self, subject: str, _message: Message, *, message_id: str, expect_last_sequence: int | None = None
    ) -> int:
        assert (subject, bool(message_id)) == (subjects.INTENTS_EPOCH, True)
        self.kept = [self.late]
        raise FencedOff(f"sequence {expect_last_sequence} is taken")


async def started(ledger: Ledger, bus: LateBus, signer: Signer) -> None:
    never_reached = cast("RiskGate", None)
    start = Startup(
        ledger=ledger, bus=cast("Bus", bus), signer=signer, gate=never_reached, holder="second", is_halted=False
    )
    with pytest.raises(FencedOff):
        await start.run()


async def test_an_approval_that_the_bus_kept_after_all_is_not_given_up_by_a_gate_without_claim(
    ledger: Ledger, tmp_path: Path
) -> None:
    write_secret(tmp_path / "seed", generate_seed())
    signer = Signer.load(tmp_path / "seed", key_id="gate")
    record = decide(a_request(), ledger.state, ledger.policy, SPELLING)
    intent = cast("ApprovedIntent", record.intent)
    ledger.commit(record)
    sent = signed(intent.encode(), signer).encode()
    bus = LateBus(Received(subjects.intents_approved(intent.product), sent, sequence=intent.stream_sequence))

    for _ in range(2):
        again = Ledger(journal=ledger.journal, policy=ledger.policy, clock=ledger.clock, create_life=CREATE_LIFE)
        await started(again, bus, signer)

    assert again.state.approvals[intent.client_order_id].is_stored
