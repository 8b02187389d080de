"""The crash matrix as data: who is killed where, and how the order must end. docs/orders.md shows the same table."""

from dataclasses import dataclass

FILLED = "filled"
ABSENT = "failed: absent_at_venue"
EXPIRED = "failed: expired"
RESTRICTED = "failed: trading_state"
DENIED = "denied"
"""The signal came again while the gate was still starting, and was judged anew."""
VOID = "void"
"""Approved in the gate's journal, never on the bus: nobody was ever told to send it."""
GATE, EXECUTOR, BUS = "risk-gate", "executor", "nats"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One way to die: `place` is where the trap is set (crash_points.py), `endings` what the order may become."""

    victim: str
    point: str
    when: str
    place: str
    endings: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.victim}, {self.when} {self.point}"


def _pair(victim: str, point: str, spot: str, before: str, after: str) -> tuple[Cell, Cell]:
    return _one(victim, point, "before", f"{spot}.before", before), _one(victim, point, "after", f"{spot}.after", after)


def _one(victim: str, point: str, when: str, place: str, *endings: str) -> Cell:
    return Cell(victim=victim, point=point, when=when, place=place, endings=frozenset(endings))


VENUE = "venue.venue_accepted"
CELLS = (
    _one(GATE, "approval journaled", "before", "risk_gate.approval_journaled.before", FILLED, DENIED),
    _one(GATE, "approval journaled", "after", "risk_gate.approval_journaled.after", VOID),
    *_pair(GATE, "approval published", "risk_gate.approval_published", VOID, ABSENT),
    *_pair(GATE, "permit logged", "risk_gate.permit_logged", ABSENT, ABSENT),
    _one(GATE, "request sent", "before", "risk_gate.request_sent.before", ABSENT),
    _one(GATE, "request sent", "after", f"{VENUE}.before", FILLED),
    _one(GATE, "venue accepted", "after", f"{VENUE}.after", FILLED),
    _one(GATE, "answer received", "after", "risk_gate.answer_received.after", FILLED),
    _one(GATE, "outcome journaled", "after", "risk_gate.outcome_journaled.after", FILLED),
    *_pair(GATE, "fill counted", "risk_gate.fill_counted", FILLED, FILLED),
    *_pair(GATE, "end counted", "risk_gate.end_counted", FILLED, FILLED),
    _one(GATE, "signal acked", "before", "risk_gate.signal_acked.before", FILLED, ABSENT),
    _one(GATE, "signal acked", "after", "risk_gate.signal_acked.after", FILLED, ABSENT),
    *_pair(GATE, "fill acked", "risk_gate.fill_acked", FILLED, FILLED),
    *_pair(GATE, "end acked", "risk_gate.end_acked", FILLED, FILLED),
    _one(EXECUTOR, "intent taken", "before", "executor.intent_taken.before", FILLED, EXPIRED, ABSENT),
    _one(EXECUTOR, "intent taken", "after", "executor.submitting_recorded.before", FILLED, EXPIRED),
    _one(EXECUTOR, "submitting recorded", "after", "executor.submitting_recorded.after", ABSENT),
    _one(EXECUTOR, "request sent", "before", "executor.request_sent.before", ABSENT),
    _one(EXECUTOR, "request sent", "after", "risk_gate.permit_logged.before", FILLED),
    _one(EXECUTOR, "permit logged", "after", "risk_gate.permit_logged.after", FILLED),
    _one(EXECUTOR, "venue accepted", "before", f"{VENUE}.before", FILLED),
    _one(EXECUTOR, "venue accepted", "after", f"{VENUE}.after", FILLED),
    _one(EXECUTOR, "answer received", "after", "executor.answer_received.after", FILLED),
    _one(EXECUTOR, "outcome journaled", "after", "executor.outcome_journaled.after", FILLED),
    *_pair(EXECUTOR, "fill received", "executor.fill_received", FILLED, FILLED),
    *_pair(EXECUTOR, "fill published", "executor.fill_published", FILLED, FILLED),
    *_pair(EXECUTOR, "event published", "executor.event_published", FILLED, FILLED),
    _one(EXECUTOR, "acked", "before", "executor.acked.before", ABSENT),
    _one(EXECUTOR, "acked", "after", "executor.acked.after", FILLED, ABSENT),
    _one(BUS, "approval published", "before", "risk_gate.approval_published.before", VOID, FILLED, RESTRICTED),
    _one(BUS, "approval published", "after", "risk_gate.approval_published.after", FILLED, ABSENT, EXPIRED, RESTRICTED),
    *_pair(BUS, "fill published", "executor.fill_published", FILLED, FILLED),
    *_pair(BUS, "event published", "executor.event_published", FILLED, FILLED),
    _one(BUS, "acked", "before", "executor.acked.before", FILLED, ABSENT, RESTRICTED),
    _one(BUS, "acked", "after", "executor.acked.after", FILLED, ABSENT, RESTRICTED),
)
_SAME = "as after the row above"


def table() -> str:
    """Show the matrix as docs/orders.md does: a moment that two rows share is named once."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for cell in CELLS:
        endings = " or ".join(sorted(f"`{one}`" for one in cell.endings))
        rows.setdefault((cell.victim, cell.point), {})[cell.when] = endings
    lines = ["| killed | point | just before it | just after it |", "|---|---|---|---|"]
    for (victim, point), seen in rows.items():
        lines.append(f"| {victim} | {point} | {seen.get('before', _SAME)} | {seen['after']} |")
    return "\n".join(lines) + "\n"
