"""(f) What a decision costs the gate's one thread: processor time, with fifty products held and a hundred orders out.

One process with the gate's own parts, from a signal's bytes to its decision on the way to the bus. Only the bus is
none, and the journal is in memory where the machine has such a place. Processor time is counted, so that one change can
be compared with the next on a busy machine too. Before each signal its market moves, as in life: nothing that was
measured of it is still known.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from gate_builders import CREATE_LIFE, SPELLING, FixedClock, a_book, a_signal, a_tick
from gate_lives import TIRELESS, Life
from past import PRODUCTS, a_gate, a_watched_market
from report import Spread, spread

from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.market import BookSummary, Tick
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.signals import Signal
from gpt_trader.risk_gate.domain.decide import write
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.review import review
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.outbox import Outbox
from gpt_trader.risk_gate.service.risk_gate import requested
from gpt_trader.risk_gate.service.verdicts import Heard, Verdicts
from gpt_trader.runtime import lifecycle, logs
from gpt_trader.runtime.journal import Journal
from gpt_trader.runtime.signing import Signer, generate_seed

_ORDERS = 100
_STEP = timedelta(milliseconds=5)
_MEMORY = Path("/dev/shm")  # noqa: S108 - a journal of no worth, in a folder of its own
PRICES = {"denied": Decimal(100_000), "approved": Decimal(50_000)}
"""The price that a signal was made at: far from the market it is denied for it."""


TICK, BOOK, WHOLE = "a tick", "a book", "all of it"
REVIEWED, WRITTEN = "valued, priced, sized, checked", "written and sealed"


class _NoBus:
    """Takes everything at once."""

    async def store(
        self, _subject: str, _message: Message | bytes, *, message_id: str, expect_last_sequence: int | None = None
    ) -> int:
        """Say where it would be."""
        return len(message_id) if expect_last_sequence is None else expect_last_sequence + 1


class _NoVenue:
    """Is never asked."""

    async def preview(self, _body: bytes) -> tuple[str, ...]:
        """Object to nothing."""
        return ()


@dataclass(slots=True)
class _Gate:
    """What decides, in a market that is watched."""

    market: MarketWatch
    verdicts: Verdicts
    beginning: GateState
    clock: FixedClock
    took: dict[str, list[float]] = field(default_factory=dict)

    def timed(self, part: str, work: Callable[[], Any]) -> Any:
        """Do it, and note its milliseconds of processor time."""
        began = time.thread_time()
        found = work()
        self.note(part, began)
        return found

    def note(self, part: str, began: float) -> None:
        """Note what was spent since then."""
        self.took.setdefault(part, []).append((time.thread_time() - began) * 1e3)


def measured(rounds: int) -> dict[str, dict[str, Spread]]:
    """Return the milliseconds of each part, for decisions of both kinds."""
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):  # noqa: PTH123 - a device, not a file
        logs.configure("info", "json")
        return {kind: asyncio.run(_measured(kind, rounds)) for kind in PRICES}


async def _measured(kind: str, rounds: int) -> dict[str, Spread]:
    with _gate() as gate:
        lifecycle.spare_what_is_there()
        async with asyncio.TaskGroup() as tasks:
            publishing = tasks.create_task(gate.verdicts.outbox.run())
            for number in range(2 * rounds):
                await _one(gate, number, PRICES[kind], is_whole=number % 2 == 0)
                await asyncio.sleep(0)
                if number % len(PRODUCTS) == 0:  # what was approved meanwhile is not one order more for ever
                    ledger = gate.verdicts.ledger
                    ledger.state = replace(gate.beginning, decisions=ledger.state.decisions)
            publishing.cancel()
        return {part: spread(took[len(took) // 10 :]) for part, took in gate.took.items()}


async def _one(gate: _Gate, number: int, price: Decimal, *, is_whole: bool) -> None:
    """Move a market, then decide on a signal as the gate does, or part by part."""
    product, ledger = PRODUCTS[number % len(PRODUCTS)], gate.verdicts.ledger
    gate.clock.at = at = gate.clock.at + _STEP
    tick, book = a_tick(product, at=at).encode(), a_book(product, at=at).encode()
    asked = a_signal(signal_id=SignalId(f"bench-{number}"), product=product, created_at=at, reference_price=price)
    payload = asked.encode()
    gate.timed(TICK, lambda: _keep(gate.market, Tick.decode(tick)))
    gate.timed(BOOK, lambda: gate.market.memory.on_book(BookSummary.decode(book)))
    if is_whole:
        began = time.thread_time()
        signal = Signal.decode(payload)
        gather = partial(requested, signal, gate.market, ledger.state, ledger.policy, at)
        record = await gate.verdicts.give(gather, Heard(time.perf_counter(), timedelta()))
        gate.note(WHOLE, began)
        assert record is not None
        assert (record.intent is not None) is (price == PRICES["approved"]), record.decision.failures
        return
    signal = gate.timed("decoded", lambda: Signal.decode(payload))
    request = gate.timed("gathered", partial(requested, signal, gate.market, ledger.state, ledger.policy, at))
    gate.timed(REVIEWED, partial(review, request, ledger.state, ledger.policy))
    written = gate.timed(WRITTEN, partial(write, request, ledger.state, ledger.policy, SPELLING))
    gate.timed("folded, chained, journaled", partial(ledger.commit_decision, written))


def shares(found: Mapping[str, Spread]) -> dict[str, float]:
    """Split the median of the whole; to write a decision its request is reviewed, which is taken off.

    The rest are counters, log and outbox, and of an approval its intent's signature and the record of its place; also
    what writing is slower without the review just before it, which left all that it needs in the processor's cache.
    """
    parts = {part: took.p50 for part, took in found.items() if part not in {TICK, BOOK, WHOLE}}
    parts[WRITTEN] -= parts[REVIEWED]
    return parts | {"the rest": found[WHOLE].p50 - sum(parts.values())}


def _keep(market: MarketWatch, tick: Tick) -> None:
    market.keep(tick)
    market.memory.on_tick(tick)


@contextmanager
def _gate() -> Iterator[_Gate]:
    state, clock = a_gate(len(PRODUCTS), _ORDERS), FixedClock(Life().now + timedelta(minutes=_ORDERS))
    place = _MEMORY if _MEMORY.is_dir() else None
    with TemporaryDirectory(dir=place) as folder, Journal.open(Path(folder) / "gate.jsonl") as journal:
        ledger = Ledger(journal=journal, state=state, policy=_policy(), clock=clock, create_life=CREATE_LIFE)
        bus = _NoBus()
        verdicts = Verdicts(
            ledger=ledger,
            bus=bus,
            outbox=Outbox(bus=bus),
            signer=Signer.of(generate_seed(), key_id="bench", origin="bench"),
            venue=_NoVenue(),
            spelling=SPELLING,
        )
        yield _Gate(a_watched_market(clock.at), verdicts, state, clock)


def _policy() -> Policy:
    """Write every denial down."""
    document = orjson.loads(TIRELESS.document())
    document["escalation"] |= {"strategy_denials": 1000, "strategy_denials_window_seconds": 0}
    document["escalation"] |= {"infrastructure_denials": 1000}
    return Policy.model_validate(document)
