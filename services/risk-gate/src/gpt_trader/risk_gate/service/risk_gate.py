"""What the gate does on each message: signals are judged, reports are folded, commands are obeyed."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import perf_counter

from gpt_trader.contracts import subjects
from gpt_trader.contracts.intents import EpochClaim, Purpose, SignedIntent
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.contracts.signals import Action, Signal
from gpt_trader.risk_gate.domain import commands
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.consequences import has_slipped, of_fill, of_report, reduce_only
from gpt_trader.risk_gate.domain.exposure import at_risk, resting
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import CauseRaised, FillReported, OrderReported
from gpt_trader.risk_gate.domain.review import is_admitted
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.strangers import foreign
from gpt_trader.risk_gate.domain.sweeps.conditions import restricts
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import VenueOrder
from gpt_trader.risk_gate.ports import DropCopy
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.flattening import Flattening
from gpt_trader.risk_gate.service.kills import Kills
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.permit_desk import PermitDesk
from gpt_trader.risk_gate.service.sweeper import Sweeper
from gpt_trader.risk_gate.service.venue_stops import VenueStops
from gpt_trader.risk_gate.service.verdicts import Heard, Verdicts
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus import Bus, BusUnavailable, FencedOff, Malformed, OnMessage, Received, decoded

log = logs.get("risk-gate")

_EPOCH_SECONDS = 0.25
"""Pause between two looks for a later epoch; publishing an intent would find out at once."""
_MOST_WAITING = 10
"""Exits of one product that wait for the end of what rests: one is enough, and more are a flood."""


@dataclass(slots=True, kw_only=True)
class RiskGate:
    """One message at a time in, records and messages out; every decision is made in the domain."""

    ledger: Ledger
    market: MarketWatch
    verdicts: Verdicts
    desk: PermitDesk
    flattening: Flattening
    sweeper: Sweeper
    stops: VenueStops
    waiting_exits: asyncio.Queue[Signal] = field(default_factory=asyncio.Queue)
    kills: Kills = field(default_factory=Kills)
    _waiting: Counter[str] = field(default_factory=Counter)

    async def on_signal(self, signal: Signal, received: Received) -> None:
        """Judge one signal and publish the verdict; an exit waits for the end of what rests for its product.

        One that is denied in any case takes nothing back, and so many of them wait that a flood fills no memory.
        """
        ledger, product = self.ledger, signal.product
        is_behind = signal.action is Action.EXIT and bool(resting(ledger.state.approvals, product))
        may_wait = is_behind and self._waiting[product] < _MOST_WAITING
        if may_wait and is_admitted(self._request(signal), ledger.state, ledger.policy):
            self._waiting[product] += 1
            self.waiting_exits.put_nowait(signal)
            return
        heard = _heard(received, self.ledger.clock.wall())
        with metrics.DECISION_SECONDS.time(), tracing.span("review"):
            await self.verdicts.give(lambda: self._request(signal), heard)

    async def serve_waiting_exits(self) -> None:
        """Judge exits once nothing at the venue could execute beside them, each in a task of its own, for ever."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self._exit_after_stop(await self.waiting_exits.get()))

    async def _exit_after_stop(self, signal: Signal) -> None:
        try:
            async with self.stops.released(signal.product, f"exit {signal.signal_id} goes first"):
                await self.verdicts.give(lambda: self._request(signal))
        finally:
            self._waiting[signal.product] -= 1

    async def on_fill_message(self, received: Received) -> None:
        """Count the fill in a message; one that can't be counted leaves the books short, and restricts trading."""
        await self._reported(received, decoded(Fill, self.on_fill))

    async def on_order_message(self, received: Received) -> None:
        """Fold the report in a message; one that can't be read may hide an open order, and restricts trading."""
        await self._reported(received, decoded(OrderEvent, self.on_order))

    async def _reported(self, received: Received, read: OnMessage) -> None:
        """Read a report of the executor; raises Malformed once it is journaled that there is one we can't use."""
        try:
            await read(received)
        except (Malformed, ArithmeticError) as error:
            now = self.ledger.clock.now()
            detail = f"message {received.sequence} on {received.subject} can't be used: {type(error).__name__}"
            log.warning("report_unusable", subject=received.subject, sequence=received.sequence, reason=str(error))
            self.ledger.commit(CauseRaised(cause=reduce_only(CauseCode.UNEXPLAINED_FILL, detail, now), at=now))
            raise Malformed(detail) from error

    async def on_order(self, event: OrderEvent, received: Received) -> None:
        """Fold a step of an order's life; a repeated one changes nothing."""
        state, now = self.ledger.state, self.ledger.clock.now()
        kept = state.approvals.get(event.client_order_id)
        is_known = event.client_order_id in state.known_orders
        if is_known and (kept is None or event.revision <= kept.revision):
            return
        raised = of_report(event, state, self.ledger.policy, now)
        self.ledger.commit(OrderReported(event=event, sequence=received.sequence or 0, raised=raised, at=now))

    async def on_fill(self, fill: Fill, received: Received) -> None:
        """Count a fill once."""
        state, policy, now = self.ledger.state, self.ledger.policy, self.ledger.clock.now()
        if fill.fill_id in state.portfolio.fill_ids:
            return
        record = FillReported(
            fill=fill,
            sequence=received.sequence or 0,
            is_slippage=has_slipped(fill, state.approvals.get(fill.client_order_id), policy),
            raised=of_fill(fill, state, policy, now),
            at=now,
        )
        self.ledger.commit(record)
        self.sweeper.look()
        log.info("fill_counted", fill_id=fill.fill_id, client_order_id=fill.client_order_id, product=fill.product)

    async def on_kill(self, received: Received) -> None:
        """Latch a kill the moment it is published; its stored copy follows with its place in the stream."""
        if not self.kills.hear(self.ledger.clock.wall()):
            return
        now = self.ledger.clock.now()
        if not restricts(self.ledger.state, CauseCode.KILL, now):
            self.ledger.commit(CauseRaised(cause=commands.kill(received.payload, now), at=now))
        log.warning("kill_heard")

    async def on_control(self, received: Received) -> None:
        """Obey an operator; the kill takes effect before anything else is looked at."""
        if received.subject == subjects.CONTROL_KILL and (received.sequence or 0) > self.ledger.state.control_sequence:
            self.kills.read(self.ledger.clock.wall())
        self.obey(received)

    def obey(self, received: Received) -> None:
        """Record a command and what it does, once; a flatten that waited too long for us is not begun."""
        sequence = received.sequence or 0
        if sequence <= self.ledger.state.control_sequence:
            return
        now = self.ledger.clock.now()
        record = commands.received(received.subject, received.payload, sequence, self.ledger.state, now)
        self.ledger.commit(record)
        metrics.COMMANDS.labels(received.subject, record.note.split(":")[0]).inc()
        log.warning("command_received", subject=received.subject, note=record.note, sequence=sequence)
        if received.subject in {subjects.CONTROL_RESET, subjects.CONTROL_RESUME}:
            self.sweeper.look()  # a peak that a reset took back begins anew, and what still trips holds at once
        if received.subject == subjects.CONTROL_FLATTEN:
            self._flatten(received)

    def _flatten(self, received: Received) -> None:
        """Begin what was just recorded, unless it waited on the bus for too long."""
        wanted = next((one for one in self.ledger.state.flattens if one.sequence == received.sequence), None)
        if wanted is None:
            return
        clock = self.ledger.clock
        waited = timedelta(0) if received.stored_at is None else clock.wall() - received.stored_at
        self.flattening.request(replace(wanted, at=wanted.at - clock.stretch(waited)))

    async def watch_epoch(self, bus: Bus) -> None:
        """Give no more permits at once when another gate claims an epoch; then raise FencedOff.

        The claim is heard as it is published, and read back again and again in case it was not heard.
        """
        await bus.subscribe(subjects.INTENTS_EPOCH, self.on_epoch)
        while True:
            try:
                last = await bus.last("INTENTS", subjects.INTENTS_EPOCH)
            except BusUnavailable as error:
                log.warning("epoch_unknown", reason=str(error))
                last = None
            if last is not None:
                await self.on_epoch(last)
            if self.desk.is_fenced:
                raise FencedOff("a later epoch was claimed by another gate")
            await asyncio.sleep(_EPOCH_SECONDS)

    async def on_epoch(self, received: Received) -> None:
        """Close the desk for good if the claim is later than ours."""
        claim = EpochClaim.decode(SignedIntent.decode(received.payload).payload)
        if claim.epoch > self.ledger.state.epoch:
            self.desk.is_fenced = True
            log.error("fenced_off", epoch=claim.epoch, holder=claim.holder)

    async def watch_venue(self, drop_copy: DropCopy) -> None:
        """Compare each order at the venue with what was approved, for ever."""
        async for order in drop_copy.observations():
            self.on_observation(order)

    def on_observation(self, order: VenueOrder) -> None:
        """Halt on an order that nobody approved, unless an operator acknowledged it."""
        self.ledger.commit(*foreign(self.ledger.state, (order,), self.ledger.clock.now()))

    def _request(self, signal: Signal) -> Request:
        ledger = self.ledger
        return requested(signal, self.market, ledger.state, ledger.policy, ledger.clock.now())


def _heard(received: Received, now: datetime) -> Heard:
    """Tell when a signal was taken from the socket, and how long it had been on its way since the bus stored it."""
    at = perf_counter()
    taken_at = at if received.taken_at is None else received.taken_at
    waited = timedelta(0) if received.stored_at is None else now - received.stored_at - timedelta(seconds=at - taken_at)
    return Heard(taken_at, waited)


def requested(signal: Signal, market: MarketWatch, state: GateState, policy: Policy, now: datetime) -> Request:
    """Gather what a review of a signal looks at."""
    statistics = market.statistics(signal.product, at_risk(state.portfolio, state.approvals), now)
    return Request(
        signal=signal,
        purpose=Purpose.ENTRY if signal.action is Action.ENTER else Purpose.EXIT,
        market=market.view(signal.product, statistics),
        marks=market.marks_of(state.portfolio.holdings, now, policy),
        is_in_universe=signal.product in market.members,
        slice_quantity=None,
        preview=None,
        now=now,
    )
