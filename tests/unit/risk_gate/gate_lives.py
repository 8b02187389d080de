"""Lives of a gate as records: what happens is drawn or listed, what is recorded is what the gate would record."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from gate_builders import (
    BTC,
    ETH,
    NOW,
    SPELLING,
    ZERO_HASH,
    D,
    a_fill,
    a_market,
    a_policy,
    a_request,
    a_signal,
    an_order_event,
)

from gpt_trader.contracts import subjects
from gpt_trader.contracts.ids import FillId, SignalId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import FillKind, OrderStatus
from gpt_trader.contracts.signals import Action
from gpt_trader.risk_gate.domain import commands
from gpt_trader.risk_gate.domain.consequences import of_fill, of_report, reduce_only
from gpt_trader.risk_gate.domain.decide import decide
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.permits import PermitOutcome
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import (
    CauseCleared,
    CauseRaised,
    EpochClaimed,
    FillReported,
    FlattenEnded,
    IntentStored,
    Marked,
    Opened,
    OrderReported,
    PermitAnswered,
    PermitLogged,
    PolicyAdopted,
    Reconciled,
    Record,
)
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode

TIRELESS = a_policy(
    "demo",
    frequency__trades_per_day=10**6,
    frequency__trades_per_hour=10**6,
    frequency__entries_per_hour=10**6,
    frequency__strategy_entries_per_day=10**6,
    frequency__strategy_entries_per_hour=10**6,
    frequency__between_trades_seconds=0,
    frequency__per_product_seconds=0,
    frequency__messages_per_second=10**6,
    frequency__messages_per_minute=10**6,
    limits__notional_per_minute=10**12,
    limits__notional_per_hour=10**12,
    limits__notional_per_day=10**12,
    limits__max_open_orders=10**6,
    sizing__max_entry_notional=200,
    repeats__same_orders=10**6,
    signals__duplicate_window_seconds=0,
    cooldowns__after_loss_seconds=0,
    cooldowns__after_stop_seconds=0,
    cooldowns__after_win_seconds=0,
    cooldowns__consecutive_losses_seconds=0,
    exposure__total_fraction=Decimal("0.9"),
    exposure__per_asset_fraction=Decimal("0.9"),
)
"""Limits that a long life does not run into."""


@dataclass(slots=True)
class Life:
    """A gate that lives by records alone; `happen` makes one thing happen, a minute after the last."""

    policy: Policy = TIRELESS
    pace: timedelta = timedelta(minutes=1)
    now: datetime = NOW
    state: GateState = field(default_factory=GateState)
    records: list[Record] = field(default_factory=list)
    open: list[ApprovedIntent] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        self.add(
            PolicyAdopted(version=self.policy.version(), document=self.policy.document(), at=self.now),
            Opened(cash={"USD": D(1_000_000)}, positions=(), at=self.now),
            EpochClaimed(epoch=1, intents_sequence=1, intents_head=ZERO_HASH, at=self.now),
            Marked(equity=D(1_000_000), marks={}, at=self.now),
        )

    def add(self, *entries: Record) -> None:
        for record in entries:
            self.state = evolve(self.state, record)
            self.records.append(record)

    def happen(self, what: str) -> None:
        self.number += 1
        self.now += self.pace
        THINGS[what](self)

    def enter(self) -> None:
        self._ask(Action.ENTER, BTC if self.number % 3 else ETH)

    def leave(self) -> None:
        held = [product for product, holding in self.state.portfolio.holdings.items() if holding.quantity]
        self._ask(Action.EXIT, held[self.number % len(held)] if held else BTC)

    def repeat(self) -> None:
        self._ask(Action.ENTER, BTC, signal_id="the same one again")

    def fill(self) -> None:
        if self.open:
            intent = self.open.pop(0)
            self.execution(intent, intent.quantity)
            self.report(intent, OrderStatus.FILLED, intent.quantity)

    def fill_partly(self) -> None:
        if self.open:
            self.execution(self.open[0], (self.open[0].quantity / 3).quantize(D("0.00000001")))

    def correct(self) -> None:
        """Restate the last trade that is still remembered, a little cheaper."""
        if self.state.portfolio.executions and self.records:
            last = next((one for one in reversed(self.records) if isinstance(one, FillReported)), None)
            if last is not None:
                fill = last.fill.model_copy(
                    update={
                        "fill_id": FillId(f"restated-{self.number}"),
                        "kind": FillKind.CORRECTION,
                        "price": last.fill.price - D("0.01"),
                    }
                )
                self.add(
                    FillReported(fill=fill, sequence=self.number, is_slippage=False, raised=(), at=self.now),
                )

    def cancel(self) -> None:
        if self.open:
            self.report(self.open.pop(), OrderStatus.CANCELED)

    def reject(self) -> None:
        if self.open:
            self.report(self.open.pop(), OrderStatus.REJECTED)

    def kill(self) -> None:
        self._command(subjects.CONTROL_KILL, b"")

    def reset(self) -> None:
        self._command(subjects.CONTROL_RESET, b"{}")

    def pause(self) -> None:
        self._command(subjects.CONTROL_PAUSE, b"{}")

    def flatten(self) -> None:
        self._command(subjects.CONTROL_FLATTEN, b"{}")

    def flattened(self) -> None:
        for wanted in self.state.flattens[:1]:
            self.add(FlattenEnded(sequence=wanted.sequence, reason="done", at=self.now))

    def restrict(self) -> None:
        self.add(CauseRaised(cause=reduce_only(CauseCode.VENUE_DOWN, "it is", self.now), at=self.now))

    def clear(self) -> None:
        self.add(CauseCleared(code=CauseCode.VENUE_DOWN, product=None, reason="it is up", at=self.now))

    def mark(self) -> None:
        self.add(Marked(equity=D(1_000_000) + self.number, marks={BTC: D(50000)}, at=self.now))

    def reconcile(self) -> None:
        self.add(Reconciled(is_equal=bool(self.number % 2), detail="equal", at=self.now))

    def start_again(self) -> None:
        claim = EpochClaimed(
            epoch=self.state.epoch + 1,
            intents_sequence=self.state.intents_sequence + 1,
            intents_head=f"{self.number:064x}",
            at=self.now,
        )
        self.add(CauseRaised(cause=reduce_only(CauseCode.STARTING, "not yet", self.now), at=self.now), claim)
        self.add(CauseCleared(code=CauseCode.STARTING, product=None, reason="reconciled", at=self.now))

    def execution(self, intent: ApprovedIntent, quantity: Decimal) -> None:
        fill = a_fill(intent, quantity, self.number, price=intent.mark, fee=D("0.12"), occurred_at=self.now)
        raised = of_fill(fill, self.state, self.policy, self.now)
        self.add(FillReported(fill=fill, sequence=self.number, is_slippage=False, raised=raised, at=self.now))

    def report(self, intent: ApprovedIntent, status: OrderStatus, filled: Decimal = Decimal(0)) -> None:
        event = an_order_event(
            intent,
            status,
            self.number,
            filled_quantity=filled,
            venue_order_id=VenueOrderId(f"venue-{intent.client_order_id}"),
        )
        raised = of_report(event, self.state, self.policy, self.now)
        self.add(OrderReported(event=event, sequence=self.number, raised=raised, at=self.now))

    def _ask(self, action: Action, product: str, signal_id: str | None = None) -> None:
        asked = a_signal(
            signal_id=SignalId(signal_id or f"signal-{self.number}"),
            product=product,
            action=action,
            created_at=self.now,
        )
        marks = {BTC: D(50000), ETH: D(50000)}
        request = a_request(signal=asked, now=self.now, marks=marks, market=a_market(product, at=self.now))
        record = decide(request, self.state, self.policy, SPELLING)
        self.add(record)
        if record.intent is None:
            return
        intent = record.intent
        named = {"client_order_id": intent.client_order_id, "at": self.now}
        self.add(
            IntentStored(stream_sequence=intent.stream_sequence, payload_sha256=f"{self.number:064x}", **named),
            PermitLogged(body_sha256=intent.body_sha256, origin_ns=self.number, **named),
            PermitAnswered(outcome=PermitOutcome.ANSWERED, **named),
        )
        self.report(intent, OrderStatus.OPEN)
        self.open.append(intent)

    def _command(self, subject: str, payload: bytes) -> None:
        self.add(commands.received(subject, payload, self.number, self.state, self.now))


THINGS: dict[str, Callable[[Life], None]] = {
    "enter": Life.enter,
    "leave": Life.leave,
    "repeat": Life.repeat,
    "fill": Life.fill,
    "fill_partly": Life.fill_partly,
    "correct": Life.correct,
    "cancel": Life.cancel,
    "reject": Life.reject,
    "kill": Life.kill,
    "reset": Life.reset,
    "pause": Life.pause,
    "flatten": Life.flatten,
    "flattened": Life.flattened,
    "restrict": Life.restrict,
    "clear": Life.clear,
    "mark": Life.mark,
    "reconcile": Life.reconcile,
    "start_again": Life.start_again,
}


def a_life(what: Iterable[str]) -> list[Record]:
    """Record what a gate would record if these things happened."""
    life = Life()
    for one in what:
        life.happen(one)
    return life.records
