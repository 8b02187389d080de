"""One replay: the strategies' inputs first, then the gate's journal on their signals, then the executor's."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from gpt_trader.lab.adapters import journals, recordings
from gpt_trader.lab.adapters.journals import JournalFile
from gpt_trader.lab.adapters.reasons import reason_of
from gpt_trader.lab.adapters.recordings import Recording
from gpt_trader.lab.domain import strategy
from gpt_trader.lab.domain.comparison import Comparison
from gpt_trader.lab.domain.executor import ExecutorReplay, by_message_id
from gpt_trader.lab.domain.gate import GateReplay, Journaled
from gpt_trader.lab.domain.strategy import Signals
from gpt_trader.lab.ports import Unreadable
from gpt_trader.risk_gate.adapters.coinbase_bodies import CoinbaseBodies
from gpt_trader.runtime.clock import Clock
from gpt_trader.strategy.domain.setup import Strategies


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run left behind, opened in an order in which whatever causes was read after what it caused."""

    recording: Recording
    gate: JournalFile
    executor: JournalFile

    @classmethod
    def opened(cls, run_dir: Path) -> "Run":
        """Check every file; raises Unreadable."""
        gate = journals.opened(run_dir / "risk-gate" / "journal" / "gate.jsonl")
        executor = journals.opened(run_dir / "executor" / "journal" / "executor.journal")
        recording = recordings.opened(run_dir / "strategy" / "record" / "strategy.jsonl")
        return cls(recording=recording, gate=gate, executor=executor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A comparison and the real time that its replay took."""

    comparison: Comparison
    seconds: float

    @property
    def inputs_per_second(self) -> float:
        """Speed of the replay; reading and checking included."""
        return self.comparison.inputs / self.seconds if self.seconds else 0.0


def replayed(run: Run, strategies: Strategies, clock: Clock) -> tuple[Timed, ...]:
    """Replay a run with these strategies; raises Unreadable."""
    began = clock.wall()
    signals = _signals(run.recording, strategies)
    folded = clock.wall()
    gate = GateReplay(signals=signals, spelling=CoinbaseBodies())
    _each(run.gate, gate.take)
    judged = clock.wall()
    executor = ExecutorReplay(intents=gate.intents, received=by_message_id(gate.reports))
    _each(run.executor, executor.take)
    ended = clock.wall()
    return (
        Timed(
            comparison=signals.compared(run.recording.lines, run.recording.notes()),
            seconds=(folded - began).total_seconds(),
        ),
        Timed(comparison=gate.compared(run.gate.notes()), seconds=(judged - folded).total_seconds()),
        Timed(comparison=executor.compared(run.executor.notes()), seconds=(ended - judged).total_seconds()),
    )


def _signals(recording: Recording, strategies: Strategies) -> Signals:
    try:
        return strategy.folded(recording.inputs(), strategies)
    except ValueError as error:
        raise Unreadable(recording.path, recording.line, reason_of(error)) from error


def _each(journal: JournalFile, take: Callable[[Journaled], None]) -> None:
    for entry in journal.entries():
        try:
            take(entry)
        except ValidationError as error:
            raise Unreadable(journal.path, entry.sequence, reason_of(error)) from error
