"""A real market day through the running system under several policies: verdicts by check, money, exposure, breakers.

    make real-day ARGS="--day 2017-09-04 --profiles canary,prod,spot"

Exposure, profit and frequency are recomputed from the venue's books alone and compared with the gate's to the cent.
Needs the recorded data (`--data`). Each profile is a run of its own: all processes, the day on a fast clock. Limits
that stand for the travel time of a message are stretched by the clock's rate, for a fast clock shortens real seconds;
everything else is the shipped policy to the letter.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from findings import Day, found, tables

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "e2e"), str(HERE.parent / "independent")]

from against_run import against  # noqa: E402 - lives beside its test
from harness import TRADER, system  # noqa: E402 - lives beside the end-to-end tests

from gpt_trader.console.stack.policies import shipped_policy  # noqa: E402 - as above

DATA = HERE.parents[2] / "shared" / "data" / "coinbase" / "minute"
TRAVEL_TIMES = (("approvals", "expiry_seconds"), ("approvals", "max_clock_offset_seconds"))
WARM_UP_HOURS = 0.5


def main() -> int:
    """Run each profile, print the tables, write everything as JSON; exit code 1 if a run broke."""
    options = _options()
    days: list[Day] = []
    for profile in options.profiles.split(","):
        print(f"--- {profile}: {options.day}, {options.hours:g} h at {options.rate}x", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            days.append(_day(profile, Path(folder), options))
    print(tables(days))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps([day.document() for day in days], indent=2, default=str) + "\n")
    print(f"written to {options.out}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--day", default="2017-09-04", help="UTC date with recorded quotes and trades")
    parser.add_argument("--products", default="BTC-USD", help="separated by commas")
    parser.add_argument("--profiles", default="canary,prod,spot", help="shipped policies, separated by commas")
    parser.add_argument("--rate", type=int, default=240, help="trading seconds per second")
    parser.add_argument("--hours", type=float, default=23.0, help="how much of the day")
    parser.add_argument(
        "--set", action="append", default=[], metavar="PROFILE.SECTION.KEY=NUMBER", help="change a limit of a profile"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="folder with PRODUCT/DAY.{quotes,trades}.csv.gz")
    parser.add_argument("--out", type=Path, default=Path("var/real-day.json"), help="where the figures go")
    options = parser.parse_args()
    if not options.data.exists():
        parser.error(f"--data {options.data}: there is no recorded market data")
    return options


def _day(profile: str, folder: Path, options: argparse.Namespace) -> Day:
    policy = _policy(profile, options, folder)
    files = [
        str(options.data / product / f"{options.day}.{kind}.csv.gz")
        for product in options.products.split(",")
        for kind in ("trades", "quotes")
    ]
    words = {
        "--products": options.products,
        "--start": f"{options.day}T00:20:00",
        "--rate": str(options.rate),
        "--policy": str(policy),
    }
    argv = [word for pair in words.items() for word in pair]
    with system(folder, *argv, *(word for file in files for word in ("--replay", file))) as running:
        time.sleep(options.hours * 3600 / options.rate)
        day = found(profile, running, yaml.safe_load(policy.read_text()))
        day.recomputed = list(against(running.run_dir).report())
    day.rejudged = _rejudged(policy, folder)
    return day


def _policy(profile: str, options: argparse.Namespace, folder: Path) -> Path:
    document: dict[str, Any] = yaml.safe_load(shipped_policy(profile).read_text())
    for section, key in TRAVEL_TIMES:
        document[section][key] *= options.rate
    for change in options.set:
        path, _, number = change.partition("=")
        name, section, key = path.split(".")
        if name == profile:
            document[section][key] = float(number)
    return _written(document, folder / "policy.yaml")


def _rejudged(policy: Path, folder: Path) -> dict[str, Any]:
    """Judge the day's decisions once more with half the daily loss limit."""
    document = yaml.safe_load(policy.read_text())
    for key in [key for key in document["limits"] if key.startswith("daily_loss")]:
        document["limits"][key] /= 2
    half = _written(document, folder / "half.yaml")
    argv = [str(TRADER), "rejudge", "--policy", str(half), "--run-dir", str(folder / "run"), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {"refused": done.stderr}


def _written(document: dict[str, Any], path: Path) -> Path:
    path.write_text(yaml.safe_dump(document))
    return path


if __name__ == "__main__":
    sys.exit(main())
