"""The strategies' part: recorded inputs folded again, and their signals held against those the gate decided on."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.message import GENESIS_HASH, Message, canonical
from gpt_trader.contracts.signals import Signal
from gpt_trader.lab.domain.comparison import Comparison, Divergence, Findings, chained, differences, ids
from gpt_trader.strategy.domain.replay import RecordedInput, replay
from gpt_trader.strategy.domain.setup import Strategies

SERVICE = "strategy"


@dataclass(slots=True, kw_only=True)
class Signals:
    """What the strategies said, each signal in every version of it: a restart may ask again in other words."""

    outputs: int = 0
    fingerprint: str = GENESIS_HASH
    by_id: dict[SignalId, list[Signal]] = field(default_factory=dict)
    _decided: set[SignalId] = field(default_factory=set)
    _last_decided_at: datetime | None = None
    _findings: Findings = field(default_factory=Findings)
    _recorded: str = GENESIS_HASH
    _replayed: str = GENESIS_HASH
    _compared: int = 0

    def taken(self, recorded: Signal, decided_at: datetime) -> Signal:
        """Return the replayed signal that the gate decided on; where there is none, note it and return the recorded."""
        self._compared += 1
        self._decided.add(recorded.signal_id)
        self._last_decided_at = decided_at
        content = canonical(recorded)
        self._recorded = chained(self._recorded, content)
        produced = self.by_id.get(recorded.signal_id, [])
        match = next((signal for signal in produced if canonical(signal) == content), None)
        if match is None:
            self._findings.add(_divergence(recorded, produced))
            self._replayed = chained(self._replayed, canonical(produced[-1]) if produced else b"")
            return recorded
        self._replayed = chained(self._replayed, content)
        return match

    def compared(self, inputs: int, notes: Iterable[str]) -> Comparison:
        """Conclude, once the gate's decisions were gone through."""
        waiting = [versions[0] for signal_id, versions in self.by_id.items() if signal_id not in self._decided]
        passed_over = [signal for signal in waiting if self._is_passed_over(signal)]
        for signal in passed_over:
            self._findings.add(_undecided(signal))
        unreached = len(waiting) - len(passed_over)
        said = (*notes, f"{unreached} signals at the end never reached the gate") if unreached else tuple(notes)
        return Comparison(
            service=SERVICE,
            inputs=inputs,
            outputs=self.outputs,
            compared=self._compared,
            diverged=self._findings.count,
            first=self._findings.first,
            recorded_hash=self._recorded,
            replayed_hash=self._replayed,
            fingerprint=self.fingerprint,
            notes=said,
        )

    def _is_passed_over(self, signal: Signal) -> bool:
        """Whether the gate was still deciding when this signal's life was over: it can't have been on its way."""
        return self._last_decided_at is not None and signal.expires_at < self._last_decided_at


def folded(lines: Iterable[RecordedInput], strategies: Strategies) -> Signals:
    """Fold a recording; raises ValueError for lines that are no inputs."""
    found = Signals()
    for output in replay(lines, strategies):
        found.outputs += 1
        content = output.encode() if isinstance(output, Message) else canonical(output)
        found.fingerprint = chained(found.fingerprint, content)
        if isinstance(output, Signal):
            found.by_id.setdefault(output.signal_id, []).append(output)
    return found


def _divergence(recorded: Signal, produced: list[Signal]) -> Divergence:
    before = recorded.model_dump(mode="json")
    place = f"{recorded.strategy} on {recorded.product} at {recorded.created_at.isoformat()}"
    if not produced:
        reason = "the gate decided on a signal that the replayed strategy does not produce"
        return Divergence(place=place, ids=ids(before), reason=reason)
    after = produced[-1].model_dump(mode="json")
    reason = "the replayed strategy produces another signal than the one the gate decided on"
    return Divergence(place=place, ids=ids(before), reason=reason, differences=differences(before, after))


def _undecided(signal: Signal) -> Divergence:
    return Divergence(
        place=f"{signal.strategy} on {signal.product} at {signal.created_at.isoformat()}",
        ids=ids(signal.model_dump(mode="json")),
        reason="the replayed strategy produces a signal on which the gate never decided, though it decided later ones",
    )
