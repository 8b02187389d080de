"""(f) How long a decision takes inside the running gate: 200 signals a second, 50 products, 100 orders open.

Real processes: bus, state store, venue, market-data, executor, gate, all with the settings they are shipped with, and
one more for the flood: a signal each 5 ms, whatever comes back, on one product after the other. A signal that the bus
has not confirmed in time is counted, and the flood goes on. The first seconds are not counted.

Four intervals, in real time, so that they say as much about the machine's other work as about the gate's:

* received -> on disk: from the moment when a signal was taken from the socket, still encoded, to the moment when its
  decision, decoded, gathered, sized, checked, sealed and written, has been fsynced. It has in it what the gate's one
  thread had to do first: signals before it, ticks, sweeps, publications. It is queued for the bus in the same moment.
* the same, disk not counted: less what the fsync alone took.
* stored -> on disk: from the time at which the bus stored the signal.
* stored -> stored: to the time at which the bus stored the decision, for everybody to read; by the bus's clock alone.

`cpu` is what the gate spent per decision meanwhile, on everything: ticks, sweeps, publications, acknowledgements.
"""

import asyncio
import os
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import orjson
import psutil
from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from report import Spread, spread
from stand import TERMS, Hands, Seen, Stand, Terms, close_stand, is_approved, open_stand
from system import GATE, last_words, until

from gpt_trader.contracts import subjects
from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.signals import Action
from gpt_trader.contracts.subjects import Zone
from gpt_trader.market_data.settings import MarketDataSettings
from gpt_trader.risk_gate.settings import RiskGateSettings
from gpt_trader.runtime.bus import Bus, BusUnavailable, PublishUnknown

PRODUCTS = tuple(f"C{number:02d}-USD" for number in range(50))
_ORDERS = 100
"""Orders that stay open."""
RATE = 200
"""Signals per second of the goal."""
WARM_UP = 5
"""Seconds of the flood that are not counted: after them every product was decided on, and every cache is filled."""
_TOO_OLD = timedelta(minutes=5)
_TRIES = 5
_MOST_READ = 2000
"""Decisions that are read back from the bus: each is 13 kB."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; `decisions` were made in `seconds`, each at the cost of `cpu` milliseconds of processor.

    `late` is how far behind its pace the flood sent, at most; `unconfirmed` signals the bus did not confirm in time.
    `bus_messages` went through the bus each second, to it and from it.
    """

    decisions: int
    seconds: float
    late: float
    unconfirmed: int
    bus_messages: float
    open_orders: int
    cpu: float
    with_disk: Spread
    without_disk: Spread
    disk: Spread
    since_stored: Spread
    to_stored: Spread


@dataclass(slots=True)
class _Flood:
    """What became of it: how late each signal was sent, in seconds, and which the bus did not confirm."""

    late: list[float] = field(default_factory=list)
    unconfirmed: set[str] = field(default_factory=set)


class _Blind(Seen):
    """Reads nothing: whoever decodes the whole bus takes the processor from those that are measured."""

    async def follow(self, bus: Bus) -> None:
        """Subscribe to nothing."""


def latency(folder: Path, seconds: float, *, is_apart: bool = False) -> Latency:
    """Open a hundred orders that the venue leaves pending, then flood the gate with signals that one check denies.

    `is_apart` = the gate has a core to itself, as a node's static CPU policy gives one to a pod that asks for it.
    """
    stand = open_stand(folder, _terms())
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
        stand.hands.close()
        stand.hands = Hands(stand.system, stand.clock, _Blind())
        stand.hands.open()
        gate = psutil.Process(stand.system.children[GATE].pid)
        with _apart(gate) if is_apart else nullcontext():
            _flooded(stand, 0, WARM_UP * RATE)
            before, count = len(_spent(stand)), round(seconds * RATE)
            began, messages, used = time.monotonic(), _messages(stand), sum(gate.cpu_times()[:2])
            flood = _flooded(stand, WARM_UP * RATE, count)
            spent = time.monotonic() - began
            used, messages = sum(gate.cpu_times()[:2]) - used, _messages(stand) - messages
        found = _spent(stand)[before:]
        to_stored = stand.hands.run(_read_back(stand), 300)
    finally:
        close_stand(stand)
    return Latency(
        decisions=len(found),
        seconds=spent,
        late=max(flood.late) * 1e3,
        unconfirmed=len(flood.unconfirmed),
        bus_messages=messages / spent,
        open_orders=opened,
        cpu=used / len(found) * 1e3,
        with_disk=spread([one["took_ms"] for one in found]),
        without_disk=spread([one["took_ms"] - one["disk_ms"] for one in found]),
        disk=spread([one["disk_ms"] for one in found]),
        since_stored=spread([one["waited_ms"] + one["took_ms"] for one in found]),
        to_stored=spread(to_stored),
    )


def _terms() -> Terms:
    """Take back what a stand hurries for its tests: with 50 products it would be most of what the bus has to store."""
    settings = {
        "market-data": _as_shipped(MarketDataSettings, "book_every", "check_every", "catalogue_every"),
        GATE: _as_shipped(RiskGateSettings, "reconcile_seconds", "publish_seconds"),
    }
    return replace(
        TERMS,
        tiers=dict.fromkeys(PRODUCTS, "T1"),
        ticks_per_second=50,
        intervals=("1m",),
        ready_seconds=120,
        settings=settings,
    )


