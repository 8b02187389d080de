"""Sees to it that each position has a live exit authority; where nobody else acts, the gate closes it (ADR 0006)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.signals import Side
from gpt_trader.contracts.telemetry import Heartbeat, Severity
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.exposure import resting
from gpt_trader.risk_gate.domain.flatten import slice_of
from gpt_trader.risk_gate.domain.hearing import Hearing, begun
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.protection import (
    DueExit,
    Watch,
    breached,
    due_exits,
    held,
    orphaned,
    orphans,
    protective_signal,
)
from gpt_trader.risk_gate.domain.records import CauseRaised
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.pacing import Pacing
from gpt_trader.risk_gate.service.venue_stops import VenueStops
from gpt_trader.risk_gate.service.verdicts import Verdicts
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import Received

log = logs.get("risk-gate")

_LOOK_SECONDS = 0.1
_LONGEST_PAUSE = timedelta(seconds=5)
"""Between two exits that were approved and closed nothing."""


class Line(Protocol):
    """Whether the bus can be reached: without it nobody's silence means anything, and nothing can be approved."""

    @property
    def is_connected(self) -> bool:
        """Whether the server can be reached right now."""
        ...


class Alarms(Protocol):
    """Tells a person, at most once, and never fails."""

    async def alarm(self, severity: Severity, code: str, text: str, hint: str) -> None:
        """Publish an alert."""
        ...


@dataclass(slots=True, kw_only=True)
class Protecting:
    """Looks ten times a second of real time; what it remembers between two looks is how long something lasts."""

    ledger: Ledger
    market: MarketWatch
    verdicts: Verdicts
    stops: VenueStops
    line: Line
    alarms: Alarms
    _hearing: Hearing | None = None
    _silent: frozenset[int] = frozenset()
    _breached_at: dict[str, datetime] = field(default_factory=dict)
    _orphan_since: dict[str, datetime] = field(default_factory=dict)
    _pacing: Pacing = field(default_factory=lambda: Pacing(longest=_LONGEST_PAUSE))

    async def on_heartbeat(self, heartbeat: Heartbeat, _received: Received) -> None:
        """Hear that the strategy lives, or one of its shards."""
        wall = self.ledger.clock.wall()
        self._hearing = (self._hearing or begun(wall)).heard(heartbeat, wall)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Close what has to be closed, and raise the alarm for what can't be."""
        wall, now = self.ledger.clock.wall(), self.ledger.clock.now()
        hearing = self._hearing
        if hearing is None or not self.line.is_connected:
            self._hearing = begun(wall) if hearing is None else hearing.excused(wall)
            return
        state, policy = self.ledger.state, self.ledger.policy
        markets = {product: self.market.view(product, None) for product, _ in held(state)}
        self._breached_at = _lasting(self._breached_at, breached(state, markets, policy, now), wall)
        watch = Watch(
            markets=markets,
            hearing=hearing,
            breached_for={product: wall - since for product, since in self._breached_at.items()},
            wall=wall,
            now=now,
        )
        metrics.STRATEGY_SILENCE.set(hearing.longest(wall).total_seconds())
        await self._mind_silence(hearing, wall)
        await self._mind_orphans(watch, wall)
        due = tuple(due_exits(self.ledger.state, watch, policy))
        for one in due:
            await self._exit(one)
        await self.stops.keep(markets, {one.product for one in due})

    async def _mind_silence(self, hearing: Hearing, wall: datetime) -> None:
        limit = self.ledger.policy.protection.strategy_silent_seconds
        silent = frozenset(hearing.silent(limit, wall))
        for shard in sorted(silent - self._silent):
            name, silence = hearing.name_of(shard), wall - hearing.heard_at[shard]
            text = f"no heartbeat of {name} for {silence}: the gate runs the stops"
            hint = "look at the strategy's log; gpt-trader positions shows what the gate looks after"
            await self.alarms.alarm(Severity.CRITICAL, "strategy_silent", text, hint)
        self._silent = silent

    async def _mind_orphans(self, watch: Watch, wall: datetime) -> None:
        ledger = self.ledger
        found = orphans(ledger.state, watch.markets, ledger.policy, watch.now)
        self._orphan_since = _lasting(self._orphan_since, found, wall)
        patience = ledger.policy.protection.orphan_seconds
        lasting = [product for product, since in self._orphan_since.items() if wall - since >= patience]
        changes = orphaned(ledger.state, lasting, watch.now)
        ledger.commit(*changes)
        for raised in (change.cause for change in changes if isinstance(change, CauseRaised)):
            hint = "repair the product's feed, or close the position by hand at the venue"
            await self.alarms.alarm(Severity.CRITICAL, raised.code, f"{raised.product}: {raised.detail}", hint)

    async def _exit(self, due: DueExit) -> None:
        """Take back what rests for the product first; once it is gone, close what is left, slice by slice."""
        wall = self.ledger.clock.wall()
        if resting(self.ledger.state.approvals, due.product):
            await self.stops.take_back(due.product, due.detail)
            return
        if not self._pacing.may_try(due.product, due.position, wall):
            return
        record = await self.verdicts.give(lambda: self._request(due))
        verdict = Verdict.DENIED if record is None else record.decision.verdict
        metrics.PROTECTIVE_EXITS.labels(due.ground.value, verdict.value).inc()
        log.warning("protective_exit", product=due.product, ground=due.ground, detail=due.detail, verdict=verdict)
        self._pacing.tried(due.product, due.position, verdict, wall)

    def _request(self, due: DueExit) -> Request | None:
        """Gather for one slice against the book, as a flatten does; None without a market to price it by."""
        ledger, view = self.ledger, self.market.view(due.product, None)
        quantity = slice_of(view, ledger.policy, Side.SELL if due.position > ZERO else Side.BUY)
        if view.tick is None or quantity is None:
            return None
        if due.quantity is not None:
            quantity = min(quantity, due.quantity)
        now = ledger.clock.now()
        cause = f"protect/{ledger.state.epoch}/{ledger.state.decisions}"
        return Request(
            signal=protective_signal(due, view.tick, cause, now),
            purpose=Purpose.PROTECTIVE,
            market=view,
            marks=self.market.marks(now, ledger.policy),
            is_in_universe=due.product in self.market.members,
            slice_quantity=quantity,
            preview=None,
            now=now,
        )


def _lasting(since: Mapping[str, datetime], found: frozenset[str], wall: datetime) -> dict[str, datetime]:
    """Keep when each of what was found was found first, and forget the rest."""
    return {product: since.get(product, wall) for product in sorted(found)}
