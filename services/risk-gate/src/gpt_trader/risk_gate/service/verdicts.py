"""Gives verdicts one after the other: decided, on disk, stored as an intent, and left to be published."""

import asyncio
from dataclasses import dataclass, field

from gpt_trader.contracts import subjects
from gpt_trader.contracts.decisions import Outcome, Verdict
from gpt_trader.contracts.intents import ApprovedIntent, SignedIntent
from gpt_trader.contracts.message import digest
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.decide import decide
from gpt_trader.risk_gate.domain.records import DecisionMade, IntentStored
from gpt_trader.risk_gate.ports import Streams
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.outbox import BusBehindJournal, Outbox
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import BusUnavailable, PublishUnknown
from gpt_trader.runtime.signing import Signer

log = logs.get("risk-gate")


@dataclass(slots=True, kw_only=True)
class Verdicts:
    """One verdict at a time, so that the chain of intents and the stream agree."""

    ledger: Ledger
    bus: Streams
    outbox: Outbox
    signer: Signer
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def give(self, request: Request) -> DecisionMade:
        """Decide, and send the intent on its way; raises BusBehindJournal if the bus does not keep it."""
        async with self.turn:
            record = decide(request, self.ledger.state, self.ledger.policy)
            self.ledger.commit(record)
            _count(record)
            if record.intent is not None:
                await self._store(record.intent)
            await self.outbox.put(record.decision)
        return record

    async def _store(self, intent: ApprovedIntent) -> None:
        payload = intent.encode()
        try:
            sequence = await self.bus.store(
                subjects.intents_approved(intent.product),
                signed(payload, self.signer),
                message_id=intent.intent_id,
                expect_last_sequence=intent.stream_sequence - 1,
            )
        except (BusUnavailable, PublishUnknown) as error:
            raise BusBehindJournal(f"intent {intent.intent_id}: {error}") from error
        stored = IntentStored(
            client_order_id=intent.client_order_id,
            stream_sequence=sequence,
            payload_sha256=digest(payload),
            at=self.ledger.clock.now(),
        )
        self.ledger.commit(stored)


def signed(payload: bytes, signer: Signer) -> SignedIntent:
    """Sign exactly these bytes."""
    return SignedIntent(payload=payload.decode(), key_id=signer.key_id, signature=signer.sign(payload))


def _count(record: DecisionMade) -> None:
    decision = record.decision
    metrics.DECISIONS.labels(decision.verdict.value, decision.product).inc()
    failed = [found for found in decision.checks if found.outcome is Outcome.FAILED]
    for found in failed:
        metrics.OBJECTIONS.labels(found.check, found.rule).inc()
    log.info(
        "signal_approved" if decision.verdict is Verdict.APPROVED else "signal_denied",
        decision_id=decision.decision_id,
        signal_id=decision.signal.signal_id,
        product=decision.product,
        purpose=record.purpose.value,
        failed=[f"{found.check}.{found.rule}" for found in failed],
    )
