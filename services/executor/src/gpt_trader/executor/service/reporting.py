"""Says on the bus what the ledger holds, each report once, in order, for as long as it takes; alerts beside it."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from gpt_trader.contracts import subjects
from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.contracts.telemetry import Alert, Severity
from gpt_trader.executor.domain.order import Report
from gpt_trader.executor.domain.records import Reported
from gpt_trader.executor.ports import Measurements, ReportBus
from gpt_trader.executor.service.books import Books
from gpt_trader.runtime import lifecycle, logs, tracing
from gpt_trader.runtime.bus import BusUnavailable, PublishUnknown
from gpt_trader.runtime.clock import Clock

log = logs.get("executor")

_RETRY_SECONDS = 0.2
_BATCH = 16
_SETTLED_SECONDS = 0.05


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
        """Report for ever; that a report was said is written with what follows it, or once nothing does."""
        try:
            while True:
                if not await self._is_changed_soon():
                    self.books.write_rest()
                lifecycle.heed_cancel()
                await self.books.changed.wait()
                self.books.changed.clear()
                await self._say_all()
        except asyncio.CancelledError:
            self.books.write_rest()
            raise

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

    def flow(self, client_order_id: ClientOrderId) -> Mapping[str, str]:
        """Return what the messages of an order carry; after a restart or its end that is the decision alone."""
        known = self.flows.get(client_order_id)
        if known is not None:
            return known
        return {tracing.DECISION_ID: self.books.order(client_order_id).intent.decision_id}

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
            batch = list(islice(self.books.ledger.unsaid.items(), _BATCH))
            for message_id, report in batch:
                await self._say(message_id, report)
            self.books.note(Reported(message_ids=tuple(message_id for message_id, _ in batch)))

    async def _is_changed_soon(self) -> bool:
        try:
            async with asyncio.timeout(_SETTLED_SECONDS):
                return await self.books.changed.wait()
        except TimeoutError:
            return False

    async def _say(self, message_id: str, report: Report) -> None:
        match report:
            case OrderEvent():
                with tracing.continued(self.flow(report.client_order_id), f"report {report.status}"):
                    await self._store(subjects.orders(report.product), report, message_id)
                    log.info("order", **_of(report), status=report.status, reason=report.reason)
                self.measurements.reported(report)
                if report.status.is_terminal:
                    self.flows.pop(report.client_order_id, None)
            case Fill():
                with tracing.continued(self.flow(report.client_order_id), f"report {report.kind}"):
                    await self._store(subjects.fills(report.product), report, message_id)
                    log.info("fill", **_of(report), fill_id=report.fill_id)
                self.measurements.filled(report, self.books.order(report.client_order_id).intent)

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


def _of(report: Report) -> dict[str, str]:
    return {"client_order_id": report.client_order_id, "product": report.product}
