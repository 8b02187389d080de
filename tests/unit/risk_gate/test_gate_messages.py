"""What the gate does on messages, with a bus and a venue in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from gate_builders import CREATE_LIFE, NOW, ZERO_HASH, D, FixedClock, a_fill, a_request, approved_on
from typing_extensions import override

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.ids import VenueOrderId
from gpt_trader.contracts.message import Message
from gpt_trader.risk_gate.domain.commands import received
from gpt_trader.risk_gate.domain.permits import PermitOutcome
from gpt_trader.risk_gate.domain.records import EpochClaimed, PermitAnswered, PermitLogged
from gpt_trader.risk_gate.domain.sweep import followed
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import Balance, CancelOutcome, VenueOrder
from gpt_trader.risk_gate.ports import Venue, VenueUnavailable
from gpt_trader.risk_gate.service.flattening import Flattening
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.order_stop import OrderStop
from gpt_trader.risk_gate.service.outbox import BusBehindJournal, Outbox
from gpt_trader.risk_gate.service.permit_desk import PermitDesk
from gpt_trader.risk_gate.service.risk_gate import RiskGate
from gpt_trader.risk_gate.service.verdicts import Verdicts
from gpt_trader.runtime.bus import BusUnavailable, Malformed, Received
from gpt_trader.runtime.secret_files import write_secret
from gpt_trader.runtime.signing import Signer, generate_seed

ORDERS, FILLS = "orders.BTC-USD", "fills.BTC-USD"


@dataclass(slots=True)
class FakeStreams:
    """Keeps what is stored; `open` is cleared to make decisions wait."""

    stored: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    is_down: bool = False

    async def store(
        self, subject: str, message: Message | bytes, *, message_id: str, expect_last_sequence: int | None = None
    ) -> int:
        assert message
        assert message_id
        if subject.startswith("decisions."):
            await self.open.wait()
        if self.is_down:
            raise BusUnavailable("nobody answers")
        self.stored.append(subject)
        return 1 if expect_last_sequence is None else expect_last_sequence + 1


@dataclass(slots=True)
class SlowVenue:
    """Lists its order for ever, as a venue does that does not answer a cancel."""

    listings: int = 0

    async def open_orders(self) -> tuple[VenueOrder, ...]:
        self.listings += 1
        raise VenueUnavailable("no answer")

    async def accounts(self) -> tuple[Balance, ...]:
        return ()

    async def cancel(self, venue_order_ids: Sequence[VenueOrderId]) -> tuple[CancelOutcome, ...]:
        assert venue_order_ids
        return ()


class EmptyVenue(SlowVenue):
    """Has no open order."""

    @override
    async def open_orders(self) -> tuple[VenueOrder, ...]:
        return ()


@dataclass(slots=True)
class Said:
    """Counts the acknowledgements."""

    halts: int = 0

    @asynccontextmanager
    async def holding_back(self) -> AsyncIterator[None]:
        yield

    async def publish_state(self) -> None:
        self.halts += 1


def a_gate(ledger: Ledger, folder: Path, streams: FakeStreams | None = None, venue: Venue | None = None) -> RiskGate:
    if not (folder / "seed").exists():
        write_secret(folder / "seed", generate_seed())
    market, streams = MarketWatch(), streams or FakeStreams()
    signer = Signer.load(folder / "seed", key_id="gate")
    verdicts = Verdicts(ledger=ledger, bus=streams, outbox=Outbox(bus=streams), signer=signer)
    orders = OrderStop(ledger=ledger, venue=venue or SlowVenue(), publisher=Said())
    return RiskGate(
        ledger=ledger,
        market=market,
        verdicts=verdicts,
        desk=PermitDesk(ledger=ledger, market=market, is_dry_run=False),
        flattening=Flattening(ledger=ledger, market=market, verdicts=verdicts, orders=orders),
    )


def control(subject: str, sequence: int | None, payload: bytes = b"") -> Received:
    return Received(subject, payload, sequence=sequence)


async def soon(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not holds():  # noqa: ASYNC110 - tells nobody when it begins to hold
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("payload", [b"{}", b"\xff", b""])
async def test_a_report_that_can_not_be_read_restricts_trading(ledger: Ledger, tmp_path: Path, payload: bytes) -> None:
    gate = a_gate(ledger, tmp_path)

    for subject, read in ((FILLS, gate.on_fill_message), (ORDERS, gate.on_order_message)):
        with pytest.raises(Malformed):
            await read(Received(subject, payload, sequence=1))

    assert ledger.status() is TradingStatus.REDUCE_ONLY
    assert ledger.codes() == ("unexplained_fill",)


async def test_a_fill_beyond_all_numbers_restricts_trading(ledger: Ledger, tmp_path: Path) -> None:
    gate = a_gate(ledger, tmp_path)
    record = await gate.verdicts.give(a_request())
    assert record.intent is not None
    endless = a_fill(record.intent, "1").model_copy(update={"quantity": D("1E+999999"), "price": D("1E+999999")})

    with pytest.raises(Malformed):
        await gate.on_fill_message(Received(FILLS, endless.encode(), sequence=1))

    assert ledger.codes() == ("unexplained_fill",)


async def test_a_kill_latches_as_it_is_published_and_its_stored_copy_is_the_numbered_one(
    ledger: Ledger, tmp_path: Path
) -> None:
    gate = a_gate(ledger, tmp_path)

    await gate.on_kill(control(subjects.CONTROL_KILL, None, b"now"))
    heard = ledger.status(), ledger.state.control_sequence
    await gate.on_control(control(subjects.CONTROL_KILL, 5, b"now"))
    await gate.on_control(control(subjects.CONTROL_RESET, 6))

    assert heard == (TradingStatus.HALTED, 0)
    assert ledger.state.control_sequence == 6
    assert ledger.status() is TradingStatus.ACTIVE


async def test_the_late_copy_of_a_kill_does_not_latch_again_after_the_reset(ledger: Ledger, tmp_path: Path) -> None:
    gate = a_gate(ledger, tmp_path)

    await gate.on_control(control(subjects.CONTROL_KILL, 5))
    await gate.on_control(control(subjects.CONTROL_RESET, 6))
    await gate.on_kill(control(subjects.CONTROL_KILL, None))
    after_copy = ledger.status()
    await gate.on_kill(control(subjects.CONTROL_KILL, None))

    assert after_copy is TradingStatus.ACTIVE
    assert ledger.status() is TradingStatus.HALTED


async def test_a_second_kill_is_acknowledged_while_the_cancels_of_the_first_still_run(ledger: Ledger) -> None:
    said, venue = Said(), SlowVenue()
    orders = OrderStop(ledger=ledger, venue=venue, publisher=said)

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(orders.watch())
        ledger.commit(received(subjects.CONTROL_KILL, b"", 1, ledger.state, NOW))
        await soon(lambda: said.halts == 1 and venue.listings > 0)
        ledger.commit(received(subjects.CONTROL_RESET, b"", 2, ledger.state, NOW))
        ledger.commit(received(subjects.CONTROL_KILL, b"", 3, ledger.state, NOW))
        await soon(lambda: said.halts == 2)
        watching.cancel()


async def test_a_kill_is_acknowledged_only_when_the_venue_can_accept_no_create_any_more(ledger: Ledger) -> None:
    intent = approved_on(ledger)
    permit = PermitLogged(client_order_id=intent.client_order_id, body_sha256=ZERO_HASH, origin_ns=None, at=NOW)
    unknown = PermitAnswered(client_order_id=intent.client_order_id, outcome=PermitOutcome.UNKNOWN, at=NOW)
    ledger.commit(permit, unknown, EpochClaimed(epoch=2, intents_sequence=3, intents_head=ZERO_HASH, at=NOW))
    said = Said()
    orders = OrderStop(ledger=ledger, venue=SlowVenue(), publisher=said)

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(orders.watch())
        ledger.commit(received(subjects.CONTROL_KILL, b"", 1, ledger.state, NOW))
        await asyncio.sleep(0.1)
        before = said.halts
        assert isinstance(ledger.clock, FixedClock)
        ledger.clock.at = NOW + CREATE_LIFE
        await soon(lambda: said.halts == 1)
        watching.cancel()

    assert before == 0


def test_a_reset_does_not_end_a_halt_whose_kill_file_is_still_there(ledger: Ledger) -> None:
    def sweep(*, is_present: bool) -> None:
        ledger.commit(*followed(ledger.state, CauseCode.KILL_FILE, "it was there", NOW, is_present=is_present))

    sweep(is_present=True)
    ledger.commit(received(subjects.CONTROL_RESET, b"", 1, ledger.state, NOW))
    with_file = ledger.codes()
    sweep(is_present=False)
    without_file = ledger.codes()
    ledger.commit(received(subjects.CONTROL_RESET, b"", 2, ledger.state, NOW))

    assert (with_file, without_file, ledger.codes()) == (("kill_file",), ("kill",), ())


async def test_decisions_are_published_in_order_behind_the_verdicts_and_what_is_left_at_the_end(
    ledger: Ledger, tmp_path: Path
) -> None:
    streams = FakeStreams()
    gate = a_gate(ledger, tmp_path, streams)

    async with asyncio.TaskGroup() as tasks:
        publishing = tasks.create_task(gate.verdicts.outbox.run())
        for _ in range(3):
            await gate.verdicts.give(a_request())
        await asyncio.sleep(0)
        before = list(streams.stored)
        publishing.cancel()
        await asyncio.sleep(0)
        streams.open.set()

    assert before == ["intents.approved.BTC-USD"]
    assert streams.stored == [*before, *["decisions.BTC-USD"] * 3]


async def test_a_decision_that_the_bus_does_not_take_ends_the_process(ledger: Ledger, tmp_path: Path) -> None:
    streams = FakeStreams()
    streams.open.set()
    gate = a_gate(ledger, tmp_path, streams)
    await gate.verdicts.give(a_request())
    streams.is_down = True

    with pytest.raises(BusBehindJournal):
        await gate.verdicts.outbox.run()


@pytest.mark.parametrize(("waited", "is_begun"), [(30, True), (61, False)])
async def test_a_flatten_that_a_crash_interrupted_is_begun_again_unless_it_is_old(
    ledger: Ledger, tmp_path: Path, waited: int, *, is_begun: bool
) -> None:
    first = a_gate(ledger, tmp_path)
    await first.on_control(control(subjects.CONTROL_FLATTEN, 1))
    again = Ledger(journal=ledger.journal, policy=ledger.policy, clock=FixedClock(), create_life=CREATE_LIFE)
    again.replay()
    assert isinstance(again.clock, FixedClock)
    again.clock.at = NOW + timedelta(seconds=waited)
    second = a_gate(again, tmp_path)

    for wanted in again.state.flattens:
        second.flattening.request(wanted)

    assert first.flattening.requests.qsize() == 1
    assert second.flattening.requests.qsize() == is_begun
    assert len(again.state.flattens) == is_begun


async def test_a_flatten_ends_once(ledger: Ledger, tmp_path: Path) -> None:
    gate = a_gate(ledger, tmp_path, venue=EmptyVenue())
    await gate.on_control(control(subjects.CONTROL_FLATTEN, 1))

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(gate.flattening.run())
        await soon(lambda: not ledger.state.flattens)
        running.cancel()

    again = Ledger(journal=ledger.journal, policy=ledger.policy, clock=ledger.clock, create_life=CREATE_LIFE)
    again.replay()
    assert again.state.flattens == ()
