"""(e) the review with everything gathered, (g) what a decision costs against history, (h) a restart after a million.

Rates and costs are of processor time, so that they hold on a busy machine too; a restart is told in both.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from pathlib import Path

import orjson
from gate_builders import CREATE_LIFE, FixedClock, a_book, a_feed, a_signal, a_spec, a_tick, a_watch, the_terms
from gate_lives import TIRELESS, Life

from gpt_trader.contracts.decisions import Outcome, Verdict
from gpt_trader.contracts.ids import SignalId
from gpt_trader.contracts.message import canonical
from gpt_trader.risk_gate.adapters import snapshots as files
from gpt_trader.risk_gate.adapters.snapshots import Snapshot
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.exposure import Approvals
from gpt_trader.risk_gate.domain.gate import evolve
from gpt_trader.risk_gate.domain.portfolio import Holding
from gpt_trader.risk_gate.domain.records import Record, parse
from gpt_trader.risk_gate.domain.review import review
from gpt_trader.risk_gate.domain.seen import SeenIds
from gpt_trader.risk_gate.domain.state import GateState, dumped, fingerprint
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.risk_gate import requested
from gpt_trader.risk_gate.service.snapshots import JOURNAL, opened_books
from gpt_trader.runtime.journal import Journal, verify

PRODUCTS = tuple(f"COIN{number}-USD" for number in range(50))
_TAIL = 10_000
"""Records after the newest snapshot in the worst case: the default of `snapshot_records`."""
_BATCH = 2000


def per_second(rounds: int, work: Callable[[], object]) -> float:
    """Best of many short batches, by processor time: what else runs on the machine slows a processor down as well."""
    batch = max(rounds // 50, 20)
    best = 0.0
    for _ in range(max(3 * rounds // batch, 3)):
        began = time.process_time()
        for _ in range(batch):
            work()
        best = max(best, batch / (time.process_time() - began))
    return best


def a_gate(products: int, orders: int) -> GateState:
    """Make a gate that holds so many products and has so many orders out."""
    life = Life()
    for _ in range(orders):
        life.happen("enter")
    assert len(life.state.approvals) == orders
    held = {product: Holding(quantity=Decimal("0.1"), cost=Decimal(5000)) for product in PRODUCTS[:products]}
    return replace(life.state, portfolio=replace(life.state.portfolio, holdings=held))


def a_watched_market(at: datetime) -> MarketWatch:
    """Watch fifty products, all healthy, with a tick and a book each second of the last five minutes."""
    market = a_watch(TIRELESS)
    for product in PRODUCTS:
        watched(market, product, at)
    market.members = frozenset(PRODUCTS)
    return market


def watched(market: MarketWatch, product: str, at: datetime) -> None:
    """Let a market have been seen until now."""
    for second in range(300, -1, -1):
        market.memory.on_tick(a_tick(product, at=at - timedelta(seconds=second)))
        market.memory.on_book(a_book(product, at=at - timedelta(seconds=second)))
    market.keep(a_tick(product, at=at))
    market.books[product] = a_book(product, at=at)
    market.feeds[product] = a_feed(product, at=at)
    market.specs[product] = a_spec(product)
    market.terms = {**market.terms, product: the_terms(market.specs[product])}


def gathered(rounds: int, products: int, orders: int) -> dict[str, float]:
    """(e) Reviews per second of an allowed entry, gathering included, with so much held and open.

    What is added up over open orders is kept until one changes; `after_a_change` has it added up anew each time.
    """
    state, at = a_gate(products, orders), Life().now + timedelta(minutes=max(orders, 1))
    market, clock = a_watched_market(at), FixedClock(at)
    signal = a_signal(signal_id=SignalId("bench"), product=PRODUCTS[7], created_at=at)

    def whole() -> object:
        return review(requested(signal, market, state, TIRELESS, clock.now()), state, TIRELESS)

    def changed() -> object:
        other = replace(state, approvals=Approvals(state.approvals.by_id))
        return review(requested(signal, market, other, TIRELESS, clock.now()), other, TIRELESS)

    found = review(requested(signal, market, state, TIRELESS, at), state, TIRELESS)
    failed = [one.rule for one in found.checks() if one.outcome is Outcome.FAILED]
    assert found.verdict is Verdict.APPROVED, failed
    return {
        "gather": per_second(rounds, partial(requested, signal, market, state, TIRELESS, at)),
        "gather_and_review": per_second(rounds, whole),
        "after_a_change": per_second(rounds, changed),
        "checks": float(len(found.checks())),
    }


@dataclass(frozen=True, slots=True)
class Cost:
    """What a gate with so many fills behind it pays: microseconds of processor time, and bytes of ids."""

    fills: int
    review: float
    fold: float
    ids: int
    snapshot_held: float


def against_history(fills: Sequence[int], rounds: int) -> list[Cost]:
    """(g) The same order on gates that differ in their past: a day of it in full, the rest of it as ids."""
    return [_cost(_aged(count), count, rounds) for count in fills]


def _aged(fills: int) -> Life:
    """Live through an hour of orders, and know the ids of all fills, orders, permits and signals before."""
    life = Life()
    for number in range(min(fills, 60)):
        life.happen("leave" if number % 2 else "enter")
        life.happen("fill")
    state = life.state
    grown = [_ids(fills, f"{kind}-") for kind in ("order", "terms", "permit", "signal", "fill")]
    life.state = replace(
        state,
        known_orders=grown[0],
        known_terms=grown[1],
        permitted=grown[2],
        signal_ids=grown[3],
        portfolio=replace(state.portfolio, fill_ids=grown[4]),
    )
    return life


def _ids(count: int, prefix: str) -> SeenIds:
    digests = sorted(sha256(f"{prefix}{number}".encode()).digest()[:16] for number in range(count))
    return SeenIds.unpacked(b"".join(digests))


def _cost(life: Life, fills: int, rounds: int) -> Cost:
    before = life.state
    known = len(life.records)
    life.happen("enter")
    life.happen("fill")
    cycle = life.records[known:]
    request = _asked(life)
    found = per_second(rounds, partial(review, request, before, life.policy))
    folds = per_second(max(rounds // 10, 50), partial(_folded, before, cycle))
    began = time.process_time()
    _, ids = dumped(before)
    held = time.process_time() - began
    return Cost(fills, 1e6 / found, 1e6 / folds / len(cycle), sum(len(one.packed()) for one in ids), held * 1e3)


def _folded(state: GateState, cycle: Sequence[Record]) -> GateState:
    for record in cycle:
        state = evolve(state, record)
    return state


def _asked(life: Life) -> Request:
    at, product = life.now, "BTC-USD"
    market = a_watched_market(at)
    for name in {product, *life.state.portfolio.holdings}:
        watched(market, name, at)
    asked = a_signal(signal_id=SignalId("one more"), product=product, created_at=at)
    return requested(asked, market, life.state, life.policy, at)


@dataclass(frozen=True, slots=True)
class Restart:
    """One start: records in the journal, records folded, real and processor seconds, and the state it led to."""

    records: int
    folded: int
    wall: float
    cpu: float
    state: str


@dataclass(frozen=True, slots=True)
class Restarts:
    """(h) A restart by snapshot and tail beside the whole fold of the same journal."""

    journal_megabytes: float
    snapshot_megabytes: float
    snapshot_seconds: float
    snapshot_held_milliseconds: float
    shortcut: Restart
    whole: Restart
    verified_seconds: float


def restarts(folder: Path, records: int) -> Restarts:
    """Write a journal of so many records, a snapshot near its end, and start both ways."""
    tail = min(_TAIL, records // 4)
    with Journal.open(folder / JOURNAL) as journal:
        lives = _records()
        _write(journal, lives, records - tail)
    before = started(folder)
    with opened_books(folder) as books:
        place, state = books.journal.place, before[1]
        began = time.perf_counter()
        path = files.write(folder, Snapshot(place, state), files.rules_version())
        written = time.perf_counter() - began
        began = time.perf_counter()
        dumped(state)
        held = time.perf_counter() - began
        _write(books.journal, lives, tail)
    shortcut, _ = started(folder)
    size = path.stat().st_size
    path.unlink()
    whole, _ = started(folder)
    began = time.perf_counter()
    verify(folder / JOURNAL)
    checked = time.perf_counter() - began
    megabytes = (folder / JOURNAL).stat().st_size / 1e6
    return Restarts(megabytes, size / 1e6, written, held * 1e3, shortcut, whole, checked)


def started(folder: Path) -> tuple[Restart, GateState]:
    """Start as the gate does, up to the moment when its state is known."""
    wall, cpu = time.perf_counter(), time.process_time()
    with opened_books(folder) as books:
        ledger = Ledger(
            journal=books.journal, state=books.state, policy=TIRELESS, clock=FixedClock(), create_life=CREATE_LIFE
        )
        count = ledger.replay()
        spent = time.perf_counter() - wall, time.process_time() - cpu
        return Restart(books.journal.sequence, count, *spent, fingerprint(ledger.state)), ledger.state


def _write(journal: Journal, lives: Iterator[Mapping[str, object]], count: int) -> None:
    while count:
        batch = [next(lives) for _ in range(min(count, _BATCH))]
        journal.append_all([(str(payload["kind"]), payload) for payload in batch])
        count -= len(batch)


def _records() -> Iterator[Mapping[str, object]]:
    """Yield a gate's beginning, then entries and exits for ever: one real trade, again and again under other ids."""
    life = Life()
    beginning = len(life.records)
    for what in ("enter", "fill", "leave", "fill"):
        life.happen(what)
    yield from (orjson.loads(canonical(record)) for record in life.records[:beginning])
    texts = [canonical(record).decode() for record in life.records[beginning:]]
    names = _names(life.records[beginning:])
    times = sorted({life.now - life.pace * back for back in range(4)})
    number = 0
    while True:
        number += 1
        for text in texts:
            yield _renamed(text, names, times, number)


