"""The lab's commands: `python -m gpt_trader.lab replay --run-dir var/run`."""

import argparse
import sys

from gpt_trader.lab.commands import rejudge, replay, storm
from gpt_trader.lab.commands.options import UNREADABLE
from gpt_trader.lab.ports import Unreadable

_ABOUT = "Runs the decisions of all services again, in one process, on the times they were made at."


def main() -> None:
    """Run one command and exit with what it found."""
    parser = argparse.ArgumentParser(prog="lab", description=_ABOUT)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in (replay, rejudge, storm):
        command.add_to(commands)
    options = parser.parse_args()
    try:
        code = options.run(options)
    except Unreadable as error:
        sys.stderr.write(f"lab {options.command}: {error}\n")
        code = UNREADABLE
    sys.exit(code)


if __name__ == "__main__":
    main()
