"""Chaos: real processes, orders flowing, faults from one seed; at the end venue, books and logs must agree.

    make chaos ARGS="--minutes 30 --seed 7"

Prints a line per fault and writes var/chaos.json. Exit code 1 with the differences, the seed and the schedule if
anything does not agree. The run's folder is kept (var/chaos).
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parent / "scenarios")]

from course import chaos  # noqa: E402 - it stands on the harnesses beside this folder
from nursery import Nurseries  # noqa: E402 - as above


def main() -> int:
    """Run once, print and write what was found; Ctrl-C ends it early, and judges what was."""
    options = _options()
    nurseries = Nurseries()
    seconds = options.seconds or options.minutes * 60
    try:
        outcome = chaos(options.dir, nurseries, options.seed, seconds, may_mount=not options.no_mount, say=told)
    finally:
        nurseries.close()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(outcome.document, indent=2, default=str) + "\n")
    for name, value in outcome.figures.items():
        print(f"{name}: {value}")
    print(f"faults: {sum(outcome.faults.values())}: {dict(sorted(outcome.faults.items()))}")
    if outcome.differences:
        print(f"\nNOT in agreement, seed {outcome.seed}:", *outcome.differences, sep="\n  ")
        print("schedule:", *outcome.schedule, sep="\n  ")
    print(f"{'FAILED' if outcome.differences else 'in agreement'}; {options.out}, folder {options.dir}")
    return 1 if outcome.differences else 0


def told(line: str) -> None:
    """Show a line at once, also in a file."""
    print(line, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5, help="how long faults come (default 5)")
    parser.add_argument("--seconds", type=float, help="the same in seconds")
    parser.add_argument("--seed", type=int, default=7, help="seed of schedule and orders (default 7)")
    parser.add_argument("--no-mount", action="store_true", help="fill disks by a limit on files, not by a small tmpfs")
    parser.add_argument("--dir", type=Path, default=Path("var/chaos").resolve(), help="folder of the run, kept")
    parser.add_argument("--out", type=Path, default=Path("var/chaos.json"), help="where the summary goes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
