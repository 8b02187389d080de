"""Ends processes at exact points of an order's way, in a service that is otherwise as it ships.

What a service does to the world is wrapped from outside: appends to its journal, messages to the bus, requests to the
egress or the venue, and the venue's own acceptance. Before and after each, `reached` looks whether a test armed this
very place, and kills whom the test named, -9: this process, another one, the bus. Product code knows nothing of it.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt_trader.runtime.bus import Bus
from gpt_trader.runtime.bus.link import Link
from gpt_trader.runtime.journal import Journal

GATE_RECORDS = {
    "decision_made": "approval_journaled",
    "permit_logged": "permit_logged",
    "permit_answered": "outcome_journaled",
    "fill_reported": "fill_counted",
    "order_reported": "end_counted",
}
EXECUTOR_RECORDS = {
    "intent_seen": "intent_taken",
    "submitting": "submitting_recorded",
    "accepted": "outcome_journaled",
    "filled": "fill_received",
}
CREATE = "/api/v3/brokerage/orders"
ACKED = {
    "SIGNALS": ("signal_acked", "approval_journaled"),
    "INTENTS": ("acked", "intent_taken"),
    "FILLS": ("fill_acked", "fill_counted"),
    "ORDERS": ("end_acked", "end_counted"),
}
"""By stream: the point of an acknowledgement, and the record that must have been written before it since the last."""
_DEAD_WITHIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Trap:
    """The file in which a test says where to end whom; it goes with the first use."""

    path: Path

    def set(self, place: str, victims: Sequence[int]) -> None:
        """Arm a place, spelled service.point.before or .after; its processes are named by id."""
        draft = self.path.with_suffix(".draft")
        draft.write_text(json.dumps({"place": place, "victims": list(victims)}))
        draft.rename(self.path)

    def is_set(self) -> bool:
        return self.path.exists()

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)

    def holds(self, place: str) -> bool:
        """Whether this place is armed."""
        try:
            return bool(json.loads(self.path.read_text())["place"] == place)
        except FileNotFoundError:
            return False

    def reached(self, place: str) -> None:
        """Kill, if this place is armed; who survives goes on only when the others are gone."""
        if not self.holds(place):
            return
        victims = json.loads(self.path.read_text())["victims"]
        self.clear()
        for pid in sorted(victims, key=lambda one: one == os.getpid()):
            os.kill(pid, signal.SIGKILL)
            _gone(pid)


def _gone(pid: int) -> None:
    deadline = time.monotonic() + _DEAD_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return
        except FileNotFoundError:
            return
        time.sleep(0.001)


def install(service: str, trap: Trap) -> None:
    """Wrap what this service does to the world."""
    if service == "exchange_sim":
        _around_venue(trap)
        return
    records = GATE_RECORDS if service == "risk_gate" else EXECUTOR_RECORDS
    written: set[str] = set()
    _around_journal(service, records, trap, written)
    _around_bus(service, trap)
    _around_acks(service, trap, written)
    if service == "risk_gate":
        _around_the_last_hop(trap)
    else:
        _around_the_client(trap)


def _around_journal(service: str, points: Mapping[str, str], trap: Trap, written: set[str]) -> None:
    append_all = Journal.append_all

    def crashing(self: Journal, records: Sequence[tuple[str, object]]) -> None:
        marks = [
            (at, points[kind]) for at, (kind, what) in enumerate(records) if kind in points and _counts(kind, what)
        ]
        for at, point in marks:
            if trap.holds(f"{service}.{point}.before"):
                if at:  # what a write that was cut short leaves: the lines before this one
                    append_all(self, records[:at])
                trap.reached(f"{service}.{point}.before")
        append_all(self, records)
        written.update(point for _, point in marks)
        for _, point in marks:
            trap.reached(f"{service}.{point}.after")

    Journal.append_all = crashing  # type: ignore[method-assign]


def _counts(kind: str, record: Any) -> bool:
    """Whether a record marks its point: of reports on orders only the last one does."""
    return kind != "order_reported" or record.event.status.is_terminal


def _around_bus(service: str, trap: Trap) -> None:
    store = Bus.store

    async def crashing(self: Bus, subject: str, message: Any, **words: Any) -> int:
        point = _of_subject(subject, message)
        if point:
            trap.reached(f"{service}.{point}.before")
        stored = await store(self, subject, message, **words)
        if point:
            trap.reached(f"{service}.{point}.after")
        return stored

    Bus.store = crashing  # type: ignore[method-assign]


def _of_subject(subject: str, message: Any) -> str:
    if subject.startswith("intents.approved."):
        return "approval_published"
    if subject.startswith("fills."):
        return "fill_published"
    if subject.startswith("orders.") and message.status.is_terminal:
        return "event_published"
    return ""


def _around_acks(service: str, trap: Trap, written: set[str]) -> None:
    send = Link.send

    async def crashing(self: Link, subject: str, payload: bytes, headers: Any, reply: str = "") -> None:
        point = _of_ack(subject, written) if payload == b"+ACK" else ""
        if point:
            trap.reached(f"{service}.{point}.before")
        await send(self, subject, payload, headers, reply)
        if point and trap.holds(f"{service}.{point}.after"):
            await self.client.flush()  # or it would die in our own buffer
            trap.reached(f"{service}.{point}.after")

    Link.send = crashing  # type: ignore[method-assign]


def _of_ack(subject: str, written: set[str]) -> str:
    """Name the point of an acknowledgement; that of something that came again, and changed nothing, is none."""
    for stream, (point, record) in ACKED.items():
        if f".{stream}." in subject and record in written:
            written.remove(record)
            return point
    return ""


def _around_the_last_hop(trap: Trap) -> None:
    from gpt_trader.risk_gate.adapters.venue_link import Answer, VenueLink  # noqa: PLC0415 - of this service alone

    send = VenueLink.send

    async def crashing(self: VenueLink, method: str, path: str, *words: Any, **named: Any) -> Answer:
        is_create = method == "POST" and path == CREATE
        if is_create:
            trap.reached("risk_gate.request_sent.before")
        answer = await send(self, method, path, *words, **named)
        if is_create:
            trap.reached("risk_gate.answer_received.after")
        return answer

    VenueLink.send = crashing  # type: ignore[method-assign]


def _around_the_client(trap: Trap) -> None:
    from gpt_trader.executor.adapters.egress_client import EgressClient  # noqa: PLC0415 - of this service alone

    post = EgressClient.post

    def crashing(self: EgressClient, url_path: str, *words: Any, **named: Any) -> Any:
        if url_path == CREATE:
            trap.reached("executor.request_sent.before")
        answer = post(self, url_path, *words, **named)
        if url_path == CREATE:
            trap.reached("executor.answer_received.after")
        return answer

    EgressClient.post = crashing


def _around_venue(trap: Trap) -> None:
    from gpt_trader.exchange_sim.domain.venue import Venue  # noqa: PLC0415 - of this service alone

    create: Callable[..., Any] = Venue.create

    def crashing(self: Venue, *words: Any) -> Any:
        trap.reached("venue.venue_accepted.before")
        outcome = create(self, *words)
        trap.reached("venue.venue_accepted.after")
        return outcome

    Venue.create = crashing  # type: ignore[method-assign]