def _as_shipped(settings: type[BaseModel], *names: str) -> dict[str, Any]:
    return {name: to_jsonable_python(settings.model_fields[name].default) for name in names}


def _are_open(stand: Stand, products: Iterator[str]) -> bool:
    """Enter once more while some are missing; not all at once, for their permits have a budget."""
    missing = _ORDERS - len(stand.account().open_orders)
    for _ in range(min(missing, 5)):
        stand.enter(next(products))
    return missing <= 0


@contextmanager
def _apart(gate: psutil.Process) -> Iterator[None]:
    """Keep the gate to the first core and everything else, this process too, to the others.

    What else the machine does may run on that core only while the gate has nothing to do, where the system allows it.
    """
    cores = sorted(os.sched_getaffinity(0))
    everything = (psutil.Process(), *psutil.Process().children(recursive=True))
    _keep_to({process: cores[:1] if process == gate else cores[1:] for process in everything})
    _prefer(gate, os.SCHED_FIFO, 1)
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):  # one that ended is told of elsewhere
            _prefer(gate, os.SCHED_OTHER, 0)
            _keep_to(dict.fromkeys(everything, cores))


def _prefer(process: psutil.Process, policy: int, priority: int) -> None:
    for thread in process.threads():
        with suppress(PermissionError):
            os.sched_setscheduler(thread.id, policy, os.sched_param(priority))


def _keep_to(places: Mapping[psutil.Process, Sequence[int]]) -> None:
    for process, cores in places.items():
        for thread in process.threads():
            os.sched_setaffinity(thread.id, cores)


def _is_entered(stand: Stand, product: str) -> bool:
    """Try to enter; a gate that was just started may not have seen the market yet."""
    return is_approved(stand.enter(product))


def _flooded(stand: Stand, first: int, count: int) -> _Flood:
    """Send so many signals, and wait until all that the bus confirmed are decided."""
    flood, before = _Flood(), len(_spent(stand))
    stand.hands.run(_flood(stand, first, count, flood), count / RATE * 10 + 60)
    until(partial(_has_decided, stand, before + count - len(flood.unconfirmed)), "all decisions", 120)
    return flood


async def _flood(stand: Stand, first: int, count: int, flood: _Flood) -> None:
    """Send at an even pace whatever comes back: no signal waits for the one before it."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.TaskGroup() as sent:
        for number in range(first, first + count):
            due = began + (number - first) / RATE
            await asyncio.sleep(max(due - loop.time(), 0))
            flood.late.append(loop.time() - due)
            sent.create_task(_send(stand, number, flood))


async def _send(stand: Stand, number: int, flood: _Flood) -> None:
    product, name = PRODUCTS[number % len(PRODUCTS)], f"flood-{number}"
    price = Decimal(100 + number)
    fields = {"signal_id": SignalId(name), "age": _TOO_OLD, "reference_price": price}
    signal = stand.signal(Action.ENTER, product, **fields)
    try:
        await stand.hands.bus(Zone.STRATEGY).store(subjects.signals("trend", product), signal, message_id=name)
    except (PublishUnknown, BusUnavailable):
        flood.unconfirmed.add(name)


def _has_decided(stand: Stand, count: int) -> bool:
    gate = stand.system.children[GATE]
    assert gate.is_alive, f"the gate ended: {last_words(gate.log)}"
    time.sleep(0.5)  # the log is read from its beginning each time
    return len(_spent(stand)) >= count


def _spent(stand: Stand) -> list[dict[str, Any]]:
    """Read from the gate's log what it says of each denial of the flood, its milliseconds among it."""
    lines = stand.system.children[GATE].log.read_bytes().splitlines()
    return [orjson.loads(line) for line in lines if b'"signal_denied"' in line and b'"flood-' in line]


def _messages(stand: Stand) -> int:
    """Count what went through the bus since it was started."""
    with urllib.request.urlopen(f"http://127.0.0.1:{stand.system.ports.nats_monitor}/varz", timeout=5) as answer:
        found = orjson.loads(answer.read())
    return int(found["in_msgs"]) + int(found["out_msgs"])


async def _read_back(stand: Stand) -> list[float]:
    """Ask again what a busy machine did not answer in time: nothing is measured any more."""
    for _ in range(_TRIES):
        with suppress(BusUnavailable):
            return await _stored(stand)
        await asyncio.sleep(5)
    return await _stored(stand)


async def _stored(stand: Stand) -> list[float]:
    """Read back when the bus stored the last signals, and the decisions on them: milliseconds between the two."""
    operator = stand.hands.bus(Zone.OPERATOR)
    signals: dict[str, datetime] = {}
    found = []
    for stream in ("SIGNALS", "DECISIONS"):
        last = await operator.last(stream, ">")
        assert last is not None
        first = max((last.sequence or 0) - _MOST_READ, 1)
        async for one in operator.history(stream, start_sequence=first):
            assert one.stored_at is not None
            content = orjson.loads(one.payload)
            if stream == "SIGNALS":
                signals[content["signal_id"]] = one.stored_at
                continue
            with suppress(KeyError):  # decided on before the oldest signal that was read
                found.append((one.stored_at - signals[content["signal"]["signal_id"]]).total_seconds() * 1e3)
    return found
