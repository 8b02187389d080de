"""The lab's commands: `python -m gpt_trader.lab replay --run-dir var/run`; `… worker` is its one service."""

import argparse
import sys

from gpt_trader.lab.commands import rejudge, replay, storm
from gpt_trader.lab.commands.options import UNREADABLE
from gpt_trader.lab.commands.submitting import BusUnusable
from gpt_trader.lab.ports import Unreadable
from gpt_trader.lab.queue import worker
from gpt_trader.lab.settings import LabSettings
from gpt_trader.runtime.settings import load

_ABOUT = "Runs the decisions of all services again, in one process, on the times they were made at."
_WORKER = "worker"


def main() -> None:
    """Run one command and exit with what it found."""
    if sys.argv[1:2] == [_WORKER]:
        sys.exit(worker.run(load(LabSettings, service=worker.SERVICE, argv=sys.argv[2:])))
    parser = argparse.ArgumentParser(prog="lab", description=_ABOUT)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (replay, rejudge, storm):
        command.add_to(commands)
    commands.add_parser(_WORKER, help="run what `lab storm --on-bus` puts into the queue, until SIGTERM")
    options = parser.parse_args()
    try:
        code = options.run(options)
    except (Unreadable, BusUnusable) as error:
        sys.stderr.write(f"lab {options.command}: {error}\n")
        code = UNREADABLE
    sys.exit(code)


if __name__ == "__main__":
    main()
