"""The one attempt that an approval is worth: asked for permission, journaled, posted, judged."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gpt_trader.contracts.account import TradingState
from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.executor.domain.order import Order
from gpt_trader.executor.domain.permission import Permission, heard, killed, leaderless, objection
from gpt_trader.executor.domain.records import Abandoned, Submitting, Unclear
from gpt_trader.executor.domain.submission import Attempt, Doubt, Outcome, classify
from gpt_trader.executor.ports import Measurements, Submission
from gpt_trader.executor.service.books import Books
from gpt_trader.executor.service.following import Follower
from gpt_trader.runtime import logs, tracing
from gpt_trader.runtime.bus import Received
from gpt_trader.runtime.clock import Clock

log = logs.get("executor")

_SECOND = timedelta(seconds=1)
_TICK = timedelta(microseconds=1)


@dataclass(slots=True, kw_only=True)
class Placer:
    """Starts halted. `doubt` is set when an outcome is unknown, for whoever resolves it."""

    books: Books
    submission: Submission
    follower: Follower
    measurements: Measurements
    clock: Clock
    state_max_age: timedelta
    doubt: asyncio.Event
    group: asyncio.TaskGroup
    permission: Permission = field(default_factory=Permission)
    is_stopping: bool = False
    is_heard: asyncio.Event = field(default_factory=asyncio.Event)
    _in_flight: set[ClientOrderId] = field(default_factory=set)

    @property
    def is_idle(self) -> bool:
        """Whether no attempt is under way."""
        return not self._in_flight

    async def on_kill(self, _received: Received) -> None:
        """Stop at once, whatever the payload says."""
        self.permission = killed(self.permission)
        log.critical("killed")

    async def on_state(self, state: TradingState, _received: Received) -> None:
        """Take the gate's word."""
        self.permission = heard(self.permission, state, self.clock.wall())
        self.is_heard.set()

    def incapacity(self) -> str | None:
        """Say why we can't do what the gate wants now; None = we can, also if it wants nothing sent (halted)."""
        if self.is_stopping:
            return "executor_stopping"
        return leaderless(self.permission, self.clock.wall(), self.state_max_age)

    def standing_objection(self) -> str | None:
        """Say why no entry would be sent now; None = it would."""
        return objection(self.permission, Purpose.ENTRY, self.clock.wall(), self.state_max_age)

    def first_steps(self, intent: ApprovedIntent) -> tuple[Submitting, ...]:
        """Say that the attempt begins now, if nothing objects or has to go first: then one write covers both."""
        if not self.follower.cancels_sent.is_set() or self._objection(Order(intent=intent)) is not None:
            return ()
        latest = self.permit_before(intent.expires_at)
        return (Submitting(client_order_id=intent.client_order_id, permit_before=latest, at=self.clock.now()),)

    def begin(self, client_order_id: ClientOrderId) -> None:
        """Place in a task of its own."""
        self._in_flight.add(client_order_id)
        self.group.create_task(self.place(client_order_id))

    def resume(self, client_order_id: ClientOrderId) -> None:
        """After a restart: place what was taken and not tried, once the gate was heard again."""
        self._in_flight.add(client_order_id)
        self.group.create_task(self._place_once_heard(client_order_id))

    async def place(self, client_order_id: ClientOrderId) -> None:
        """Make the attempt or say why not; called once per approval and process."""
        try:
            if self.books.order(client_order_id).status is None:
                await self._wait(self.follower.cancels_sent, self.books.order(client_order_id))
            order = self.books.order(client_order_id)
            reason = self._objection(order)
            if reason is not None:
                self.books.record(Abandoned(client_order_id=client_order_id, reason=reason, at=self.clock.now()))
                return
            with tracing.span("submit", client_order_id=client_order_id, product=order.intent.product):
                await self._attempt(order)
        finally:
            self._in_flight.discard(client_order_id)

    def give_up_interrupted(self) -> None:
        """After a restart: whether a journaled attempt was made only the venue knows."""
        for order in self.books.ledger.living():
            if order.status is OrderStatus.SUBMITTING and order.permit_before is not None:
                self.books.record(
                    Unclear(
                        client_order_id=order.client_order_id,
                        reason=Doubt.RESTART,
                        permit_before=order.permit_before,
                        at=self.clock.now(),
                    )
                )

    def permit_before(self, expires_at: datetime) -> datetime:
        """Convert an expiry, which is trading time, to real time: the gate issues no permit after it."""
        left = (expires_at - self.clock.now()) // _TICK
        rate = self.clock.stretch(_SECOND) // _TICK
        return self.clock.wall() + timedelta(microseconds=left * 1_000_000 // rate)

    async def _attempt(self, order: Order) -> None:
        intent = order.intent
        latest = order.permit_before or self.permit_before(intent.expires_at)
        if order.status is None:
            self.books.record(
                Submitting(client_order_id=order.client_order_id, permit_before=latest, at=self.clock.now())
            )
        began = self.clock.wall()
        reply = await self.submission.create(intent)
        attempt = Attempt(
            client_order_id=order.client_order_id,
            permit_before=latest,
            answered_at=self.clock.wall(),
            now=self.clock.now(),
        )
        outcome = classify(reply, attempt)
        self.books.record(outcome)
        self._measure(outcome, attempt.answered_at - began)
        if isinstance(outcome, Unclear):
            log.warning("outcome_unknown", client_order_id=order.client_order_id, reply=repr(reply))
            self.doubt.set()
        self.follower.look(order.client_order_id)

    def _measure(self, outcome: Outcome, took: timedelta) -> None:
        self.measurements.submitted(outcome, took)
        origin = tracing.origin_ns()
        if origin is not None:
            began = datetime.fromtimestamp(0, tz=self.clock.wall().tzinfo) + timedelta(microseconds=origin // 1000)
            self.measurements.waited("tick_to_answer", self.clock.wall() - began)

    async def _place_once_heard(self, client_order_id: ClientOrderId) -> None:
        await self._wait(self.is_heard, self.books.order(client_order_id))
        await self.place(client_order_id)

    async def _wait(self, event: asyncio.Event, order: Order) -> None:
        """Let what must come first come first, but not for longer than the approval lives."""
        left = self.permit_before(order.intent.expires_at) - self.clock.wall()
        try:
            async with asyncio.timeout(max(left.total_seconds(), 0)):
                await event.wait()
        except TimeoutError:
            return

    def _objection(self, order: Order) -> str | None:
        if self.is_stopping:
            return "executor_stopping"
        if order.is_cancel_wanted:
            return "canceled_before_sending"
        if self.clock.now() >= order.intent.expires_at:
            return "expired"
        return objection(self.permission, order.intent.purpose, self.clock.wall(), self.state_max_age)
