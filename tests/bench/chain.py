"""(a) From the tick to the order at the venue, read afterwards from what the system itself recorded.

Start: the header `Origin-Ns`, the wall clock when market-data received the venue's message (for candles: when it
queued the closed candle). End: `accepted_at_ns`, the wall clock when the venue took the order. Exits are asked for by
ticks, entries by candles. Stages come from the bus server's storage times and from both journals; nothing is
instrumented.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import RunningSystem
from records import Scale, accepted_at, history, instant, journaled, ns
from report import spread

from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.intents import ApprovedIntent, SignedIntent
from gpt_trader.contracts.orders import OrderEvent
from gpt_trader.contracts.signals import Action, Signal
from gpt_trader.runtime.bus import Received

STAGES = (
    "market-data received",
    "strategy decided",
    "signal stored",
    "gate took it",
    "intent stored",
    "executor recorded it",
    "executor submits",
    "gate permits",
    "venue accepted",
)
PERMITTED = -2
"""The stage at which an order leaves us: what follows is the venue's share, and the venue of the bench is ours too."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One order's way; `at` are wall-clock nanoseconds per stage, None where a record is missing."""

    action: Action
    at: tuple[int | None, ...]

    def milliseconds(self, stage: int = -1) -> float | None:
        """From the first stage to this one; None if it was not recorded."""
        first, last = self.at[0], self.at[stage]
        return None if first is None or last is None else (last - first) / 1e6


@dataclass(frozen=True, slots=True)
class Measured:
    """All trips of a run, what never arrived, and how large the messages were."""

    trips: tuple[Trip, ...]
    approved: int
    denied: int
    lost: Mapping[str, int]
    sizes: Mapping[str, int]

    def of(self, action: Action, stage: int = -1) -> list[float]:
        """Latencies of the trips of one kind, up to a stage."""
        took = (trip.milliseconds(stage) for trip in self.trips if trip.action is action)
        return [one for one in took if one is not None]

    def breakdown(self, action: Action) -> list[tuple[str, float, float]]:
        """Each step's name with its p50 and p99."""
        found = []
        for number in range(1, len(STAGES)):
            took = [
                (trip.at[number] - trip.at[number - 1]) / 1e6  # type: ignore[operator]
                for trip in self.trips
                if trip.action is action and trip.at[number] is not None and trip.at[number - 1] is not None
            ]
            if took:
                passed = spread(took)
                found.append((f"{STAGES[number - 1]} -> {STAGES[number]}", passed.p50, passed.p99))
        return found


def measured(running: RunningSystem, since_ns: int) -> Measured:
    """Follow every approved order of a signal stored after `since_ns`."""
    signals = {Signal.decode(one.payload).signal_id: one for one in history(running, "SIGNALS", since_ns)}
    decisions = [Decision.decode(one.payload) for one in history(running, "DECISIONS", since_ns)]
    intents = history(running, "INTENTS", since_ns)
    accepted = accepted_at(running)
    scale = Scale.of(running.manifest.clock)
    gate = _journal(running.run_dir / "risk-gate", {"permit_logged"})
    executor = _journal(running.run_dir / "executor", {"submitting"})
    seen = {
        record["intent"]["client_order_id"]: record["at"]
        for record in journaled(running.run_dir / "executor", {"intent_seen"})
    }
    took_at = {decision.signal.signal_id: decision.decided_at for decision in decisions}
    reasons = {
        event.client_order_id: f"{event.status}: {event.reason}"
        for event in (OrderEvent.decode(one.payload) for one in history(running, "ORDERS", since_ns))
    }
    trips, approved = [], 0
    lost: Counter[str] = Counter()
    for received in intents:
        if not received.subject.startswith("intents.approved."):
            continue
        intent = ApprovedIntent.decode(SignedIntent.decode(received.payload).payload)
        stored = signals.get(intent.signal_id)
        if stored is None:
            continue
        approved += 1
        order = intent.client_order_id
        if order not in accepted:
            lost[reasons.get(order, "still under way")] += 1
            continue
        signal = Signal.decode(stored.payload)
        at = (
            int(stored.headers["Origin-Ns"]),
            scale.wall_ns(signal.created_at),
            ns(stored.stored_at),
            scale.wall_ns(took_at.get(intent.signal_id)),
            ns(received.stored_at),
            scale.wall_ns(instant(seen.get(order))),
            scale.wall_ns(instant(executor.get(order))),
            scale.wall_ns(instant(gate.get(order))),
            accepted[order],
        )
        trips.append(Trip(signal.action, at))
    denied = sum(decision.intent_id is None for decision in decisions)
    sizes = {"signal": _typical(signals.values()), "intent": _typical(intents)}
    return Measured(tuple(trips), approved, denied, lost, sizes)


def _journal(folder: Path, kinds: set[str]) -> dict[str, str]:
    """When a journal first says this of an order."""
    found: dict[str, str] = {}
    for record in journaled(folder, kinds):
        found.setdefault(record["client_order_id"], record["at"])
    return found


def _typical(messages: Iterable[Received]) -> int:
    sizes: Sequence[int] = sorted(len(one.payload) for one in messages)
    return sizes[len(sizes) // 2] if sizes else 0
