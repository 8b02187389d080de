"""Tells the bus what the account and the trading state are: again and again, and at once when they change."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import AccountSnapshot, Cause, TradingStatus
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.telemetry import Alert, Severity
from gpt_trader.risk_gate.domain.exposure import at_risk
from gpt_trader.risk_gate.domain.hints import hint_of
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import phrase, without_expired
from gpt_trader.risk_gate.domain.views import Standing, account, trading_state
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.runtime import lifecycle, logs
from gpt_trader.runtime.bus import Bus, BusUnavailable

log = logs.get("risk-gate")

_LEAST_PAUSE_SECONDS = 0.02
"""Between two publications, so that a burst of fills is one message."""


_Key = tuple[str, str | None, str | None]
_Account = tuple[object, ...]
"""The parts of the state that an account is made of, besides marks: a denial leaves each as it is."""


@dataclass(slots=True, kw_only=True)
class Publisher:
    """`is_reconciled` is what the last comparison with the venue found."""

    ledger: Ledger
    market: MarketWatch
    bus: Bus
    every_seconds: float
    is_reconciled: bool = False
    _sequence: int = 0
    _accounted: _Account | None = None
    _account_at: float = 0.0
    _stated: GateState | None = None
    _stated_at: float = 0.0
    _may_publish_state: asyncio.Event = field(default_factory=asyncio.Event)
    _status: TradingStatus = TradingStatus.ACTIVE
    _told: dict[_Key, Cause] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start with nothing held back."""
        self._may_publish_state.set()

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            try:
                async with asyncio.timeout(self._left()):
                    await self.ledger.changed.wait()
            except TimeoutError:
                lifecycle.heed_cancel()
            self.ledger.changed.clear()
            await self._announce()
            if self._may_publish_state.is_set() and not self.ledger.halted.is_set() and self._is_state_due():
                await self.publish_state()
            if self._is_account_due():
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
        self._stated, self._stated_at = self.ledger.state, asyncio.get_running_loop().time()
        now = self.ledger.clock.now()
        journal = self.ledger.journal
        shell = Standing(in_flight=self.ledger.in_flight(), records=journal.sequence, head=journal.head)
        word = trading_state(self.ledger.state, self._sequence, shell, now)
        await self._send(subjects.STATE_TRADING, word)
        _measure_causes(self.ledger, word.status)
        if word.status is not self._status:
            self._status = word.status
            await self._alert(word.status, ", ".join(f"{cause.code}: {cause.detail}" for cause in word.causes))

    async def alarm(self, severity: Severity, code: str, text: str, hint: str) -> None:
        """Tell a person."""
        alert = Alert(
            severity=severity,
            code=code,
            service="risk-gate",
            text=text,
            hint=hint,
            occurred_at=self.ledger.clock.now(),
        )
        await self._send(subjects.alerts(severity.value), alert)

    async def _announce(self) -> None:
        """Tell of each cause that came and each that went, also of a single product and while a halt is drained."""
        holding = {_key(cause): cause for cause in without_expired(self.ledger.state.causes, self.ledger.clock.now())}
        began = [cause for key, cause in holding.items() if key not in self._told]
        ended = [cause for key, cause in self._told.items() if key not in holding]
        self._told = holding
        for cause in began:
            severity = Severity.CRITICAL if cause.status is TradingStatus.HALTED else Severity.WARNING
            await self.alarm(severity, cause.code, f"{_where(cause)}: {cause.detail}", hint_of(cause.code))
        for cause in ended:
            since = f"{_where(cause)}: over, held since {cause.since:%H:%M:%S}"
            await self.alarm(Severity.INFO, f"{cause.code}_ended", since, "nothing to do")

    def _left(self) -> float:
        """Return how long to wait for a change; what could not be told when it was due is tried again after as long."""
        left = min(self._stated_at, self._account_at) + self.every_seconds - asyncio.get_running_loop().time()
        return left if left > 0 else self.every_seconds

    def _is_state_due(self) -> bool:
        """Whether more than the count of records is another one than was told, or it was told long enough ago."""
        state, told = self.ledger.state, self._stated
        is_same = told is not None and state.causes is told.causes and state.approvals is told.approvals
        return not is_same or asyncio.get_running_loop().time() - self._stated_at >= self.every_seconds

    def _is_account_due(self) -> bool:
        """Whether the account is another one than was told, or was told long enough ago."""
        state, now = self.ledger.state, asyncio.get_running_loop().time()
        worth = (state.day_start_equity, state.peak_equity, state.opening_equity, state.funding)
        account = (state.portfolio, state.approvals, state.futures, state.differences, *worth, self.is_reconciled)
        told = self._accounted
        is_same = told is not None and all(one is other for one, other in zip(account, told, strict=True))
        if is_same and now - self._account_at < self.every_seconds:
            return False
        self._accounted, self._account_at = account, now
        return True

    async def _publish_account(self) -> None:
        now, policy = self.ledger.clock.now(), self.ledger.policy
        marks = self.market.marks(now, policy)
        state = self.ledger.state
        correlations = self.market.correlations(at_risk(state.portfolio, state.approvals), now)
        snapshot = account(state, policy, marks, correlations, now, is_reconciled=self.is_reconciled)
        await self._send(subjects.ACCOUNT, snapshot)
        _measure(self.ledger, snapshot)

    async def _alert(self, status: TradingStatus, text: str) -> None:
        severity = {TradingStatus.ACTIVE: Severity.INFO, TradingStatus.HALTED: Severity.CRITICAL}.get(
            status, Severity.WARNING
        )
        await self.alarm(
            severity,
            "kill_active" if status is TradingStatus.HALTED else f"trading_{status.value}",
            text or "no restriction holds",
            "gpt-trader status shows every cause; reset ends a halt, resume ends a pause",
        )

    async def _send(self, subject: str, message: Message) -> None:
        try:
            await self.bus.publish(subject, message)
        except BusUnavailable as error:
            log.warning("publication_missed", subject=subject, reason=str(error))


