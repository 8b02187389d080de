"""Intents in: believed only if the gate signed them for this place in the stream; journaled before they are acked."""

import asyncio
from dataclasses import dataclass

from gpt_trader.contracts.intents import ApprovedIntent, CancelIntent, EpochClaim
from gpt_trader.executor.domain.records import Abandoned, CancelWanted, EpochSeen, IntentSeen, Record, Unclear
from gpt_trader.executor.domain.submission import Doubt
from gpt_trader.executor.domain.verification import (
    Circumstances,
    Delivery,
    Flaw,
    Intent,
    IsAuthentic,
    Obeyed,
    Refused,
    Void,
    examine,
)
from gpt_trader.executor.ports import ExchangeUnavailable, Measurements, Submission
from gpt_trader.executor.service.books import Books
from gpt_trader.executor.service.following import Follower
from gpt_trader.executor.service.placing import Placer
from gpt_trader.executor.service.reporting import Reporter
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus import Received
from gpt_trader.runtime.clock import Clock

log = logs.get("executor")

_HARMLESS = frozenset({Flaw.REPEATED, Flaw.EPOCH})
"""A redelivery, and what an earlier gate said before it was replaced."""


@dataclass(slots=True, kw_only=True)
class Intake:
    """Returns as soon as an intent is on disk; the order's own task does the rest."""

    books: Books
    placer: Placer
    follower: Follower
    reporter: Reporter
    submission: Submission
    measurements: Measurements
    clock: Clock
    is_authentic: IsAuthentic
    group: asyncio.TaskGroup

    async def on_intent(self, received: Received) -> None:
        """Examine one message of the intents stream and begin what it asks for."""
        if received.sequence is None:
            self._refuse(Flaw.SEQUENCE, received)
            return
        delivery = Delivery(subject=received.subject, sequence=received.sequence, payload=received.payload)
        ledger = self.books.ledger
        verdict = examine(
            delivery, self.is_authentic, Circumstances(epoch=ledger.epoch, seen=ledger.orders, now=self.clock.now())
        )
        match verdict:
            case Obeyed(intent):
                self._obey(intent)
            case Void(intent, flaw):
                self._take(intent, flaw)
            case Refused(flaw):
                self._refuse(flaw, received)

    def _obey(self, intent: Intent) -> None:
        match intent:
            case ApprovedIntent():
                self._take(intent, None)
            case CancelIntent():
                self._cancel(intent)
            case EpochClaim():
                self._adopt(intent)

    def _take(self, intent: ApprovedIntent, flaw: Flaw | None) -> None:
        """Owe the gate a terminal report from now on; what can't be sent is reported at once."""
        now = self.clock.now()
        self.measurements.taken("obeyed" if flaw is None else flaw)
        self.measurements.waited(
            "approval_to_intake", self.clock.wall() - self.placer.permit_before(intent.approved_at)
        )
        self.reporter.flows[intent.client_order_id] = tracing.carried()
        seen: list[Record] = [IntentSeen(intent=intent, at=now)]
        if self._is_older_than_the_journal(intent):
            latest = self.placer.permit_before(intent.expires_at)
            seen.append(
                Unclear(
                    client_order_id=intent.client_order_id, reason=Doubt.BEFORE_JOURNAL, permit_before=latest, at=now
                )
            )
        elif flaw is not None:
            seen.append(Abandoned(client_order_id=intent.client_order_id, reason=flaw, at=now))
        self.books.record(*seen)
        if self.books.order(intent.client_order_id).is_in_doubt:
            self.placer.doubt.set()
        elif flaw is None:
            self.placer.begin(intent.client_order_id)

    def _is_older_than_the_journal(self, intent: ApprovedIntent) -> bool:
        """Whether a lost journal may have known the order: then only the venue can tell if it was sent."""
        opened_at = self.books.ledger.opened_at
        return opened_at is None or intent.approved_at < opened_at

    def _cancel(self, intent: CancelIntent) -> None:
        self.measurements.taken("cancel")
        order = self.books.ledger.orders.get(intent.client_order_id)
        if order is None:
            self.group.create_task(self._cancel_unknown(intent))
        elif not order.is_terminal:
            self.books.record(CancelWanted(client_order_id=intent.client_order_id, at=self.clock.now()))
            self.follower.cancel(intent.client_order_id)

    async def _cancel_unknown(self, intent: CancelIntent) -> None:
        """Cancel an order that our journal lacks: it can only reduce risk."""
        try:
            if intent.venue_order_id is not None:
                await self.submission.cancel([intent.venue_order_id])
        except ExchangeUnavailable as error:
            log.warning("cancel_failed", client_order_id=intent.client_order_id, reason=str(error))
        self.reporter.alert(
            "cancel_of_unlisted_order",
            intent.intent_id,
            f"the gate cancels {intent.client_order_id}, which this executor's journal does not know",
            "if the journal was lost, compare open orders at the venue with the gate's",
        )

    def _adopt(self, claim: EpochClaim) -> None:
        self.measurements.taken("epoch")
        if claim.epoch > self.books.ledger.epoch:
            log.info("epoch", epoch=claim.epoch, holder=claim.holder)
            self.books.record(EpochSeen(epoch=claim.epoch, at=self.clock.now()))

    def _refuse(self, flaw: Flaw, received: Received) -> None:
        self.measurements.taken(flaw)
        log.info("intent_refused", flaw=flaw, subject=received.subject, sequence=received.sequence)
        if flaw not in _HARMLESS:
            self.reporter.alert(
                "intent_refused",
                f"{received.sequence}:{flaw}",
                f"message {received.sequence} on {received.subject} is no valid intent of the gate: {flaw}",
                "kill; find out who can publish on intents.> or whether the gate's key was changed",
            )
