"""The lab's commands: `python -m gpt_trader.lab replay --run-dir var/run`."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from enum import IntEnum
from pathlib import Path

from gpt_trader.lab.adapters import report, twin
from gpt_trader.lab.ports import Unreadable
from gpt_trader.lab.service import Run, Timed, replayed
from gpt_trader.runtime.clock import SystemClock

_ABOUT = "Runs the decisions of all services again, in one process, on the times they were made at."
_REPLAY = """\
Fold what a run recorded again and prove that the same inputs give the same run:

  strategy   <run-dir>/strategy/record/strategy.jsonl      every input of the strategies -> their signals
  risk-gate  <run-dir>/risk-gate/journal/gate.jsonl        those signals and all other inputs -> decisions, intents,
                                                           consequences, and the head of the hash chain
  executor   <run-dir>/executor/journal/executor.journal   intents and what the venue said -> what the gate was told

The strategies are the installed ones of the recorded names. Stop the run first: while it goes on, its last records
may differ because one service has written them and another has not.
"""
_EXITS = """\
exit code:
  0  everything is equal
  1  something diverged; the first diverging record of each service is named, with its fields
  2  a file is missing or corrupt; file, line and reason are named (a torn last line is left out and said)

examples:
  lab replay --run-dir var/run
  lab replay --run-dir var/run --twice          # catches decisions that depend on clock, time zone or hash order
  lab replay --run-dir var/run --json | jq .is_equal
"""


class Exit(IntEnum):
    """What a script learns from the exit code."""

    EQUAL = 0
    DIVERGED = 1
    UNREADABLE = 2


def main() -> None:
    """Run one command and exit with what it found."""
    options = _parsed(sys.argv[1:])
    try:
        results, impure = _replayed(options.run_dir, twice=options.twice)
    except Unreadable as error:
        sys.stderr.write(f"lab replay: {error}\n")
        sys.exit(Exit.UNREADABLE)
    write = report.as_json if options.json else report.as_text
    sys.stdout.write(write(results, impure))
    is_equal = all(one.comparison.is_equal for one in results) and not impure
    sys.exit(Exit.EQUAL if is_equal else Exit.DIVERGED)


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="lab", description=_ABOUT, epilog=_EXITS, formatter_class=raw)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "replay", help="prove that a recorded run repeats", description=_REPLAY, epilog=_EXITS, formatter_class=raw
    )
    command.add_argument(
        "--run-dir", type=Path, default=Path("var/run"), metavar="DIR", help="folder of the run (default: var/run)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    command.add_argument(
        "--twice",
        action="store_true",
        help="also replay in a second interpreter with another hash seed and time zone, and compare",
    )
    return parser.parse_args(argv)


def _replayed(run_dir: Path, *, twice: bool) -> tuple[tuple[Timed, ...], tuple[str, ...]]:
    """Replay once or twice; the second value names services whose replays differ."""
    with ExitStack() as stack:
        run = Run.opened(run_dir)
        other = stack.enter_context(twin.begun(run_dir)) if twice else None
        results = replayed(run, run.recording.strategies(), SystemClock())
        if other is None:
            return results, ()
        found = other.fingerprints()
    own = {one.comparison.service: one.comparison.fingerprint for one in results}
    return results, tuple(service for service, fingerprint in own.items() if found[service] != fingerprint)


if __name__ == "__main__":
    main()
