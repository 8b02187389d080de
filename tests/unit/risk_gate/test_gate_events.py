"""What is told of the journal: all that no other message says, in its order, rather once more than not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from gate_builders import CREATE_LIFE, NOW, a_fill, a_policy, a_request, a_state, approved, decided

from gpt_trader.contracts.events import GateEvent
from gpt_trader.contracts.message import Message
from gpt_trader.risk_gate.domain.consequences import reduce_only
from gpt_trader.risk_gate.domain.events import told
from gpt_trader.risk_gate.domain.permits import PermitOutcome
from gpt_trader.risk_gate.domain.records import (
    CauseCleared,
    CauseRaised,
    FillReported,
    PermitAnswered,
    PermitLogged,
    Record,
)
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.service.event_feed import EventFeed
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime.bus import BusUnavailable

CAUSE = reduce_only(CauseCode.CLOCK, "3 s off", NOW)
RAISED = CauseRaised(cause=CAUSE, at=NOW)
CLEARED = CauseCleared(code=CauseCode.CLOCK, product=None, reason="0 s off", at=NOW)
PERMIT = PermitLogged(client_order_id="order-1", body_sha256="a" * 64, origin_ns=None, at=NOW)
ANSWERED = PermitAnswered(client_order_id="order-1", outcome=PermitOutcome.ANSWERED, at=NOW)


@dataclass(slots=True)
class ForgetfulStreams:
    """Keeps events by message id; fails as often as it is told to."""

    failures: int = 0
    kept: dict[str, GateEvent] = field(default_factory=dict)
    subjects: list[str] = field(default_factory=list)
    arrived: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def store(
        self, subject: str, message: Message | bytes, *, message_id: str, expect_last_sequence: int | None = None
    ) -> int:
        assert expect_last_sequence is None
        if self.failures:
            self.failures -= 1
            raise BusUnavailable("nobody answers")
        assert isinstance(message, bytes)
        self.kept.setdefault(message_id, GateEvent.decode(message))
        self.subjects.append(subject)
        self.arrived.put_nowait(message_id)
        return len(self.kept)

    def said(self) -> list[tuple[int, str]]:
        return [(event.record, event.kind) for event in self.kept.values()]


@asynccontextmanager
async def publishing(feed: EventFeed) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(feed.run())
        yield
        task.cancel()


async def said_by(streams: ForgetfulStreams, count: int) -> list[tuple[int, str]]:
    async with asyncio.timeout(5):
        for _ in range(count):
            await streams.arrived.get()
    return streams.said()


def test_a_permit_and_its_answer_are_told_with_all_they_say() -> None:
    (issued,), (answered,) = told(7, PERMIT), told(8, ANSWERED)

    assert (issued.record, issued.kind, answered.kind) == (7, "permit_logged", "permit_answered")
    assert issued.content["client_order_id"] == answered.content["client_order_id"] == "order-1"
    assert answered.content["outcome"] == "answered"
    assert GateEvent.decode(issued.encode()) == issued


def test_a_decision_and_a_fill_are_told_elsewhere_but_the_causes_they_raise_are_told() -> None:
    _, made = decided(a_state(), a_policy(), a_request())
    _, intent = approved(a_state(), a_policy(), a_request())
    filled = FillReported(fill=a_fill(intent, intent.quantity), sequence=1, is_slippage=False, raised=(CAUSE,), at=NOW)

    assert not told(1, made)
    assert [(event.kind, event.content["cause"]) for event in told(2, filled)] == [
        ("cause_raised", CAUSE.model_dump(mode="json"))
    ]


async def test_what_is_committed_is_published_in_its_order_though_the_bus_fails() -> None:
    streams = ForgetfulStreams(failures=2)
    feed = EventFeed(bus=streams)
    async with publishing(feed):
        feed.put(3, (PERMIT, RAISED))
        feed.put(5, (CLEARED, ANSWERED))
        found = await said_by(streams, 4)

    assert found == [(3, "permit_logged"), (4, "cause_raised"), (5, "cause_cleared"), (6, "permit_answered")]
    assert streams.subjects[0] == "events.permit_logged"


@pytest.mark.parametrize("published", [0, 3, 4, 6])
async def test_a_start_publishes_what_the_journal_holds_and_the_bus_does_not(ledger: Ledger, published: int) -> None:
    streams = ForgetfulStreams()
    feed = EventFeed(bus=streams)
    entries: tuple[Record, ...] = (RAISED, CLEARED, RAISED, CLEARED)
    for number, record in enumerate(entries):
        later = {"at": NOW + timedelta(seconds=number)}
        ledger.commit(record.model_copy(update=later))
    missing = [number for number in (1, 3, 4, 5, 6, 7) if number >= published]  # the 2nd claims an epoch in INTENTS

    feed.catch_up(ledger.journal, published)
    async with publishing(feed):
        found = await said_by(streams, len(missing))

    assert [number for number, _ in found] == missing


def test_the_ledger_tells_of_each_record_with_its_number_once_it_is_on_disk(ledger: Ledger) -> None:
    heard: list[tuple[int, int]] = []
    again = Ledger(
        journal=ledger.journal,
        policy=ledger.policy,
        clock=ledger.clock,
        create_life=CREATE_LIFE,
        state=ledger.state,
        tell=lambda first, entries: heard.append((first, len(entries))),
    )
    before = ledger.journal.sequence

    again.commit(RAISED, CLEARED)
    again.commit()

    assert heard == [(before + 1, 2)]
    assert ledger.journal.sequence == before + 2
