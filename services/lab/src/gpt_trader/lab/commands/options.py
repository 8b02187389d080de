"""What all commands share."""

import argparse
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name

UNREADABLE = 2
"""Exit code for input that can't be used, as argparse's own for bad options."""


def add_shared(command: argparse.ArgumentParser) -> None:
    """Add the options that every command has."""
    command.add_argument(
        "--run-dir", type=Path, default=Path("var/run"), metavar="DIR", help="folder of the run (default: var/run)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
