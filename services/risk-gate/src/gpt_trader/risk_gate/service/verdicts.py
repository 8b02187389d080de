"""Gives verdicts one after the other: decided, on disk, stored as an intent, and left to be published."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from time import perf_counter

from gpt_trader.contracts import subjects
from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.intents import ApprovedIntent, CancelIntent, SignedIntent
from gpt_trader.contracts.message import digest
from gpt_trader.risk_gate.domain.approval import withdraw
from gpt_trader.risk_gate.domain.checks.case import Preview, Request
from gpt_trader.risk_gate.domain.checks.table import CHECKS
from gpt_trader.risk_gate.domain.consequences import reduce_only
from gpt_trader.risk_gate.domain.decide import write
from gpt_trader.risk_gate.domain.denials import is_withheld
from gpt_trader.risk_gate.domain.exposure import Approval
from gpt_trader.risk_gate.domain.preview import draft
from gpt_trader.risk_gate.domain.records import ApprovalVoided, CancelAsked, CauseRaised, DecisionMade, IntentStored
from gpt_trader.risk_gate.domain.spelling import Spelling
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.ports import Previews, Streams, VenueUnavailable
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.outbox import BusBehindJournal, Outbox
from gpt_trader.risk_gate.service.withheld import Withheld
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus import BusUnavailable, PublishUnknown, StreamFull
from gpt_trader.runtime.signing import Signer

log = logs.get("risk-gate")

for _check in CHECKS:
    metrics.OBJECTIONS.labels(_check.check, _check.rule)  # from zero on: else the first denial is no increase

_LONGEST_REFUSAL = 200


@dataclass(frozen=True, slots=True)
class Heard:
    """When a signal was taken from the socket, on the performance counter, and for how long the bus had it then."""

    at: float
    waited: timedelta


@dataclass(slots=True, kw_only=True)
class Verdicts:
    """One verdict at a time, so that the chain of intents and the stream agree."""

    ledger: Ledger
    bus: Streams
    outbox: Outbox
    signer: Signer
    venue: Previews
    spelling: Spelling
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    withheld: Withheld = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing withheld."""
        self.withheld = Withheld(ledger=self.ledger)

    async def give(self, gather: Callable[[], Request | None], heard: Heard | None = None) -> DecisionMade | None:
        """Decide, and send the intent on its way; raises BusBehindJournal if the bus does not keep it.

        `gather` looks at the world once it is this request's turn: what it was when it began to wait is the past. None
        = there is nothing to decide any more, or it is a denial too many, which is counted only.
        """
        async with self.turn:
            gathered = gather()
            if gathered is None:
                return None
            request = await self._previewed(gathered)
            written = write(request, self.ledger.state, self.ledger.policy, self.spelling)
            record = written.record
            if is_withheld(record, self.ledger.state, self.ledger.policy):
                _count(record)
                self.withheld.add(record)
                return None
            self.ledger.commit_decision(written)
            spent = {} if heard is None else _timed(heard, self.ledger.journal.synced_in)
            _count(record)
            with tracing.about(record.decision.decision_id):
                _tell(record, spent)
                if record.intent is not None:
                    await self._store(record.intent)
                await self.outbox.put(record.decision, written.form)
        return record

    async def withdraw(self, approval: Approval, reason: str) -> None:
        """Have the executor cancel an order; raises BusBehindJournal if the bus does not keep the request."""
        async with self.turn:
            if approval.client_order_id not in self.ledger.state.approvals:
                return
            asked_of = {"client_order_id": approval.client_order_id, "decision_id": approval.decision_id}
            intent = withdraw(approval, reason, self.ledger.state, self.ledger.clock.now())
            try:
                await self._kept(subjects.intents_cancel(intent.product), intent)
            except StreamFull as error:
                log.warning("cancel_not_asked", **asked_of, reason=str(error))
                return
            asked = CancelAsked(intent=intent, payload_sha256=digest(intent.encode()), at=self.ledger.clock.now())
            self.ledger.commit(asked)
        log.info("cancel_asked", **asked_of, reason=reason)

    async def _previewed(self, request: Request) -> Request:
        """Ask the venue about an order that nothing else denies; no answer is a refusal of this order.

        It was asked about this very price: the market stays as it was, and is as old as it is when the answer comes.
        """
        asked = draft(request, self.ledger.state, self.ledger.policy, self.spelling)
        if asked is None:
            return request
        try:
            refusals = await self.venue.preview(asked.body)
        except VenueUnavailable as error:
            refusals = (f"no answer: {error}"[:_LONGEST_REFUSAL],)
        preview = Preview(quantity=asked.quantity, limit_price=asked.limit_price, refusals=refusals)
        return replace(request, preview=preview, now=self.ledger.clock.now())

    async def _store(self, intent: ApprovedIntent) -> None:
        """Have the bus keep an approval; one for which it has no room is void, and entries stop until it has."""
        try:
            sequence = await self._kept(subjects.intents_approved(intent.product), intent)
        except StreamFull as error:
            now = self.ledger.clock.now()
            log.warning("intent_not_kept", client_order_id=intent.client_order_id, reason=str(error))
            self.ledger.commit(
                ApprovalVoided(client_order_id=intent.client_order_id, reason=str(error), at=now),
                CauseRaised(cause=reduce_only(CauseCode.BUS_STORE, str(error), now), at=now),
            )
            return
        stored = IntentStored(
            client_order_id=intent.client_order_id,
            stream_sequence=sequence,
            payload_sha256=digest(intent.encode()),
            at=self.ledger.clock.now(),
        )
        self.ledger.commit(stored)

    async def _kept(self, subject: str, intent: ApprovedIntent | CancelIntent) -> int:
        """Have the bus keep an intent in its place of the chain; returns that place, raises StreamFull if it can't."""
        try:
            return await self.bus.store(
                subject,
                signed(intent.encode(), self.signer),
                message_id=intent.intent_id,
                expect_last_sequence=intent.stream_sequence - 1,
            )
        except StreamFull:
            raise
        except (BusUnavailable, PublishUnknown) as error:
            raise BusBehindJournal(f"intent {intent.intent_id}: {error}") from error


