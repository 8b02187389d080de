"""What a starting gate makes of the approvals that the bus kept and its journal never saw acknowledged."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from gate_builders import NOW, SPELLING, a_request, an_order_event

from gpt_trader.contracts.intents import ApprovedIntent, SignedIntent
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.risk_gate.domain.decide import decide
from gpt_trader.risk_gate.domain.records import OrderReported
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.startup import JournalBehindBus, Startup
from gpt_trader.runtime.bus import Received


@dataclass(slots=True)
class KeptIntent:
    """A bus whose INTENTS ends with one approval."""

    intent: ApprovedIntent

    async def last(self, _stream: str, _subject: str) -> Received:
        return self._received()

    async def history(self, _stream: str, *, start_sequence: int) -> AsyncIterator[Received]:
        assert start_sequence == self.intent.stream_sequence
        yield self._received()

    def _received(self) -> Received:
        signed = SignedIntent(payload=self.intent.encode().decode(), key_id="gate", signature="")
        return Received("intents.approved.BTC-USD", signed.encode(), sequence=self.intent.stream_sequence)


def started(ledger: Ledger, intent: ApprovedIntent) -> Startup:
    unused = cast("Any", None)
    bus = cast("Any", KeptIntent(intent))
    return Startup(ledger=ledger, bus=bus, signer=unused, gate=unused, holder="second life", is_halted=False)


async def test_an_order_that_was_over_before_its_approval_was_acknowledged_keeps_no_gate_from_starting(
    ledger: Ledger,
) -> None:
    record = decide(a_request(), ledger.state, ledger.policy, SPELLING)
    assert record.intent is not None
    over = an_order_event(record.intent, OrderStatus.FAILED, reason="no_matching_approval")
    ledger.commit(record, OrderReported(event=over, sequence=1, raised=(), at=NOW))
    assert record.intent.client_order_id not in ledger.state.approvals

    sequence, _head, _epoch = await started(ledger, record.intent)._compared_tail()

    assert sequence == ledger.state.intents_sequence == record.intent.stream_sequence


async def test_an_approval_that_the_journal_never_made_keeps_the_gate_from_starting(ledger: Ledger) -> None:
    record = decide(a_request(), ledger.state, ledger.policy, SPELLING)
    assert record.intent is not None

    with pytest.raises(JournalBehindBus):
        await started(ledger, record.intent)._compared_tail()
