"""Checks the invariants on everything that reaches a disk, the bus or the venue; it trusts no service's memory."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel
from typing_extensions import override

from gpt_trader.contracts.account import Cause, TradingStatus
from gpt_trader.contracts.decisions import Decision, Outcome
from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import ApprovedIntent, Purpose, SignedIntent
from gpt_trader.contracts.message import GENESIS_HASH, digest
from gpt_trader.contracts.orders import OrderEvent
from gpt_trader.contracts.signals import Side
from gpt_trader.executor.domain import records as executor_records
from gpt_trader.lab.storm.clock import EPOCH
from gpt_trader.lab.storm.fate import Fate
from gpt_trader.lab.storm.server import Stored
from gpt_trader.lab.storm.terms import POSITION_CAP
from gpt_trader.lab.storm.timeline import Timeline
from gpt_trader.lab.storm.venue import Booked, StormVenue
from gpt_trader.risk_gate.domain import records as gate_records

_DEATHS = (executor_records.Absent, executor_records.Abandoned, executor_records.Rejected)
_SHOWN = 160
_SLACK = Decimal("1.02")
"""The cap holds at the marks of the approval; prices move a little until the order executes."""


class Violation(NamedTuple):
    """An invariant that did not hold, when, and how."""

    invariant: str
    at: float
    detail: str

    @override
    def __str__(self) -> str:
        return f"{self.invariant} at {self.at:.3f} s: {self.detail}"


@dataclass(slots=True)
class Witness:
    """Holds what must be remembered to judge the next event."""

    timeline: Timeline
    fate: Fate
    violations: list[Violation] = field(default_factory=list)
    approved: dict[str, ApprovedIntent] = field(default_factory=dict)
    stored: set[ClientOrderId] = field(default_factory=set)
    permits: set[str] = field(default_factory=set)
    dead: dict[str, str] = field(default_factory=dict)
    at_venue: dict[str, list[Booked]] = field(default_factory=lambda: defaultdict(list))
    terminal: dict[str, list[OrderEvent]] = field(default_factory=lambda: defaultdict(list))
    halts: set[str] = field(default_factory=set)
    epoch: int = 0
    _intents_head: str = GENESIS_HASH

    def gate_wrote(self, records: Sequence[tuple[str, object]]) -> None:
        """Judge what the gate put on disk."""
        for kind, payload in records:
            self._tell("gate", kind, payload)
            match payload:
                case Mapping():
                    self._decided(payload)
                case gate_records.PermitLogged():
                    self._permitted(payload)
                case gate_records.EpochClaimed():
                    self.epoch = max(self.epoch, payload.epoch)
                case _:
                    self._restricted(payload)

    def executor_wrote(self, records: Sequence[tuple[str, object]]) -> None:
        """Judge what the executor put on disk: what it declares dead must never be at the venue."""
        for kind, payload in records:
            self._tell("executor", kind, payload)
            if isinstance(payload, _DEATHS):
                self.dead[payload.client_order_id] = kind
                if self.at_venue[payload.client_order_id]:
                    self.violated("I3", f"{payload.client_order_id} was declared {kind}, and is at the venue")

    def bus_stored(self, stream: str, stored: Stored) -> None:
        """Judge what the bus keeps: the chain of intents, and the reports."""
        if stream == "INTENTS":
            self._chained(stored)
        if stream == "ORDERS":
            event = OrderEvent.decode(stored.payload)
            if event.status.is_terminal:
                self.terminal[event.client_order_id].append(event)

    def venue_accepted(self, order: Booked, body: bytes) -> None:
        """Judge an order that came to be."""
        order_id = order.client_order_id
        self._say(f"venue takes {order.venue_order_id} for {order_id[:8]}: {order.side} {order.quantity}")
        self.at_venue[order_id].append(order)
        approval = self.approved.get(order_id)
        if len(self.at_venue[order_id]) > 1:
            self.violated("I1", f"{order_id} is at the venue {len(self.at_venue[order_id])} times")
        if approval is None or digest(body) != approval.body_sha256:
            self.violated("I2", f"{order_id} was not approved with this body")
        if order_id in self.dead:
            self.violated("I3", f"{order_id} was declared {self.dead[order_id]}, and came to be afterwards")
        if order_id not in self.permits:
            self.violated("I6", f"{order_id} has no permit")

    def venue_changed(self, order: Booked, venue: StormVenue) -> None:
        """Judge the exposure after an execution: what is held and may still be bought stays within the cap."""
        self._say(f"venue: {order.venue_order_id} {order.status} {order.filled}/{order.quantity}")
        held, price = venue.position(order.product), venue.prices[order.product]
        if held < 0:
            self.violated("I10", f"{order.product} was sold short by {order.venue_order_id}: {held}")
        open_buys = sum(
            (one.quantity - one.filled) * one.limit_price
            for one in venue.orders.values()
            if one.product == order.product and one.side is Side.BUY and not one.is_over
        )
        if held * price + open_buys > POSITION_CAP * _SLACK:
            self.violated(
                "I9", f"{order.product}: {held * price + open_buys:.2f} may be held, the cap is {POSITION_CAP}"
            )

    def _decided(self, payload: Mapping[str, Any]) -> None:
        self._raised(Cause.model_validate(one) for one in payload["raised"])
        if payload["intent"] is None:
            return
        intent = ApprovedIntent.model_validate(payload["intent"])
        if intent.client_order_id in self.approved:
            self.violated("I5", f"{intent.client_order_id} was approved twice")
        self.approved[intent.client_order_id] = intent

    def _permitted(self, record: gate_records.PermitLogged) -> None:
        order_id, approval = record.client_order_id, self.approved.get(record.client_order_id)
        if order_id in self.permits:
            self.violated("I5", f"{order_id} got a second permit")
        self.permits.add(order_id)
        if approval is None:
            self.violated("I2", f"{order_id} got a permit without an approval")
            return
        if self.halts and approval.purpose is not Purpose.FLATTEN:
            self.violated("I4", f"{order_id} got a permit while {', '.join(sorted(self.halts))} held")
        if self.now() >= approval.expires_at:
            self.violated("I2", f"{order_id} got a permit after its approval had expired")
        if approval.epoch != self.epoch:
            self.violated("I12", f"{order_id} of epoch {approval.epoch} got a permit in epoch {self.epoch}")

    def _restricted(self, payload: object) -> None:
        """Follow what halts trading, and what ends that."""
        match payload:
            case gate_records.CauseCleared():
                self.halts.discard(payload.code)
            case gate_records.CauseRaised():
                self._raised([payload.cause])
            case gate_records.CommandReceived():
                self.halts.difference_update(cause.code for cause in payload.cleared)
                self._raised(payload.raised)
            case gate_records.OrderReported() | gate_records.FillReported() | gate_records.CommandsLost():
                self._raised(payload.raised)
            case _:
                return

    def _raised(self, causes: Iterable[Cause]) -> None:
        self.halts.update(one.code for one in causes if one.status is TradingStatus.HALTED and one.product is None)

    def _chained(self, stored: Stored) -> None:
        payload = SignedIntent.decode(stored.payload).payload
        intent = json.loads(payload)
        if (intent["stream_sequence"], intent["previous_hash"]) != (stored.sequence, self._intents_head):
            self.violated("I13", f"intent {stored.sequence} does not follow the one before it")
        self._intents_head = digest(payload.encode())
        if intent["kind"] == "approved":
            self.stored.add(ClientOrderId(intent["client_order_id"]))
        if intent["kind"] == "epoch":
            self.epoch = max(self.epoch, intent["epoch"])

    def now(self) -> datetime:
        """Return the simulated time."""
        return EPOCH + timedelta(seconds=self.timeline.now)

    def violated(self, invariant: str, detail: str) -> None:
        """Write a violation down; the run ends at its next look."""
        found = Violation(invariant, self.timeline.now, detail)
        self._say(f"VIOLATION {found}")
        self.violations.append(found)

    def _tell(self, who: str, kind: str, payload: object) -> None:
        if self.fate.tell is not None:
            shown = payload.model_dump_json(exclude_none=True) if isinstance(payload, BaseModel) else _verdict(payload)
            self._say(f"{who} wrote {kind} {shown[:_SHOWN]}")

    def _say(self, text: str) -> None:
        if self.fate.tell is not None:
            self.fate.tell(text)


def _verdict(payload: object) -> str:
    """Spell a decision as the rules that denied it, or what was approved."""
    if not isinstance(payload, Mapping):
        return ""
    decision = Decision.decode(orjson.dumps(payload["decision"]))
    failed = [f"{one.check}.{one.rule}" for one in decision.checks if one.outcome is Outcome.FAILED]
    order_id = "" if payload["intent"] is None else payload["intent"]["client_order_id"]
    return f"{decision.verdict} {decision.signal.action} {decision.product} {order_id} {' '.join(failed)}"
