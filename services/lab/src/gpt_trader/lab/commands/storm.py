"""`lab storm`: thousands of schedules of faults against the real services, every one repeatable from its seed."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from enum import IntEnum
from pathlib import Path

from gpt_trader.lab.commands.options import Commands
from gpt_trader.lab.commands.submitting import submitted
from gpt_trader.lab.storm import report
from gpt_trader.lab.storm.campaign import Kind, Tally, campaign, prepare
from gpt_trader.lab.storm.protections import PROTECTIONS
from gpt_trader.lab.storm.report import Found
from gpt_trader.lab.storm.shrink import shrunk
from gpt_trader.lab.storm.storm import Outcome, run
from gpt_trader.runtime.clock import SystemClock

_ABOUT = """\
Run the real gate and executor on a simulated clock, bus, disk, state store and venue, and have a seed decide what goes
wrong: messages delayed, lost, repeated; connections cut; the bus restarted; acknowledgements forgotten; disks torn;
Redis flushed; the venue slow, silent, refusing, or taking an order it does not answer for; and processes that die at
any await and in any write. The invariants I1-I10, I12-I14 are checked on every event, and the books at the end.

A seed that breaks one is printed, repeats exactly, and is cut down to the few faults that it needs.
"""
_EXITS = """\
exit code:
  0    no invariant was broken; with --without: the missing protection was noticed
  1    an invariant was broken; with --without: nobody noticed
  2    --on-bus: the bus can't be used, and the message says why
  3    --on-bus: nothing was broken, but not every seed was run; which and why is printed
  130  interrupted; what was found until then is printed

examples:
  lab storm --seeds 10000 --jobs 2
  lab storm --seed 119 --trace                    # one schedule, event by event
  lab storm --without permit-once                 # until the first seed notices
  lab storm --seeds 1000 --json | jq .faults
  lab storm --seeds 500 --length 5                # fewer and longer: more of what takes many orders
  lab storm --seeds 100000 --on-bus --nats-url nats://127.0.0.1:4222 --nats-seed-file operator.nk

--on-bus puts the seeds into the queue from which `lab worker` processes take them, wherever they run, and prints the
same report. Interrupted, it takes back what nobody has begun; killed, its pieces are run all the same, or forgotten
after a day.

protections that --without can take away:
"""
_MOST_SEEDS = 1_000_000


class Exit(IntEnum):
    """What a script learns from the exit code."""

    HELD = 0
    BROKEN = 1
    INCOMPLETE = 3
    INTERRUPTED = 130


def add_to(commands: Commands) -> None:
    """Offer the command."""
    raw = argparse.RawDescriptionHelpFormatter
    named = "".join(f"  {one.name:<20} {one.about}\n" for one in PROTECTIONS.values())
    command = commands.add_parser(
        "storm", help="fault storms against the real services", description=_ABOUT, epilog=_EXITS + named,
        formatter_class=raw,
    )  # fmt: skip
    command.add_argument("--seeds", type=_count, default=1000, metavar="N", help="how many seeds (default: 1000)")
    command.add_argument("--first", type=int, default=0, metavar="N", help="the first of them (default: 0)")
    command.add_argument("--jobs", type=_count, default=1, metavar="N", help="processes to share them (default: 1)")
    command.add_argument("--seed", type=int, metavar="N", help="run this one seed only")
    command.add_argument("--length", type=_count, default=1, metavar="N", help="so many times as long (default: 1)")
    command.add_argument("--trace", action="store_true", help="with --seed: print every event and fault")
    command.add_argument("--without", choices=sorted(PROTECTIONS), metavar="NAME", help="take a protection away")
    command.add_argument("--no-shrink", action="store_true", help="do not cut the first failure down")
    command.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    command.add_argument("--on-bus", action="store_true", help="have the workers on the bus run the seeds")
    command.add_argument(
        "--nats-url", default="nats://127.0.0.1:4222", metavar="URL", help="with --on-bus: its address"
    )
    command.add_argument("--nats-seed-file", type=Path, metavar="FILE", help="with --on-bus: the operator's nkey seed")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """Run, print, and return the exit code."""
    clock = SystemClock()
    began, kind = clock.wall(), Kind(without=options.without, length=options.length)
    tally, undone, is_interrupted = Tally(), tuple[str, ...](), False

    def told(so_far: Tally) -> bool:
        nonlocal tally
        tally = so_far
        _show(so_far, options, (clock.wall() - began).total_seconds())
        return not (options.without and so_far.failed)

    try:
        if options.seed is None:
            undone = _many(options, kind, told)
        else:
            tally.add([_traced(options, kind)])
    except KeyboardInterrupt:
        is_interrupted = True
    seconds = (clock.wall() - began).total_seconds()
    shortest = None
    if tally.failed and not options.no_shrink and not is_interrupted:
        first = tally.failed[0]
        shortest = shrunk(kind.plan(first.seed), first)
    found = Found(
        tally=tally, seconds=seconds, kind=kind, shortest=shortest, is_interrupted=is_interrupted, undone=undone
    )
    sys.stdout.write(report.as_json(found) if options.json else report.as_text(found))
    return _exit(found)


def _many(options: argparse.Namespace, kind: Kind, told: Callable[[Tally], bool]) -> tuple[str, ...]:
    """Run the seeds here or on the bus, and return what could not be run."""
    seeds = range(options.first, options.first + options.seeds)
    if options.on_bus:
        return submitted(options.nats_url, options.nats_seed_file, seeds, kind, told)
    campaign(seeds, options.jobs, kind, told)
    return ()


def _exit(found: Found) -> Exit:
    if found.is_interrupted:
        return Exit.INTERRUPTED
    is_broken = bool(found.tally.failed)
    if found.undone and not is_broken:
        return Exit.INCOMPLETE
    return Exit.BROKEN if is_broken == (found.kind.without is None) else Exit.HELD


def _traced(options: argparse.Namespace, kind: Kind) -> Outcome:
    prepare()
    return run(replace(kind.plan(options.seed), tell=_print if options.trace else None))


def _print(at: float, text: str) -> None:
    sys.stdout.write(f"{at:9.4f}  {text}\n")


def _show(tally: Tally, options: argparse.Namespace, seconds: float) -> None:
    """Say how far it is, where somebody watches."""
    if sys.stderr.isatty():
        speed = tally.seeds / seconds if seconds else 0.0
        end = "\n" if tally.seeds == options.seeds else ""
        sys.stderr.write(f"\r{tally.seeds}/{options.seeds} seeds, {speed:.0f}/s, {len(tally.failed)} broken {end}")
        sys.stderr.flush()


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_SEEDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {_MOST_SEEDS}")
    return int(text)