def _key(cause: Cause) -> _Key:
    return cause.code, cause.product, cause.strategy


def _where(cause: Cause) -> str:
    return f"{phrase(cause.status)} ({cause.product or cause.strategy or 'everything'})"


def _measure(ledger: Ledger, snapshot: AccountSnapshot) -> None:
    metrics.EQUITY.set(float(snapshot.equity))
    metrics.DRAWDOWN.set(float(snapshot.drawdown))
    metrics.DAY_PNL.set(float(snapshot.day_pnl))
    metrics.PNL.labels("realized").set(float(snapshot.realized_pnl))
    metrics.PNL.labels("unrealized").set(float(snapshot.unrealized_pnl))
    metrics.PNL.labels("fees").set(float(-snapshot.fees))
    metrics.PNL.labels("funding").set(float(snapshot.funding))
    metrics.PNL.labels("income").set(float(snapshot.income))
    metrics.PNL.labels("transfers").set(float(snapshot.transfers))
    metrics.DIFFERENCES.set(len(snapshot.differences))
    metrics.EXPOSURE.labels("held").set(float(snapshot.exposure))
    metrics.EXPOSURE.labels("worst_case").set(float(snapshot.worst_case_exposure))
    metrics.EXPOSURE.labels("net").set(float(snapshot.net_exposure))
    metrics.EXPOSURE.labels("correlated").set(float(snapshot.correlated_exposure))
    for gauge in (metrics.POSITION, metrics.UNREALIZED):
        gauge.clear()
    for position in snapshot.positions:
        metrics.POSITION.labels(position.product).set(float(position.quantity * (position.mark or 0)))
        metrics.UNREALIZED.labels(position.product).set(float(position.unrealized_pnl))
    metrics.OPEN_APPROVALS.set(len(ledger.state.approvals))
    metrics.CREATES_IN_FLIGHT.set(ledger.in_flight())


def _measure_causes(ledger: Ledger, status: TradingStatus) -> None:
    for known in TradingStatus:
        metrics.STATE.labels(known.value).set(known is status)
    for gauge in (metrics.CAUSES, metrics.CAUSE_SINCE, metrics.CAUSE_UNTIL):
        gauge.clear()
    for cause in without_expired(ledger.state.causes, ledger.clock.now()):
        metrics.CAUSES.labels(cause.code).inc()
        of_what = cause.product or cause.strategy or ""
        metrics.CAUSE_SINCE.labels(cause.code, of_what).set(cause.since.timestamp())
        if cause.until is not None:
            metrics.CAUSE_UNTIL.labels(cause.code, of_what).set(cause.until.timestamp())
