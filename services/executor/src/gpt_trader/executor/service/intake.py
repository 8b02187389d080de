"""Intents in: believed only if the gate signed them for this place in the stream; journaled before they are acked."""

import asyncio
from dataclasses import dataclass

from gpt_trader.contracts.intents import ApprovedIntent, CancelIntent, EpochClaim
from gpt_trader.executor.domain.records import Abandoned, CancelWanted, EpochSeen, IntentSeen, LinkSeen, Record, Unclear
from gpt_trader.executor.domain.submission import Doubt
from gpt_trader.executor.domain.verification import (
    Circumstances,
    Delivery,
    Flaw,
    Intent,
    IsAuthentic,
    Obeyed,
    Refused,
    Verdict,
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
        verdict = self._examined(received, received.sequence)
        match verdict:
            case Obeyed(intent, payload_sha256):
                self._obey(intent, self._link(received.sequence, payload_sha256))
            case Void(intent, Flaw.CHAIN):
                self._alarm(Flaw.CHAIN, received)
                self._take(intent, Flaw.CHAIN, ())
            case Void(intent, flaw, payload_sha256):
                self._take(intent, flaw, self._link(received.sequence, payload_sha256))
            case Refused(flaw):
                self._refuse(flaw, received)

    def lacked(self, received: Received) -> ApprovedIntent | None:
        """Return an approval that the stream has and our journal lacks: a lost journal may have known it.

        What is fresh is left to its delivery, which may still be to come.
        """
        if received.sequence is None:
            return None
        match self._examined(received, received.sequence):
            case Obeyed(ApprovedIntent() as intent, _) if self._is_older_than_the_journal(intent):
                return intent
            case Void(intent, Flaw.EPOCH | Flaw.EXPIRED, _):
                return intent
            case _:
                return None

    def _examined(self, received: Received, sequence: int) -> Verdict:
        ledger = self.books.ledger
        return examine(
            Delivery(subject=received.subject, sequence=sequence, payload=received.payload),
            self.is_authentic,
            self.submission.binds,
            Circumstances(epoch=ledger.epoch, seen=ledger.orders, links=ledger.links, now=self.clock.now()),
        )

    def _before_journal(self, intent: ApprovedIntent) -> Unclear:
        return Unclear(
            client_order_id=intent.client_order_id,
            reason=Doubt.BEFORE_JOURNAL,
            permit_before=self.placer.permit_before(intent.expires_at),
            at=self.clock.now(),
        )

    def _link(self, sequence: int, payload_sha256: str) -> tuple[LinkSeen, ...]:
        """Remember what the next intent must name, once."""
        links = self.books.ledger.links
        if sequence in links:
            return ()
        if links and sequence - 1 not in links:
            log.warning("intents_gap", sequence=sequence, newest=max(links))
        return (LinkSeen(stream_sequence=sequence, payload_sha256=payload_sha256, at=self.clock.now()),)

    def _obey(self, intent: Intent, link: tuple[LinkSeen, ...]) -> None:
        match intent:
            case ApprovedIntent():
                self._take(intent, None, link)
            case CancelIntent():
                self.books.record(*link)
                self._cancel(intent)
            case EpochClaim():
                self.books.record(*link)
                self._adopt(intent)

    def _take(self, intent: ApprovedIntent, flaw: Flaw | None, link: tuple[LinkSeen, ...]) -> None:
        """Owe the gate a terminal report from now on; what can't be sent is reported at once."""
        now = self.clock.now()
        self.measurements.taken("obeyed" if flaw is None else flaw)
        self.measurements.waited(
            "approval_to_intake", self.clock.wall() - self.placer.permit_before(intent.approved_at)
        )
        flow = {**tracing.carried(), tracing.DECISION_ID: intent.decision_id}
        self.reporter.flows[intent.client_order_id] = flow
        seen: list[Record] = [*link, IntentSeen(intent=intent, at=now)]
        if self._is_older_than_the_journal(intent):
            seen.append(self._before_journal(intent))
        elif flaw is not None:
            seen.append(Abandoned(client_order_id=intent.client_order_id, reason=flaw, at=now))
        else:
            seen += self.placer.first_steps(intent)
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
            self._alarm(flaw, received)

    def _alarm(self, flaw: Flaw, received: Received) -> None:
        self.reporter.alert(
            "intent_refused",
            f"{received.sequence}:{flaw}",
            f"message {received.sequence} on {received.subject} is no valid intent of the gate: {flaw}",
            "kill; find out who can publish on intents.>, whether its history or the gate's key was changed",
        )
