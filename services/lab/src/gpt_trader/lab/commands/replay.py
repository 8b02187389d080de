"""`lab replay`: the proof that a recorded run repeats."""

import argparse
import sys
from contextlib import ExitStack
from enum import IntEnum
from pathlib import Path

from gpt_trader.lab.adapters import report, twin
from gpt_trader.lab.commands.options import UNREADABLE, Commands, add_shared
from gpt_trader.lab.service import Run, Timed, replayed
from gpt_trader.runtime.clock import SystemClock

_ABOUT = """\
Fold what a run recorded again and prove that the same inputs give the same run:

  strategy   <run-dir>/strategy/record/strategy.jsonl      every input of the strategies -> their signals
  risk-gate  <run-dir>/risk-gate/journal/gate.jsonl        those signals and all other inputs -> decisions, intents,
                                                           consequences, and the head of the hash chain
  executor   <run-dir>/executor/journal/executor.journal   intents and what the venue said -> what the gate was told

The strategies are the installed ones of the recorded names. Stop the run first: while it goes on, its last records
may differ because one service has written them and another has not.
"""
_EXITS = f"""\
exit code:
  0  everything is equal
  1  something diverged; the first diverging record of each service is named, with its fields
  {UNREADABLE}  a file is missing or corrupt; file, line and reason are named (a torn last line is left out and said)

examples:
  lab replay --run-dir var/run
  lab replay --run-dir var/run --twice          # catches decisions that depend on clock, time zone or hash order
  lab replay --run-dir var/run --json | jq .is_equal
"""


class Exit(IntEnum):
    """What a script learns from the exit code of a replay that came to its end."""

    EQUAL = 0
    DIVERGED = 1


def add_to(commands: Commands) -> None:
    """Offer the command."""
    raw = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser(
        "replay", help="prove that a recorded run repeats", description=_ABOUT, epilog=_EXITS, formatter_class=raw
    )
    add_shared(command)
    command.add_argument(
        "--twice",
        action="store_true",
        help="also replay in a second interpreter with another hash seed and time zone, and compare",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Replay, print the result and return the exit code; raises Unreadable."""
    results, impure = _replayed(options.run_dir, twice=options.twice)
    write = report.as_json if options.json else report.as_text
    sys.stdout.write(write(results, impure))
    is_equal = all(one.comparison.is_equal for one in results) and not impure
    return Exit.EQUAL if is_equal else Exit.DIVERGED


def _replayed(run_dir: Path, *, twice: bool) -> tuple[tuple[Timed, ...], tuple[str, ...]]:
    """Replay once or twice; the second value names services whose replays differ."""
    with ExitStack() as stack:
        recorded = Run.opened(run_dir)
        other = stack.enter_context(twin.begun(run_dir)) if twice else None
        results = replayed(recorded, recorded.recording.strategies(), SystemClock())
        if other is None:
            return results, ()
        found = other.fingerprints()
    own = {one.comparison.service: one.comparison.fingerprint for one in results}
    return results, tuple(service for service, fingerprint in own.items() if found[service] != fingerprint)