def signed(payload: bytes, signer: Signer) -> SignedIntent:
    """Sign exactly these bytes."""
    return SignedIntent(payload=payload.decode(), key_id=signer.key_id, signature=signer.sign(payload))


def _timed(heard: Heard, synced_in: float) -> dict[str, float]:
    """Count how long a decision took, and return it exactly for the log: in all, waiting for the disk, and before."""
    seconds = perf_counter() - heard.at
    metrics.DECIDED_SECONDS.observe(seconds)
    metrics.DECIDING_SECONDS.observe(seconds - synced_in)
    milliseconds = {"took_ms": seconds, "disk_ms": synced_in, "waited_ms": heard.waited.total_seconds()}
    return {name: round(value * 1000, 3) for name, value in milliseconds.items()}


def _count(record: DecisionMade) -> None:
    decision = record.decision
    product = "unlisted" if decision.market.spec is None else decision.product  # a label lives for ever
    metrics.DECISIONS.labels(decision.verdict.value, product).inc()
    for found in decision.failures:
        metrics.OBJECTIONS.labels(found.check, found.rule).inc()


def _tell(record: DecisionMade, spent: Mapping[str, float]) -> None:
    decision = record.decision
    log.info(
        "signal_approved" if decision.verdict is Verdict.APPROVED else "signal_denied",
        signal_id=decision.signal.signal_id,
        wish=decision.signal.signal_id if record.follows is None else record.follows.wish,
        product=decision.product,
        purpose=record.purpose.value,
        failed=[f"{found.check}.{found.rule}" for found in decision.failures],
        **spent,
    )
