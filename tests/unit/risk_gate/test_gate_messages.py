"""What the gate does on messages, with a bus and a venue in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from gate_builders import (
    BTC,
    CREATE_LIFE,
    NOW,
    SPELLING,
    ZERO_HASH,
    D,
    FixedClock,
    a_fill,
    a_request,
    a_signal,
    a_spec,
    a_tick,
    a_watch,
    approved_on,
)
from typing_extensions import override

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.ids import ClientOrderId, VenueOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import Universe
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.contracts.signals import Action, Side
from gpt_trader.contracts.telemetry import Severity
from gpt_trader.risk_gate.domain.commands import received
from gpt_trader.risk_gate.domain.exposure import Approvals
from gpt_trader.risk_gate.domain.permits import PermitOutcome
from gpt_trader.risk_gate.domain.records import DecisionMade, EpochClaimed, PermitAnswered, PermitLogged, parse
from gpt_trader.risk_gate.domain.sweeps.conditions import followed
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import Balance, CancelOutcome, Traffic, VenueOrder
from gpt_trader.risk_gate.ports import StoredState, Venue, VenueUnavailable
from gpt_trader.risk_gate.service.amendments import Amendments
from gpt_trader.risk_gate.service.degradation import Degradation
from gpt_trader.risk_gate.service.flattening import Flattening
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.order_stop import OrderStop
from gpt_trader.risk_gate.service.outbox import BusBehindJournal, Outbox
from gpt_trader.risk_gate.service.permit_desk import PermitDesk
from gpt_trader.risk_gate.service.risk_gate import RiskGate
from gpt_trader.risk_gate.service.sweeper import Sweeper
from gpt_trader.risk_gate.service.venue_stops import VenueStops
from gpt_trader.risk_gate.service.verdicts import Verdicts
from gpt_trader.runtime.bus import BusUnavailable, Malformed, Received, StreamFull
from gpt_trader.runtime.secret_files import write_secret
from gpt_trader.runtime.signing import Signer, generate_seed

ORDERS, FILLS = "orders.BTC-USD", "fills.BTC-USD"


@dataclass(slots=True)
class FakeStreams:
    """Keeps what is stored; `open` is cleared to make decisions wait."""

    stored: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    is_down: bool = False
    is_full: bool = False

    async def store(
        self, subject: str, message: Message | bytes, *, message_id: str, expect_last_sequence: int | None = None
    ) -> int:
        assert message
        assert message_id
        if subject.startswith("decisions."):
            await self.open.wait()
        if self.is_down:
            raise BusUnavailable("nobody answers")
        if self.is_full and subject.startswith("intents."):
            raise StreamFull("maximum bytes exceeded")
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

    async def preview(self, body: bytes) -> tuple[str, ...]:
        assert body
        raise VenueUnavailable("no answer")


class StubbornVenue(SlowVenue):
    """Keeps an order open, whatever is asked."""

    @override
    async def open_orders(self) -> tuple[VenueOrder, ...]:
        self.listings += 1
        return (
            VenueOrder(
                venue_order_id=VenueOrderId("stuck"),
                client_order_id=ClientOrderId(""),
                product=BTC,
                side=Side.BUY,
                status=OrderStatus.OPEN,
                quantity=D(1),
                filled_quantity=D(0),
                limit_price=None,
                observed_at=NOW,
            ),
        )


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


class Idle:
    """No requests."""

    def traffic(self, within: timedelta) -> Traffic:
        del within
        return Traffic(requests=0, errors=0, budget_used=D(0))


class EmptyStore:
    """A state store that holds nothing and takes everything."""

    async def load(self) -> StoredState | None:
        return None

    async def save(self, state: StoredState, expected_version: int | None) -> None: ...

    async def kill_requested(self) -> bool:
        return False


class NoOrders:
    """A venue that shows no order."""

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder:
        raise VenueUnavailable(venue_order_id)


class Silence:
    """Nobody to tell."""

    async def alarm(self, severity: Severity, code: str, text: str, hint: str) -> None: ...


def a_gate(ledger: Ledger, folder: Path, streams: FakeStreams | None = None, venue: Venue | None = None) -> RiskGate:
    if not (folder / "seed").exists():
        write_secret(folder / "seed", generate_seed())
    market, streams = a_watch(), streams or FakeStreams()
    signer, exchange = Signer.load(folder / "seed", key_id="gate"), venue or SlowVenue()
    verdicts = Verdicts(
        ledger=ledger, bus=streams, outbox=Outbox(bus=streams), signer=signer, venue=exchange, spelling=SPELLING
    )
    orders = OrderStop(ledger=ledger, venue=exchange, publisher=Said())
    desk = PermitDesk(ledger=ledger, market=market, is_dry_run=False)
    amendments = Amendments(ledger=ledger, venue=exchange, orders=NoOrders(), fence=desk)
    stops = VenueStops(ledger=ledger, market=market, verdicts=verdicts, amendments=amendments)
    return RiskGate(
        ledger=ledger,
        market=market,
        verdicts=verdicts,
        desk=desk,
        flattening=Flattening(ledger=ledger, market=market, verdicts=verdicts, orders=orders, stops=stops),
        sweeper=Sweeper(ledger=ledger, market=market, traffic=Idle(), orders=orders, alarms=Silence()),
        stops=stops,
    )


def control(subject: str, sequence: int | None, payload: bytes = b"") -> Received:
    return Received(subject, payload, sequence=sequence)


async def soon(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not holds():  # noqa: ASYNC110 - tells nobody when it begins to hold
            await asyncio.sleep(0.005)


async def test_an_order_that_the_venue_keeps_stops_no_flatten_also_while_a_kill_still_cancels(ledger: Ledger) -> None:
    orders = OrderStop(ledger=ledger, venue=StubbornVenue(), publisher=Said())

    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        of_a_kill = tasks.create_task(orders.cancel_all())
        await asyncio.sleep(0)
        await orders.cancel_all(3)
        is_still_trying = not of_a_kill.done()
        of_a_kill.cancel()

    assert is_still_trying


async def test_a_kill_file_of_which_nobody_can_tell_halts(ledger: Ledger, tmp_path: Path) -> None:
    sweeper = a_gate(ledger, tmp_path).sweeper
    unknowable = tmp_path / ("x" * 300)

    await Degradation(ledger=ledger, sweeper=sweeper, store=EmptyStore(), kill_file=unknowable).sweep()

    assert ledger.status() is TradingStatus.HALTED


@pytest.mark.parametrize(("created_at", "takes_stop_back"), [(NOW, True), (NOW - timedelta(minutes=5), False)])
async def test_an_exit_that_is_denied_in_any_case_takes_no_stop_back(
    ledger: Ledger, tmp_path: Path, created_at: datetime, *, takes_stop_back: bool
) -> None:
    gate = a_gate(ledger, tmp_path)
    await gate.market.on_universe(Universe(version=1, products=(a_spec(),), published_at=NOW), control("universe", 1))
    await gate.market.on_tick(a_tick(), control("ticks.BTC-USD", 1))
    intent = approved_on(ledger)
    kept = ledger.state.approvals[intent.client_order_id]
    resting = {"trigger_price": D(46000), "form": OrderForm.STOP_LIMIT_GTC}
    stop = replace(kept, side=Side.SELL, purpose=Purpose.PROTECTIVE, **resting)
    ledger.state = replace(ledger.state, approvals=Approvals({stop.client_order_id: stop}))
    exit_signal = a_signal(signal_id="exit", action=Action.EXIT, created_at=created_at)

    await gate.on_signal(exit_signal, control("signals.trend.BTC-USD", 1))

    assert gate.waiting_exits.empty() is not takes_stop_back
    assert ledger.state.decisions == (1 if takes_stop_back else 2)


async def test_a_flood_of_denied_signals_is_written_down_in_part_and_its_rest_as_a_sum(
    ledger: Ledger, tmp_path: Path
) -> None:
    gate = a_gate(ledger, tmp_path)
    most = ledger.policy.escalation.strategy_denials
    before = ledger.journal.sequence

    for number in range(most + 30):
        await gate.on_signal(a_signal(signal_id=f"flood-{number}"), control("signals.trend.BTC-USD", 1))
    written = ledger.journal.sequence - before
    summing = asyncio.get_running_loop().create_task(gate.verdicts.withheld.run())
    await asyncio.sleep(0)
    summing.cancel()
    await asyncio.wait([summing])

    kinds = [entry.kind for entry in ledger.journal.entries()][before:]
    assert written == most
    assert kinds == [*["decision_made"] * most, "denials_withheld"]
    (last,) = list(ledger.journal.entries())[-1:]
    assert (last.payload["strategies"], last.payload["others"]) == ({"trend": 30}, 0)
    assert last.payload["rules"]["strategy_is_enabled"] == 30


async def test_a_flood_of_exits_behind_a_stop_waits_in_no_memory_but_is_judged_at_once(
    ledger: Ledger, tmp_path: Path
) -> None:
    streams = FakeStreams()
    streams.open.set()
    gate = a_gate(ledger, tmp_path, streams)
    await gate.market.on_universe(Universe(version=1, products=(a_spec(),), published_at=NOW), control("universe", 1))
    await gate.market.on_tick(a_tick(), control("ticks.BTC-USD", 1))
    intent = approved_on(ledger)
    kept = ledger.state.approvals[intent.client_order_id]
    resting = {"trigger_price": D(46000), "form": OrderForm.STOP_LIMIT_GTC}
    stop = replace(kept, side=Side.SELL, purpose=Purpose.PROTECTIVE, **resting)
    ledger.state = replace(ledger.state, approvals=Approvals({stop.client_order_id: stop}))
    before = ledger.state.decisions

    for number in range(30):
        exit_signal = a_signal(signal_id=f"exit-{number}", action=Action.EXIT)
        await gate.on_signal(exit_signal, control("signals.trend.BTC-USD", number))

    assert gate.waiting_exits.qsize() == 10
    assert ledger.state.decisions == before + 20


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
    record = await gate.verdicts.give(a_request)
    assert record is not None
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
            await gate.verdicts.give(a_request)
        await asyncio.sleep(0)
        before = list(streams.stored)
        publishing.cancel()
        await asyncio.sleep(0)
        streams.open.set()

    assert before == ["intents.approved.BTC-USD"]
    assert streams.stored == [*before, *["decisions.BTC-USD"] * 3]


async def test_a_request_that_waits_for_its_turn_is_judged_on_the_world_at_its_turn(
    ledger: Ledger, tmp_path: Path
) -> None:
    gate = a_gate(ledger, tmp_path)
    assert isinstance(ledger.clock, FixedClock)
    await gate.verdicts.turn.acquire()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(gate.on_signal(a_signal(), control("signals.trend.BTC-USD", 1)))
        await asyncio.sleep(0)
        ledger.clock.at = NOW + timedelta(seconds=20)
        gate.market.keep(a_tick(bid="40000", ask="40008", at=ledger.clock.at))
        gate.verdicts.turn.release()

    *_, record = (parse(one.payload) for one in ledger.journal.entries() if one.kind == "decision_made")
    assert isinstance(record, DecisionMade)
    assert record.decision.decided_at == ledger.clock.at
    tick = record.decision.market.tick
    assert tick is not None
    assert tick.bid == 40000


async def test_a_decision_that_the_bus_does_not_take_ends_the_process(ledger: Ledger, tmp_path: Path) -> None:
    streams = FakeStreams()
    streams.open.set()
    gate = a_gate(ledger, tmp_path, streams)
    await gate.verdicts.give(a_request)
    streams.is_down = True

    with pytest.raises(BusBehindJournal):
        await gate.verdicts.outbox.run()


async def test_an_approval_for_which_the_bus_has_no_room_is_void_and_entries_stop(
    ledger: Ledger, tmp_path: Path
) -> None:
    streams = FakeStreams(is_full=True)
    gate = a_gate(ledger, tmp_path, streams)

    record = await gate.verdicts.give(a_request)

    assert record is not None
    assert record.intent is not None
    assert not ledger.state.approvals
    assert ledger.codes() == ("bus_store",)
    assert not streams.stored


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
