"""Tells the bus what the account and the trading state are: each second, and at once when they change."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import AccountSnapshot, TradingStatus
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.telemetry import Alert, Severity
from gpt_trader.risk_gate.domain.trading_state import without_expired
from gpt_trader.risk_gate.domain.views import Standing, account, trading_state
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.runtime import logs
from gpt_trader.runtime.bus import Bus, BusUnavailable

log = logs.get("risk-gate")

_EVERY_SECONDS = 1.0
_LEAST_PAUSE_SECONDS = 0.02
"""Between two publications, so that a burst of fills is one message."""


@dataclass(slots=True, kw_only=True)
class Publisher:
    """`is_reconciled` is what the last comparison with the venue found."""

    ledger: Ledger
    market: MarketWatch
    bus: Bus
    is_reconciled: bool = False
    _sequence: int = 0
    _may_publish_state: asyncio.Event = field(default_factory=asyncio.Event)
    _status: TradingStatus = TradingStatus.ACTIVE

    def __post_init__(self) -> None:
        """Start with nothing held back."""
        self._may_publish_state.set()

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            try:
                async with asyncio.timeout(_EVERY_SECONDS):
                    await self.ledger.changed.wait()
            except TimeoutError:
                pass
            self.ledger.changed.clear()
            if self._may_publish_state.is_set() and not self.ledger.halted.is_set():
                await self.publish_state()
            await self._publish_account()
            await asyncio.sleep(_LEAST_PAUSE_SECONDS)

    @asynccontextmanager
    async def holding_back(self) -> AsyncIterator[None]:
        """Publish no state meanwhile: a halt is acknowledged only once nothing is in flight."""
        self._may_publish_state.clear()
        try:
            yield
        finally:
            self._may_publish_state.set()

    async def publish_state(self) -> None:
        """Publish the trading state, with an alert when it changed."""
        self._sequence += 1
        now = self.ledger.clock.now()
        journal = self.ledger.journal
        shell = Standing(in_flight=self.ledger.in_flight(), records=journal.sequence, head=journal.head)
        word = trading_state(self.ledger.state, self._sequence, shell, now)
        await self._send(subjects.STATE_TRADING, word)
        _measure_causes(self.ledger, word.status)
        if word.status is not self._status:
            self._status = word.status
            await self._alert(word.status, ", ".join(f"{cause.code}: {cause.detail}" for cause in word.causes))

    async def _publish_account(self) -> None:
        now, policy = self.ledger.clock.now(), self.ledger.policy
        marks = self.market.marks(now, policy)
        snapshot = account(self.ledger.state, policy, marks, now, is_reconciled=self.is_reconciled)
        await self._send(subjects.ACCOUNT, snapshot)
        _measure(self.ledger, snapshot)

    async def _alert(self, status: TradingStatus, text: str) -> None:
        severity = {TradingStatus.ACTIVE: Severity.INFO, TradingStatus.HALTED: Severity.CRITICAL}.get(
            status, Severity.WARNING
        )
        alert = Alert(
            severity=severity,
            code="kill_active" if status is TradingStatus.HALTED else f"trading_{status.value}",
            service="risk-gate",
            text=text or "no restriction holds",
            hint="gpt-trader status shows every cause; reset ends a halt, resume ends a pause",
            occurred_at=self.ledger.clock.now(),
        )
        await self._send(subjects.alerts(severity.value), alert)

    async def _send(self, subject: str, message: Message) -> None:
        try:
            await self.bus.publish(subject, message)
        except BusUnavailable as error:
            log.warning("publication_missed", subject=subject, reason=str(error))


def _measure(ledger: Ledger, snapshot: AccountSnapshot) -> None:
    metrics.EQUITY.set(float(snapshot.equity))
    metrics.DRAWDOWN.set(float(snapshot.drawdown))
    metrics.DAY_PNL.set(float(snapshot.day_pnl))
    metrics.EXPOSURE.labels("held").set(float(snapshot.exposure))
    metrics.EXPOSURE.labels("worst_case").set(float(snapshot.worst_case_exposure))
    metrics.OPEN_APPROVALS.set(len(ledger.state.approvals))
    metrics.CREATES_IN_FLIGHT.set(ledger.in_flight())


def _measure_causes(ledger: Ledger, status: TradingStatus) -> None:
    for known in TradingStatus:
        metrics.STATE.labels(known.value).set(known is status)
    metrics.CAUSES.clear()
    for cause in without_expired(ledger.state.causes, ledger.clock.now()):
        metrics.CAUSES.labels(cause.code).inc()
