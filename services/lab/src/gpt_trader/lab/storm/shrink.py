"""From a schedule that breaks an invariant to a short one that still does: delta debugging over its faults."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from gpt_trader.lab.storm.fate import Fault
from gpt_trader.lab.storm.storm import Outcome, Plan, run

MOST_RUNS = 150


def shrunk(plan: Plan, found: Outcome, most_runs: int = MOST_RUNS) -> Outcome:
    """Leave out faults as long as the same invariant breaks; every try is a run of the same seed."""
    invariant = found.violations[0].invariant
    best = found
    runs = 0

    def breaks(faults: Sequence[Fault]) -> bool:
        nonlocal best, runs
        runs += 1
        tried = run(replace(plan, only=frozenset(faults), tell=None))
        is_broken = any(one.invariant == invariant for one in tried.violations)
        best = tried if is_broken else best
        return is_broken

    _minimal(found.struck, breaks, lambda: runs < most_runs)
    return best


def _minimal(
    faults: Sequence[Fault], breaks: Callable[[Sequence[Fault]], bool], may_go_on: Callable[[], bool]
) -> Sequence[Fault]:
    """Drop ever smaller parts until no single fault can be left out (ddmin, by complements)."""
    parts = 2
    while faults and may_go_on():
        size = -(-len(faults) // parts)
        for start in range(0, len(faults), size):
            rest = [*faults[:start], *faults[start + size :]]
            if may_go_on() and breaks(rest):
                faults, parts = rest, max(parts - 1, 2)
                break
        else:
            if size == 1:
                return faults
            parts = min(2 * parts, len(faults))
    return faults