def _names(records: Sequence[Record]) -> list[str]:
    """Collect what must differ from one trade to the next."""
    found: dict[str, None] = {}
    for record in map(canonical, records):
        decision = orjson.loads(record)
        if decision["kind"] == "decision_made" and decision["intent"]:
            intent = decision["intent"]
            found |= dict.fromkeys((intent["client_order_id"], intent["body_sha256"]))
    return list(found)


def _renamed(text: str, names: Sequence[str], times: Sequence[datetime], number: int) -> Mapping[str, object]:
    for name in names:
        other = sha256(f"{name}{number}".encode()).hexdigest()
        text = text.replace(name, other if len(name) == len(other) else f"{other[:8]}-{name[9:24]}{other[8:20]}")
    for at in times:
        text = text.replace(_spelled(at), _spelled(at + timedelta(minutes=4 * number)))
    payload: dict[str, object] = orjson.loads(text.replace('"signal-', f'"signal-{number}-'))
    return payload


def _spelled(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def check_template() -> None:
    """Fail unless the trades that are written down fold to as many fills, orders and signals."""
    lives, state, trades = _records(), GateState(), 5
    for _ in range(4 + 14 * trades):
        state = evolve(state, parse(next(lives)))
    found = (len(state.portfolio.fill_ids), len(state.known_orders), len(state.signal_ids), len(state.approvals))
    assert found == (2 * trades, 2 * trades, 2 * trades, 0), found
