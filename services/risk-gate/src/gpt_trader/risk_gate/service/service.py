"""Puts the parts of the gate together, starts them in order, and keeps them running."""

import asyncio
from dataclasses import dataclass

from gpt_trader.contracts import subjects
from gpt_trader.contracts.signals import Signal
from gpt_trader.contracts.subjects import DURABLES, Durable, Zone
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.ports import DropCopy, StateStore, Venue, VenueFacts
from gpt_trader.risk_gate.service.degradation import Degradation
from gpt_trader.risk_gate.service.flattening import Flattening
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.order_stop import OrderStop
from gpt_trader.risk_gate.service.outbox import Outbox
from gpt_trader.risk_gate.service.permit_desk import PermitDesk
from gpt_trader.risk_gate.service.publisher import Publisher
from gpt_trader.risk_gate.service.reconciliation import Reconciliation
from gpt_trader.risk_gate.service.risk_gate import RiskGate
from gpt_trader.risk_gate.service.startup import Startup
from gpt_trader.risk_gate.service.venue_trust import VenueTrust
from gpt_trader.risk_gate.service.verdicts import Verdicts
from gpt_trader.risk_gate.settings import Mode, RiskGateSettings
from gpt_trader.runtime.bus import Bus, Received, decoded
from gpt_trader.runtime.clock import Clock
from gpt_trader.runtime.health import Health
from gpt_trader.runtime.journal import Journal
from gpt_trader.runtime.signing import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Everything that the gate reaches, open."""

    bus: Bus
    journal: Journal
    signer: Signer
    venue: Venue
    facts: VenueFacts
    drop_copy: DropCopy
    store: StateStore
    clock: Clock
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
    reconciliation: Reconciliation
    startup: Startup

    async def start(self) -> None:
        """Come to know everything that was decided before; the egress may open after this, not earlier."""
        await self.market.follow(self.outside.bus)
        await self.startup.run()
        await self.degradation.adopt_stored()
        await self.outside.bus.subscribe(subjects.CONTROL_KILL, self.gate.on_kill)

    async def on_control(self, received: Received) -> None:
        """Obey a command; before a reset, see whether the kill file and the kill key are gone."""
        if received.subject == subjects.CONTROL_RESET:
            await self.degradation.sweep()
        await self.gate.on_control(received)

    async def run(self) -> None:
        """Serve for ever."""
        bus, gate = self.outside.bus, self.gate
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(gate.watch_epoch(bus))
            tasks.create_task(self.orders.watch())
            tasks.create_task(self.outbox.run())
            tasks.create_task(bus.consume(_durable("CONTROL"), self.on_control))
            tasks.create_task(self.publisher.run())
            tasks.create_task(self.degradation.run())
            tasks.create_task(gate.watch_venue(self.outside.drop_copy))
            tasks.create_task(bus.consume(_durable("FILLS"), gate.on_fill_message))
            tasks.create_task(bus.consume(_durable("ORDERS"), gate.on_order_message))
            tasks.create_task(self.reconciliation.run())
            tasks.create_task(gate.flattening.run())
            tasks.create_task(bus.consume(_durable("SIGNALS"), decoded(Signal, gate.on_signal)))


def assembled(outside: Outside, policy: Policy, settings: RiskGateSettings, holder: str) -> Service:
    """Make every part with what it needs."""
    ledger = Ledger(journal=outside.journal, policy=policy, clock=outside.clock, create_life=settings.create_life)
    market = MarketWatch()
    publisher = Publisher(ledger=ledger, market=market, bus=outside.bus)
    orders = OrderStop(ledger=ledger, venue=outside.venue, publisher=publisher)
    desk = PermitDesk(ledger=ledger, market=market, is_dry_run=settings.mode is Mode.DRY_RUN)
    outbox = Outbox(bus=outside.bus)
    verdicts = Verdicts(ledger=ledger, bus=outside.bus, outbox=outbox, signer=outside.signer)
    flattening = Flattening(ledger=ledger, market=market, verdicts=verdicts, orders=orders)
    gate = RiskGate(ledger=ledger, market=market, verdicts=verdicts, desk=desk, flattening=flattening)
    return Service(
        outside=outside,
        market=market,
        gate=gate,
        outbox=outbox,
        desk=desk,
        orders=orders,
        publisher=publisher,
        degradation=Degradation(ledger=ledger, market=market, store=outside.store, kill_file=settings.kill_file),
        reconciliation=Reconciliation(
            ledger=ledger,
            market=market,
            venue=outside.venue,
            trust=VenueTrust(ledger=ledger, facts=outside.facts),
            publisher=publisher,
            health=outside.health,
            every_seconds=settings.reconcile_seconds,
        ),
        startup=Startup(ledger=ledger, bus=outside.bus, signer=outside.signer, gate=gate, holder=holder),
    )


def _durable(stream: str) -> Durable:
    return next(durable for durable in DURABLES if durable.stream == stream and durable.zone is Zone.GATE)
