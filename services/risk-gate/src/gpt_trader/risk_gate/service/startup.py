"""From what is on disk and on the bus to a gate that may decide: the only way it ever starts."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from pydantic import ValidationError

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingState, TradingStatus
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.intents import ApprovedIntent, CancelIntent, EpochClaim, SignedIntent
from gpt_trader.contracts.message import canonical, digest
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.consequences import halted, reduce_only
from gpt_trader.risk_gate.domain.records import (
    ApprovalVoided,
    CauseRaised,
    CommandsLost,
    DecisionMade,
    EpochClaimed,
    IntentStored,
)
from gpt_trader.risk_gate.domain.state import fingerprint
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.outbox import MOST_UNPUBLISHED
from gpt_trader.risk_gate.service.risk_gate import RiskGate
from gpt_trader.risk_gate.service.verdicts import signed
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import Bus, Malformed, Received
from gpt_trader.runtime.journal import JournalCut
from gpt_trader.runtime.signing import Signer

log = logs.get("risk-gate")


class JournalBehindBus(Exception):
    """The bus holds approvals that this journal does not know: its books would be wrong, so it may not start."""


class HistoryLost(Exception):
    """The bus has forgotten approvals that this journal knows were stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """Runs once; `holder` names this process in its claim, `is_halted` starts it as after a kill (CB1)."""

    ledger: Ledger
    bus: Bus
    signer: Signer
    gate: RiskGate
    holder: str
    is_halted: bool

    async def run(self) -> None:
        """Replay, compare, claim, catch up; trading stays restricted until the venue was reconciled."""
        await self._witnessed()
        count = await asyncio.to_thread(self.ledger.replay)  # nobody else has the ledger yet, and probes are answered
        journal, state = self.ledger.journal, fingerprint(self.ledger.state)
        log.info("journal_replayed", records=count, after=journal.since.sequence, head=journal.head, state=state)
        for wanted in self.ledger.state.flattens:  # begun, or about to be, when the last run ended
            self.gate.flattening.request(wanted)
        now = self.ledger.clock.now()
        self.ledger.commit(CauseRaised(cause=reduce_only(CauseCode.STARTING, "not reconciled yet", now), at=now))
        sequence, head, epoch = await self._compared_tail()
        await self._claim(sequence, head, max(epoch + 1, self._moment()))
        self._void_unstored()
        await self._obeyed()
        await self._republished()
        await self._caught_up()
        if self.is_halted and self.ledger.status() is not TradingStatus.HALTED:
            told = halted(CauseCode.KILL, "start_halted is set", self.ledger.clock.now())
            self.ledger.commit(CauseRaised(cause=told, at=self.ledger.clock.now()))
        if self.ledger.status() is TradingStatus.HALTED:
            self.ledger.halted.set()

    async def _witnessed(self) -> None:
        """Compare the journal with what was last said of it in public; raises JournalCut if it lost or changed that."""
        last = await self.bus.last("STATE", subjects.STATE_TRADING)
        if last is None:
            return
        try:
            word = TradingState.decode(last.payload)
        except ValidationError as error:
            log.warning("witness_unreadable", sequence=last.sequence, reason=str(error))
            return
        journal = self.ledger.journal
        if word.records > journal.sequence:
            raise JournalCut(
                f"{journal.path} ends at record {journal.sequence}, but at {word.published_at.isoformat()} the gate "
                f"said that there were {word.records}: the journal was cut, or put back from an older copy"
            )
        for entry in journal.newest_first():
            if entry.sequence <= word.records:
                if entry.hash != word.head_hash:
                    raise JournalCut(f"{journal.path}: record {word.records} is not the one that the gate named")
                return

    async def _compared_tail(self) -> tuple[int, str, int]:
        """Bring journal and INTENTS together; returns the stream's last sequence, payload hash and epoch."""
        state = self.ledger.state
        sequence, head, epoch = state.intents_sequence, state.intents_head, state.epoch
        last = await self.bus.last("INTENTS", ">")
        stored = 0 if last is None or last.sequence is None else last.sequence
        if stored < sequence:
            raise HistoryLost(f"INTENTS ends at {stored}, the journal knows {sequence}: the bus lost its history")
        async for received in self.bus.history("INTENTS", start_sequence=sequence + 1):
            payload = SignedIntent.decode(received.payload).payload
            sequence, head = received.sequence or 0, digest(payload.encode())
            epoch = max(epoch, self._known(received, payload, sequence, head))
        return sequence, head, epoch

    def _known(self, received: Received, payload: str, sequence: int, head: str) -> int:
        """Accept what this journal approved, and claims of epochs; anything else means that books are missing.

        An approval may be over already: the executor can report its end before the bus acknowledges it to us.
        """
        if received.subject == subjects.INTENTS_EPOCH:
            return EpochClaim.decode(payload).epoch
        if received.subject.startswith("intents.cancel."):
            return CancelIntent.decode(payload).epoch
        intent = ApprovedIntent.decode(payload)
        if intent.client_order_id not in self.ledger.state.known_orders:
            raise JournalBehindBus(
                f"INTENTS {sequence}: approval {intent.intent_id} is not in {self.ledger.journal.path}"
            )
        now = self.ledger.clock.now()
        self.ledger.commit(
            IntentStored(client_order_id=intent.client_order_id, stream_sequence=sequence, payload_sha256=head, at=now)
        )
        return intent.epoch

    def _moment(self) -> int:
        """Return the milliseconds since 1970: an epoch that no forgotten past has used.

        Every id is derived from its epoch. Counted from one, a restored backup or a second install on the same account
        would give out numbers that the venue knows from orders which this journal does not.
        """
        return int(self.ledger.clock.wall().timestamp() * 1000)

    async def _claim(self, sequence: int, head: str, epoch: int) -> None:
        """Become the only gate; raises FencedOff if somebody else wrote meanwhile."""
        now = self.ledger.clock.now()
        claim = EpochClaim(
            epoch=epoch, holder=self.holder, stream_sequence=sequence + 1, previous_hash=head, claimed_at=now
        )
        payload = claim.encode()
        stored = await self.bus.store(
            subjects.INTENTS_EPOCH,
            signed(payload, self.signer),
            message_id=f"epoch-{epoch}-{self.holder}",
            expect_last_sequence=sequence,
        )
        self.ledger.commit(EpochClaimed(epoch=epoch, intents_sequence=stored, intents_head=digest(payload), at=now))
        log.info("epoch_claimed", epoch=epoch, sequence=stored)

    def _void_unstored(self) -> None:
        """Give up what the bus never kept; only behind the claim can it not come to keep it yet."""
        now = self.ledger.clock.now()
        unstored = [key for key, kept in self.ledger.state.approvals.items() if not kept.is_stored]
        self.ledger.commit(*(ApprovalVoided(client_order_id=key, reason="never stored", at=now) for key in unstored))

    async def _obeyed(self) -> None:
        """Read every command that came while we were down: a kill among them holds, and so does one that was lost."""
        last = await self.bus.last("CONTROL", ">")
        newest, obeyed = 0 if last is None else last.sequence or 0, self.ledger.state.control_sequence
        if newest < obeyed:
            now = self.ledger.clock.now()
            detail = f"CONTROL ends at {newest}, the journal knows {obeyed}: commands were lost"
            self.ledger.commit(CommandsLost(raised=(halted(CauseCode.KILL, detail, now),), at=now))
        start = self.ledger.state.control_sequence + 1
        async for received in self.bus.history("CONTROL", start_sequence=start):
            self.gate.obey(received)

    async def _republished(self) -> None:
        """Publish the decisions that a crash kept from the bus; what the bus itself lost stays in the journal alone."""
        last = await self.bus.last("DECISIONS", ">")
        published = 0 if last is None else Decision.decode(last.payload).sequence
        missing = self.ledger.state.decisions - published
        if missing > MOST_UNPUBLISHED:
            log.warning("decisions_lost_by_bus", published=published, decided=self.ledger.state.decisions)
        for decision in reversed(self._newest(min(missing, MOST_UNPUBLISHED))):
            await self.gate.verdicts.outbox.publish(decision, canonical(decision))

    def _newest(self, count: int) -> list[Decision]:
        """Read back the last decisions, newest first."""
        entries = self.ledger.journal.newest_first() if count > 0 else ()
        made = (records.parse(entry.payload) for entry in entries if entry.kind == "decision_made")
        return [one.decision for one in islice(made, max(count, 0)) if isinstance(one, DecisionMade)]

    async def _caught_up(self) -> None:
        """Fold the fills and reports that came while we were down; what the durables bring again is known then."""
        state = self.ledger.state
        async for received in self.bus.history("FILLS", start_sequence=state.fills_sequence + 1):
            with suppress(Malformed):
                await self.gate.on_fill_message(received)
        async for received in self.bus.history("ORDERS", start_sequence=state.orders_sequence + 1):
            with suppress(Malformed):
                await self.gate.on_order_message(received)
