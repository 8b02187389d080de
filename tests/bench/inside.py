"""(f) How long a decision takes inside the running gate: 200 signals a second, 50 products, 100 orders open.

Real processes: bus, state store, venue, market-data, executor, gate. The intervals are the gate's own, written into the
log with each decision, in real time (so that they say as much about the machine's other work as about the gate's):

* received -> on disk: from the moment when a decoded signal is handed over to the moment when its decision, gathered,
  sized, checked, sealed and written, has been fsynced. It is queued for the bus in the same moment.
* the same, disk not counted: less what the fsync alone took.
* stored -> on disk: from the time at which the bus stored the signal; so it has the bus's delivery in it, and the
  signals, ticks, sweeps and publications that the gate's one thread had to do first.

`cpu` is what the gate spent per decision meanwhile, on everything: ticks, sweeps, publications, acknowledgements.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import orjson
import psutil
from report import Spread, spread
from stand import TERMS, Stand, close_stand, is_approved, open_stand
from system import GATE, last_words, until

from gpt_trader.contracts import subjects
from gpt_trader.contracts.signals import Action
from gpt_trader.contracts.subjects import Zone

PRODUCTS = tuple(f"C{number:02d}-USD" for number in range(50))
_ORDERS = 100
"""Orders that stay open."""
RATE = 200
"""Signals per second of the goal."""
_TOO_OLD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; `decisions` were made in `seconds`, each at the cost of `cpu` milliseconds of processor."""

    decisions: int
    seconds: float
    open_orders: int
    cpu: float
    with_disk: Spread
    without_disk: Spread
    since_stored: Spread


def latency(folder: Path, seconds: float, *, is_apart: bool = False) -> Latency:
    """Open a hundred orders that the venue leaves pending, then flood the gate with signals that one check denies.

    `is_apart` = the gate has a core to itself, as a node's static CPU policy gives one to a pod that asks for it.
    """
    terms = replace(
        TERMS, tiers=dict.fromkeys(PRODUCTS, "T1"), ticks_per_second=50, intervals=("1m",), ready_seconds=120
    )
    stand = open_stand(folder, terms)
    try:
        stand.with_policy(
            limits={"max_open_orders": 1000, "max_order_notional": "100"},
            sizing={"max_entry_notional": "50"},
        )
        stand.delays(pending_ms=3_600_000)
        for product in PRODUCTS:
            until(partial(_is_entered, stand, product), f"an order open on {product}", 60)
        until(partial(_are_open, stand, cycle(PRODUCTS)), f"{_ORDERS} orders open", 120)
        opened = len(stand.account().open_orders)
        before = len(_spent(stand))
        gate = psutil.Process(stand.system.children[GATE].pid)
        count = round(seconds * RATE)
        with _apart(gate) if is_apart else nullcontext():
            began, used = time.monotonic(), sum(gate.cpu_times()[:2])
            stand.hands.run(_flood(stand, count, RATE), seconds * 10 + 60)
            spent = time.monotonic() - began
            until(partial(_has_decided, stand, before + count), "all decisions", 120)
            used = sum(gate.cpu_times()[:2]) - used
        found = _spent(stand)[before:]
    finally:
        close_stand(stand)
    return Latency(
        decisions=count,
        seconds=spent,
        open_orders=opened,
        cpu=used / count * 1e3,
        with_disk=spread([one["took_ms"] for one in found]),
        without_disk=spread([one["took_ms"] - one["disk_ms"] for one in found]),
        since_stored=spread([one["waited_ms"] + one["took_ms"] for one in found]),
    )


def _are_open(stand: Stand, products: Iterator[str]) -> bool:
    """Enter once more while some are missing; not all at once, for their permits have a budget."""
    missing = _ORDERS - len(stand.account().open_orders)
    for _ in range(min(missing, 5)):
        stand.enter(next(products))
    return missing <= 0


@contextmanager
def _apart(gate: psutil.Process) -> Iterator[None]:
    """Keep the gate to the first core and everything else, this process too, to the others."""
    cores = sorted(os.sched_getaffinity(0))
    everything = (psutil.Process(), *psutil.Process().children(recursive=True))
    _keep_to({process: cores[:1] if process == gate else cores[1:] for process in everything})
    try:
        yield
    finally:
        _keep_to(dict.fromkeys(everything, cores))


def _keep_to(places: Mapping[psutil.Process, Sequence[int]]) -> None:
    for process, cores in places.items():
        for thread in process.threads():
            os.sched_setaffinity(thread.id, cores)


def _is_entered(stand: Stand, product: str) -> bool:
    """Try to enter; a gate that was just started may not have seen the market yet."""
    return is_approved(stand.enter(product))


async def _flood(stand: Stand, count: int, rate: int) -> None:
    """Send at an even pace whatever comes back."""
    strategy = stand.hands.bus(Zone.STRATEGY)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(count):
        product = PRODUCTS[number % len(PRODUCTS)]
        signal = stand.signal(Action.ENTER, product, age=_TOO_OLD, reference_price=Decimal(100 + number))
        await strategy.store(subjects.signals("trend", product), signal, message_id=f"flood-{number}")
        await asyncio.sleep(max(began + (number + 1) / rate - loop.time(), 0))


def _has_decided(stand: Stand, count: int) -> bool:
    gate = stand.system.children[GATE]
    assert gate.is_alive, f"the gate ended: {last_words(gate.log)}"
    return len(_spent(stand)) >= count


def _spent(stand: Stand) -> list[dict[str, Any]]:
    """Read from the gate's log what it says of each denial, its milliseconds among it."""
    lines = stand.system.children[GATE].log.read_bytes().splitlines()
    return [orjson.loads(line) for line in lines if b'"signal_denied"' in line]
