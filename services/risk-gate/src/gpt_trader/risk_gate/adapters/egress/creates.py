"""Orders: one permit, one forward, one report of its end, whatever happens to the client meanwhile."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import prometheus_client

from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.adapters.budget import Priority
from gpt_trader.risk_gate.adapters.egress import replies
from gpt_trader.risk_gate.adapters.egress.routes import ORDERS
from gpt_trader.risk_gate.adapters.venue_link import Answer, Link
from gpt_trader.risk_gate.domain.permits import PermitIssued, PermitOutcome, PermitRefused, Refusal
from gpt_trader.risk_gate.ports import OutcomeUnknown, Permits, VenueUnavailable
from gpt_trader.runtime import tracing
from gpt_trader.runtime.clock import Clock

_TICK_TO_ORDER = prometheus_client.Histogram(
    "risk_gate_tick_to_order_ms",
    "milliseconds of real time from the tick to the order leaving for the venue",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000),
)
_PERMITS = prometheus_client.Counter("risk_gate_permits", "answers to requests for a permit", ["answer"])
_REQUEST_TIMEOUT = 408
_STORED_WITHIN, _STORED_LOOKS = timedelta(seconds=1), 200

for _answer in ("issued", *Refusal):
    _PERMITS.labels(_answer)  # from zero on: else the first refusal is no increase


@dataclass(slots=True, kw_only=True)
class Creates:
    """Forwards run in `group`, which outlives the clients' connections."""

    permits: Permits
    link: Link
    clock: Clock
    group: asyncio.TaskGroup
    _in_flight: set[asyncio.Task[Answer]] = field(default_factory=set, init=False)
    _is_closing: bool = field(default=False, init=False)

    async def post(self, body: bytes, origin_ns: int | None) -> Answer:
        """Send exactly these bytes if they have an unused approval, else say why not."""
        if self._is_closing:
            return replies.not_served("the gate is stopping")
        # A task of its own: a client that goes away must not cancel what may have reached the venue,
        # and a permit that can't be written down must end the process, not only this request.
        create = self.group.create_task(self._create(body, origin_ns))
        self._in_flight.add(create)
        create.add_done_callback(self._in_flight.discard)
        return await asyncio.shield(create)

    async def drained(self, at_most: timedelta) -> None:
        """Issue no more, and wait for the answers to what has left; what is late then is reported as unknown."""
        self._is_closing = True
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=at_most.total_seconds())

    async def _create(self, body: bytes, origin_ns: int | None) -> Answer:
        body_sha256 = hashlib.sha256(body).hexdigest()
        await self._stored(body_sha256)
        purpose = self.permits.purpose_of(body_sha256)
        if purpose is not None and not self.link.budget.allows(_priority(purpose)):
            self.permits.forgo(body_sha256)
            return _refused(Refusal.RATE_BUDGET)
        # Before the permit is on disk: however long that takes, the venue lets the order in no later than all believe.
        asked_at = self.clock.wall()
        with tracing.span("permit"):
            permit = self.permits.ask(body_sha256, origin_ns)
        if isinstance(permit, PermitRefused):
            return _refused(permit.reason)
        _PERMITS.labels("issued").inc()
        return await self._forward(permit, body, asked_at, origin_ns)

    async def _stored(self, body_sha256: str) -> None:
        """Wait for what the bus says of an approval: its delivery can overtake its acknowledgement to us."""
        for _ in range(_STORED_LOOKS):
            if not self.permits.is_on_its_way(body_sha256):
                return
            await asyncio.sleep(_STORED_WITHIN.total_seconds() / _STORED_LOOKS)

    async def _forward(self, permit: PermitIssued, body: bytes, asked_at: datetime, origin_ns: int | None) -> Answer:
        outcome = PermitOutcome.UNKNOWN
        self._measure(origin_ns)
        try:
            self.link.budget.take(_priority(permit.purpose))
            with tracing.span("venue"):
                answer = await self.link.send("POST", ORDERS, body=body, since=asked_at)
            if not _is_definitive(answer.status):
                return replies.outcome_unknown(f"the venue answered HTTP {answer.status}")
            outcome = PermitOutcome.ANSWERED
        except (VenueUnavailable, OutcomeUnknown) as error:
            return replies.outcome_unknown(str(error))
        else:
            return answer
        finally:
            self.permits.answered(permit, outcome)

    def _measure(self, origin_ns: int | None) -> None:
        if origin_ns is not None:
            _TICK_TO_ORDER.observe(self.clock.wall().timestamp() * 1e3 - origin_ns / 1e6)


def _refused(reason: Refusal) -> Answer:
    _PERMITS.labels(reason.value).inc()
    return replies.permit_refused(reason)


def _priority(purpose: Purpose) -> Priority:
    return Priority.ENTRY if purpose.is_entry else Priority.EXIT


def _is_definitive(status: int) -> bool:
    """Whether the venue has decided: a 5xx, a redirect or a timeout may hide an order."""
    return 200 <= status < 300 or (400 <= status < 500 and status != _REQUEST_TIMEOUT)
