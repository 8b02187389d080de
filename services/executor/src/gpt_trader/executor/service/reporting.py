"""Says on the bus what the ledger holds, each report once, in order, for as long as it takes; alerts beside it."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gpt_trader.contracts import subjects
from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.contracts.telemetry import Alert, Severity
from gpt_trader.executor.domain.order import Report
from gpt_trader.executor.domain.records import Reported
from gpt_trader.executor.ports import Measurements, ReportBus
from gpt_trader.executor.service.books import Books
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus import BusUnavailable, PublishUnknown
from gpt_trader.runtime.clock import Clock

log = logs.get("executor")

_RETRY_SECONDS = 0.2
_BATCH = 16


@dataclass(slots=True, kw_only=True)
class Reporter:
    """A report counts as said when the bus has it on disk; after a crash it is said again under the same id."""

    books: Books
    bus: ReportBus
    clock: Clock
    measurements: Measurements
    flows: dict[ClientOrderId, Mapping[str, str]] = field(default_factory=dict)
    _alerts: deque[tuple[str, Alert]] = field(default_factory=deque)
    _raised: set[str] = field(default_factory=set)

    async def serve(self) -> None:
        """Report for ever."""
        while True:
            await self.books.changed.wait()
            self.books.changed.clear()
            await self._say_all()

    def alert(self, code: str, key: str, text: str, hint: str, severity: Severity = Severity.CRITICAL) -> None:
        """Raise an alert once per key; it is stored as soon as the bus takes it."""
        name = f"executor:{code}:{key}"
        if name in self._raised:
            return
        self._raised.add(name)
        log.error("alert", code=code, key=key, text=text)
        self.measurements.alerted(code)
        alert = Alert(
            severity=severity, code=code, service="executor", text=text, hint=hint, occurred_at=self.clock.now()
        )
        self._alerts.append((name, alert))
        self.books.changed.set()

    @property
    def is_done(self) -> bool:
        """Whether everything was said."""
        return not self.books.ledger.unsaid and not self._alerts

    async def _say_all(self) -> None:
        while self._alerts:
            name, alert = self._alerts[0]
            await self._store(subjects.alerts(alert.severity), alert, name)
            self._alerts.popleft()
        while self.books.ledger.unsaid:
            batch = list(self.books.ledger.unsaid.items())[:_BATCH]
            for message_id, report in batch:
                await self._say(message_id, report)
            self.books.record(Reported(message_ids=tuple(message_id for message_id, _ in batch)))

    async def _say(self, message_id: str, report: Report) -> None:
        tracing.adopt(self.flows.get(report.client_order_id, {}))
        match report:
            case OrderEvent():
                await self._store(subjects.orders(report.product), report, message_id)
                self.measurements.reported(report)
                log.info("order", client_order_id=report.client_order_id, status=report.status, reason=report.reason)
                if report.status.is_terminal:
                    self.flows.pop(report.client_order_id, None)
            case Fill():
                await self._store(subjects.fills(report.product), report, message_id)
                self.measurements.filled(report.kind)

    async def _store(self, subject: str, message: Message, message_id: str) -> None:
        began = self.clock.wall()
        while True:
            try:
                await self.bus.store(subject, message, message_id=message_id)
            except (BusUnavailable, PublishUnknown) as error:
                log.warning("report_delayed", subject=subject, message_id=message_id, reason=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self.measurements.waited("report", self._since(began))
                return

    def _since(self, began: datetime) -> timedelta:
        return self.clock.wall() - began
