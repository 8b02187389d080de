"""Looks at every guard of the table: each second, and on every fill (SPEC RG1 asks for once a minute at least)."""

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from time import perf_counter
from typing import Protocol

from prometheus_client import Gauge, Histogram

from gpt_trader.contracts.decisions import MarketView
from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.telemetry import Severity
from gpt_trader.risk_gate.domain.evidence import RESOLVED_WITHIN
from gpt_trader.risk_gate.domain.exposure import at_risk
from gpt_trader.risk_gate.domain.portfolio import value
from gpt_trader.risk_gate.domain.records import CauseRaised, Record
from gpt_trader.risk_gate.domain.sweeps.comparison import Band
from gpt_trader.risk_gate.domain.sweeps.conditions import broken
from gpt_trader.risk_gate.domain.sweeps.guard import Finding, Guard, Judgement, described, judged
from gpt_trader.risk_gate.domain.sweeps.passing import marked, run_out
from gpt_trader.risk_gate.domain.sweeps.table import GUARDS
from gpt_trader.risk_gate.domain.sweeps.view import SweepView
from gpt_trader.risk_gate.domain.trading_state import holds
from gpt_trader.risk_gate.ports import VenueTraffic
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

for _guard in GUARDS:
    metrics.GUARD_TRIPS.labels(_guard.name)  # from zero on: else the first trip is no increase

_GRADE = {Band.OK: 0, Band.UNKNOWN: -1, Band.WARN: 1, Band.TRIPPED: 2}
_WORST = (Band.TRIPPED, Band.WARN, Band.UNKNOWN)
_HINT = "gpt-trader status shows the figures; beyond its limit trading is restricted by itself"


@dataclass(frozen=True, slots=True)
class _Meters:
    """Where one guard is measured."""

    seconds: Histogram
    state: Gauge
    cooldown: Gauge


@cache
def _meters(guard: str) -> _Meters:
    """Return the meters of a guard: to find them anew costs more than most guards do."""
    return _Meters(
        metrics.GUARD_SECONDS.labels(guard), metrics.GUARD_STATE.labels(guard), metrics.GUARD_COOLDOWN.labels(guard)
    )


class Alarms(Protocol):
    """Tells a person, at most once, and never fails."""

    async def alarm(self, severity: Severity, code: str, text: str, hint: str) -> None:
        """Publish an alert."""
        ...


class Cancels(Protocol):
    """Cancels single orders, as soon as it can."""

    def cancel_soon(self, orders: Collection[ClientOrderId]) -> None:
        """Cancel these until nothing more can come of them."""
        ...


@dataclass(slots=True, kw_only=True)
class Sweeper:
    """Remembers only in which band each guard was, so that a warning is given once."""

    ledger: Ledger
    market: MarketWatch
    traffic: VenueTraffic
    orders: Cancels
    alarms: Alarms
    _bands: dict[tuple[str, str | None], Band] = field(default_factory=dict)
    _warnings: deque[tuple[str, str]] = field(default_factory=deque)

    def look(self) -> None:
        """Look at everything once, and write down what follows; nothing before the books are open."""
        state = self.ledger.state
        if not state.is_opened:
            return
        view = self._view()
        judgements = [self._judged(guard, view) for guard in GUARDS]
        errors = tuple(one.error for one in judgements if one.error)
        found: list[Record] = [*run_out(state, view.now), *marked(view)]
        for one in judgements:
            found += one.records
            self._remember(one)
        self.ledger.commit(*found, *broken(state, errors, view.now))
        self.orders.cancel_soon(_to_cancel(judgements))
        self._measure(judgements, view.now)

    async def warm(self) -> None:
        """Measure one market after the other, so that signals are judged in between; a look then finds it measured."""
        for product in sorted(self.market.members):
            state, now = self.ledger.state, self.ledger.clock.now()
            self.market.statistics(product, at_risk(state.portfolio, state.approvals), now)
            await asyncio.sleep(0)

    async def tell(self) -> None:
        """Give the warnings that are due."""
        while self._warnings:
            code, text = self._warnings.popleft()
            await self.alarms.alarm(Severity.WARNING, code, text, _HINT)

    def _view(self) -> SweepView:
        ledger, now = self.ledger, self.ledger.clock.now()
        state, policy = ledger.state, ledger.policy
        held = tuple(name for name, holding in state.portfolio.holdings.items() if holding.quantity)
        together = at_risk(state.portfolio, state.approvals)  # as decisions ask, so both find it counted
        marks = self.market.marks_of(held, now, policy)
        valuation = value(state.portfolio, marks, policy.quote_currency)
        return SweepView(
            state=state,
            policy=policy,
            markets={name: self._market(name, together, now) for name in sorted({*self.market.members, *held})},
            marks=marks,
            equity=None if valuation is None else valuation.equity,
            traffic=self.traffic.traffic(policy.venue_health.window_seconds),
            answerable_since=now - ledger.clock.stretch(RESOLVED_WITHIN),
            now=now,
        )

    def _market(self, product: str, together: Collection[str], now: datetime) -> MarketView:
        return self.market.view(product, self.market.statistics(product, together, now))

    def _judged(self, guard: Guard, view: SweepView) -> Judgement:
        began = perf_counter()
        found = judged(guard, view)
        _meters(guard.name).seconds.observe(perf_counter() - began)
        return found

    def _remember(self, judgement: Judgement) -> None:
        """Count trips, and have what newly needs a person told: warnings, and trips that restrict nothing."""
        guard = judgement.guard
        if judgement.error:
            log.error("guard_broken", guard=guard.name, error=judgement.error)
        for record in judgement.records:
            if isinstance(record, CauseRaised):
                metrics.GUARD_TRIPS.labels(guard.name).inc()
                log.warning("guard_tripped", guard=guard.name, product=record.cause.product, detail=record.cause.detail)
        for one in judgement.findings:
            key = (guard.name, one.reading.product)
            if one.band is not self._bands.get(key, Band.OK) and _is_news(guard, one):
                log.warning("guard_warning", guard=guard.name, product=one.reading.product)
                text = f"{one.reading.product or 'account'}: {described(guard, one.reading)}"
                self._warnings.append((f"{guard.name}_warning" if one.band is Band.WARN else guard.name, text))
            self._bands[key] = one.band

    def _measure(self, judgements: list[Judgement], now: datetime) -> None:
        for one in judgements:
            bands = {found.band for found in one.findings}
            worst = next((band for band in _WORST if band in bands), Band.OK)
            meters = _meters(one.guard.name)
            meters.state.set(_GRADE[Band.UNKNOWN if one.error else worst])
            meters.cooldown.set(self._cooldown(one.guard, now).total_seconds())

    def _cooldown(self, guard: Guard, now: datetime) -> timedelta:
        """Return how long the restriction of a guard lasts at least."""
        left = timedelta(0)
        if guard.restriction is None:
            return left
        for cause in self.ledger.state.causes:
            if cause.code == guard.restriction.code and holds(cause, now):
                end = cause.until or cause.since + guard.restriction.cooldown(self.ledger.policy)
                left = max(left, end - now)
        return left


def _is_news(guard: Guard, found: Finding) -> bool:
    return found.band is Band.WARN or (found.band is Band.TRIPPED and guard.restriction is None)


def _to_cancel(judgements: list[Judgement]) -> set[ClientOrderId]:
    return {
        order
        for one in judgements
        for found in one.findings
        if found.band is Band.TRIPPED
        for order in found.reading.orders
    }
