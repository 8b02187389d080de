"""Puts the parts of the gate together, starts them in order, and keeps them running."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from gpt_trader.contracts import subjects
from gpt_trader.contracts.events import GateEvent
from gpt_trader.contracts.signals import Signal
from gpt_trader.contracts.subjects import DURABLES, Durable, Zone
from gpt_trader.contracts.telemetry import Heartbeat
from gpt_trader.risk_gate.domain.memory import MarketMemory
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.spelling import Spelling
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.ports import (
    Disk,
    DropCopy,
    Exchange,
    FuturesVenue,
    StateStore,
    TermsSource,
    VenueHistory,
    VenueTraffic,
)
from gpt_trader.risk_gate.service.amendments import Amendments
from gpt_trader.risk_gate.service.bus_watch import BusWatch
from gpt_trader.risk_gate.service.degradation import Degradation
from gpt_trader.risk_gate.service.event_feed import EventFeed
from gpt_trader.risk_gate.service.flattening import Flattening
from gpt_trader.risk_gate.service.futures_watch import FuturesWatch
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.lookout import Lookout
from gpt_trader.risk_gate.service.machine_watch import MachineWatch
from gpt_trader.risk_gate.service.making import Making
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.order_stop import OrderStop
from gpt_trader.risk_gate.service.outbox import Outbox
from gpt_trader.risk_gate.service.permit_desk import PermitDesk
from gpt_trader.risk_gate.service.policy_watch import PolicyWatch
from gpt_trader.risk_gate.service.protecting import Protecting
from gpt_trader.risk_gate.service.publisher import Publisher
from gpt_trader.risk_gate.service.reconciliation import Reconciliation
from gpt_trader.risk_gate.service.release_watch import ReleaseWatch
from gpt_trader.risk_gate.service.risk_gate import RiskGate
from gpt_trader.risk_gate.service.snapshots import Snapshots
from gpt_trader.risk_gate.service.startup import Startup
from gpt_trader.risk_gate.service.sweeper import Sweeper
from gpt_trader.risk_gate.service.terms_watch import TermsWatch
from gpt_trader.risk_gate.service.venue_stops import VenueStops
from gpt_trader.risk_gate.service.venue_trust import VenueTrust
from gpt_trader.risk_gate.service.verdicts import Verdicts
from gpt_trader.risk_gate.service.warm_up import warm_up
from gpt_trader.risk_gate.settings import Mode, RiskGateSettings
from gpt_trader.runtime.bus import Bus, Received, decoded
from gpt_trader.runtime.clock import SteadyClock
from gpt_trader.runtime.health import Health
from gpt_trader.runtime.journal import Journal
from gpt_trader.runtime.release import release_of
from gpt_trader.runtime.signing import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Everything that the gate reaches, open."""

    bus: Bus
    journal: Journal
    state: GateState
    signer: Signer
    venue: Exchange
    spelling: Spelling
    history: VenueHistory
    futures: FuturesVenue
    terms: TermsSource
    drop_copy: DropCopy
    store: StateStore
    traffic: VenueTraffic
    disk: Disk
    clock: SteadyClock
    health: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts that run; `desk` is what the egress asks."""

    outside: Outside
    market: MarketWatch
    gate: RiskGate
    outbox: Outbox
    desk: PermitDesk
    orders: OrderStop
    publisher: Publisher
    degradation: Degradation
    machine: MachineWatch
    bus_room: BusWatch
    terms: TermsWatch
    futures: FuturesWatch
    reconciliation: Reconciliation
    protecting: Protecting
    making: Making
    releases: ReleaseWatch
    startup: Startup
    snapshots: Snapshots
    policies: PolicyWatch
    events: EventFeed

    async def start(self) -> None:
        """Come to know everything that was decided before; the egress may open after this, not earlier."""
        await self.market.follow(self.outside.bus)
        await warm_up(self.market, self.outside.bus, self.outside.clock)
        last = await self.outside.bus.last("EVENTS", ">")
        published = 0 if last is None else GateEvent.decode(last.payload).record
        await asyncio.to_thread(self.events.catch_up, self.outside.journal, published)
        await self.startup.run()
        await self.degradation.adopt_stored()
        await self.outside.bus.subscribe(subjects.CONTROL_KILL, self.gate.on_kill)
        await self.releases.follow(self.outside.bus)
        heartbeats = subjects.heartbeats(Zone.STRATEGY)
        await self.outside.bus.subscribe(heartbeats, decoded(Heartbeat, self.protecting.on_heartbeat))

    async def on_control(self, received: Received) -> None:
        """Obey a command; before a reset, see whether kill file and key are gone, and after it, store that it is over.

        Else a gate that is restarted at once would take the halt that is still stored for a newer one.
        """
        is_reset = received.subject == subjects.CONTROL_RESET
        if is_reset:
            await self.degradation.sweep()
        await self.gate.on_control(received)
        if is_reset:
            await self.degradation.sweep()
        if received.subject in {subjects.CONTROL_RESET, subjects.CONTROL_ADOPT}:
            self.reconciliation.soon.set()

    async def run(self) -> None:
        """Serve until cancelled; then no entry is left at the venue."""
        try:
            await self._serve()
        except asyncio.CancelledError:
            await self.orders.cancel_entries()
            raise

    async def _serve(self) -> None:
        bus, gate = self.outside.bus, self.gate
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(gate.watch_epoch(bus))
            tasks.create_task(self.orders.watch())
            tasks.create_task(self.outbox.run())
            tasks.create_task(self.events.run())
            tasks.create_task(bus.consume(_durable("CONTROL"), self.on_control))
            tasks.create_task(self.publisher.run())
            tasks.create_task(self.degradation.run())
            tasks.create_task(self.machine.run())
            tasks.create_task(self.bus_room.run())
            tasks.create_task(gate.watch_venue(self.outside.drop_copy))
            tasks.create_task(bus.consume(_durable("FILLS"), gate.on_fill_message))
            tasks.create_task(bus.consume(_durable("ORDERS"), gate.on_order_message))
            tasks.create_task(self.reconciliation.run())
            tasks.create_task(self.terms.run())
            tasks.create_task(self.futures.run())
            tasks.create_task(gate.flattening.run())
            tasks.create_task(gate.serve_waiting_exits())
            tasks.create_task(self.protecting.run())
            tasks.create_task(self.making.run())
            for run in (gate.stops.amendments.run, self.snapshots.run, self.policies.run, gate.verdicts.withheld.run):
                tasks.create_task(run())
            tasks.create_task(bus.consume(_durable("SIGNALS"), decoded(Signal, gate.on_signal)))


def assembled(outside: Outside, policy: Policy, settings: RiskGateSettings, holder: str) -> Service:
    """Make every part with what it needs."""
    clock, life = outside.clock, settings.create_life
    events = EventFeed(bus=outside.bus)
    ledger = Ledger(
        journal=outside.journal, state=outside.state, policy=policy, clock=clock, create_life=life, tell=events.put
    )
    market = MarketWatch(MarketMemory(policy.statistics, policy.prices.depth_within_bps))
    publisher = Publisher(ledger=ledger, market=market, bus=outside.bus, every_seconds=settings.publish_seconds)
    is_dry_run = settings.mode is Mode.DRY_RUN
    orders = OrderStop(ledger=ledger, venue=outside.venue, publisher=publisher, is_dry_run=is_dry_run)
    desk, outbox = PermitDesk(ledger=ledger, market=market, is_dry_run=is_dry_run), Outbox(bus=outside.bus)
    sweeper = Sweeper(ledger=ledger, market=market, traffic=outside.traffic, orders=orders, alarms=publisher)
    gate = _gate(outside, desk, outbox, orders, sweeper)
    terms = TermsWatch(ledger=ledger, market=market, venue=outside.terms, every_seconds=settings.terms_seconds)
    futures = _futures(terms, outside, settings)
    return Service(
        outside=outside,
        market=market,
        gate=gate,
        outbox=outbox,
        desk=desk,
        orders=orders,
        publisher=publisher,
        degradation=Degradation(ledger=ledger, sweeper=sweeper, store=outside.store, kill_file=settings.kill_file),
        machine=_machine(ledger, outside, settings),
        bus_room=BusWatch(ledger=ledger, bus=outside.bus, least_bytes=settings.min_bus_bytes),
        terms=terms,
        futures=futures,
        reconciliation=_reconciliation(publisher, sweeper, (terms, futures), outside, settings),
        protecting=_protecting(gate, outside, publisher),
        making=Making(ledger=ledger, market=market, verdicts=gate.verdicts, orders=orders),
        releases=ReleaseWatch(ledger=ledger, release=release_of(Zone.GATE)),
        startup=_startup(gate, outside, settings, holder),
        snapshots=Snapshots(ledger=ledger, every_records=settings.snapshot_records),
        policies=PolicyWatch(ledger=ledger, path=settings.policy_file, alarms=publisher, health=outside.health),
        events=events,
    )


def _gate(outside: Outside, desk: PermitDesk, outbox: Outbox, orders: OrderStop, sweeper: Sweeper) -> RiskGate:
    ledger, market, spelling = desk.ledger, desk.market, outside.spelling
    verdicts = Verdicts(
        ledger=ledger, bus=outside.bus, outbox=outbox, signer=outside.signer, venue=outside.venue, spelling=spelling
    )
    amendments = Amendments(ledger=ledger, venue=outside.venue, orders=outside.history, fence=desk)
    stops = VenueStops(ledger=ledger, market=market, verdicts=verdicts, amendments=amendments)
    return RiskGate(
        ledger=ledger,
        market=market,
        verdicts=verdicts,
        desk=desk,
        flattening=Flattening(ledger=ledger, market=market, verdicts=verdicts, orders=orders, stops=stops),
        sweeper=sweeper,
        stops=stops,
    )


def _futures(terms: TermsWatch, outside: Outside, settings: RiskGateSettings) -> FuturesWatch:
    return FuturesWatch(
        ledger=terms.ledger,
        market=terms.market,
        terms=terms,
        venue=outside.futures,
        every_seconds=settings.futures_seconds,
    )


def _protecting(gate: RiskGate, outside: Outside, publisher: Publisher) -> Protecting:
    return Protecting(
        ledger=gate.ledger,
        market=gate.market,
        verdicts=gate.verdicts,
        stops=gate.stops,
        line=outside.bus,
        alarms=publisher,
    )


def _startup(gate: RiskGate, outside: Outside, settings: RiskGateSettings, holder: str) -> Startup:
    return Startup(
        ledger=gate.ledger,
        bus=outside.bus,
        signer=outside.signer,
        gate=gate,
        holder=holder,
        is_halted=settings.start_halted,
    )


def _machine(ledger: Ledger, outside: Outside, settings: RiskGateSettings) -> MachineWatch:
    return MachineWatch(
        ledger=ledger,
        disk=outside.disk,
        clock=outside.clock,
        min_free_bytes=settings.min_free_bytes,
        slow_write=timedelta(seconds=settings.slow_write_seconds),
    )


def _reconciliation(
    publisher: Publisher,
    sweeper: Sweeper,
    watches: tuple[TermsWatch, FuturesWatch],
    outside: Outside,
    settings: RiskGateSettings,
) -> Reconciliation:
    ledger = publisher.ledger
    terms, futures = watches
    return Reconciliation(
        ledger=ledger,
        market=publisher.market,
        venue=outside.venue,
        lookout=Lookout(
            ledger=ledger, history=outside.history, listed_within=timedelta(seconds=settings.listed_seconds)
        ),
        terms=terms,
        futures=futures,
        trust=VenueTrust(ledger=ledger, facts=outside.venue, is_dry_run=settings.mode is Mode.DRY_RUN),
        sweeper=sweeper,
        publisher=publisher,
        health=outside.health,
        every_seconds=settings.reconcile_seconds,
    )


def _durable(stream: str) -> Durable:
    return next(durable for durable in DURABLES if durable.stream == stream and durable.zone is Zone.GATE)
