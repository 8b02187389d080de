"""`lab rejudge`: what another policy would have said to what really was asked."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from gpt_trader.lab.adapters import verdict_report
from gpt_trader.lab.commands.options import UNREADABLE, Commands, add_shared
from gpt_trader.lab.rejudging import Span, rejudgement
from gpt_trader.risk_gate.settings import load_policy

_ABOUT = f"""\
Review the recorded decisions of a run under another policy and print what changes: counts, checks, each changed
decision, and the money it would have meant.

{verdict_report.MEANING}
Limits that act outside of a verdict (escalation, approvals, flatten, reconcile, stale pauses) show no change; if the
two policies differ in them, the result says so.

  decisions and fills  <run-dir>/risk-gate/journal/gate.jsonl
  newly approved       <run-dir>/learning/store; without it their money is unknown
"""
_EXITS = f"""\
exit code:
  0  judged, whether anything changed or not
  {UNREADABLE}  a file or an option can't be used; file, field or line, and reason are named

examples:
  lab rejudge --policy tighter.yaml
  lab rejudge --policy tighter.yaml --from 2026-03-02 --to 2026-03-03T12:00:00Z
  lab rejudge --policy tighter.yaml --json | jq .money.all.difference
"""


def add_to(commands: Commands) -> None:
    """Offer the command."""
    raw = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser(
        "rejudge", help="review a run under another policy", description=_ABOUT, epilog=_EXITS, formatter_class=raw
    )
    add_shared(command)
    command.add_argument("--policy", type=Path, required=True, metavar="FILE", help="YAML file with every limit")
    command.add_argument(
        "--from", dest="start", type=_moment, metavar="ISO", help="first time, included; without an offset it is UTC"
    )
    command.add_argument("--to", dest="end", type=_moment, metavar="ISO", help="last time, not included")
    command.set_defaults(run=lambda options: run(command, options))


def run(command: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    """Judge, print the result and return the exit code; raises Unreadable."""
    if options.start is not None and options.end is not None and options.start >= options.end:
        command.error(f"argument --to: {options.end.isoformat()} is not after --from {options.start.isoformat()}")
    policy = load_policy(options.policy)
    found = rejudgement(options.run_dir, policy, Span(start=options.start, end=options.end))
    write = verdict_report.as_json if options.json else verdict_report.as_text
    sys.stdout.write(write(found))
    return 0


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 time such as 2026-03-02T09:00:00Z") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
