"""What must agree once everything rests: the venue's books, the account, both journals, the streams and the chain."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from system import GATE
from venue_books import approvals, double_ends, fill_mismatches, ours, oversold, repeated_orders, unapproved_orders
from world import EXECUTOR, World

from gpt_trader.console.domain.audit import Record, differences
from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import TradingState
from gpt_trader.contracts.decisions import Decision
from gpt_trader.contracts.intents import ApprovedIntent, SignedIntent
from gpt_trader.contracts.message import digest
from gpt_trader.contracts.orders import Fill, OrderEvent, OrderStatus
from gpt_trader.executor.domain import replay as executor_replay
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.gate import folded
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.runtime.journal import Verified, read, verify

_ENDINGS = {
    "FILLED": {OrderStatus.FILLED},
    "CANCELLED": {OrderStatus.CANCELED},
    "EXPIRED": {OrderStatus.EXPIRED},
    "FAILED": {OrderStatus.REJECTED},
}
"""What the one report on an order must say of each end that the venue knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that is compared, of one moment."""

    books: dict[str, Any]
    intents: dict[str, ApprovedIntent]
    envelopes: list[SignedIntent]
    events: list[OrderEvent]
    fills: list[Fill]
    decisions: list[Decision]
    witnesses: list[TradingState]
    gate_journal: Path
    fenced_journals: list[Path]
    executor_journal: Path
    held: dict[str, Decimal]
    cash: dict[str, Decimal]
    states: list[tuple[datetime, bool]]


def gathered(world: World) -> Evidence:
    """Read venue, streams and the gate's last word; the journals are named and read later."""
    stand = world.stand
    envelopes = stand.history("INTENTS", SignedIntent)
    approving = stand.history("INTENTS", SignedIntent, "intents.approved.>")
    account = stand.account()
    return Evidence(
        books=stand.books(),
        intents=approvals(approving),
        envelopes=envelopes,
        events=stand.history("ORDERS", OrderEvent),
        fills=stand.history("FILLS", Fill),
        decisions=stand.history("DECISIONS", Decision),
        witnesses=stand.history("STATE", TradingState, subjects.STATE_TRADING),
        gate_journal=world.small[GATE].folder / "gate.jsonl",
        fenced_journals=sorted(world.folder.glob("fenced-*/gate.jsonl")),
        executor_journal=world.small[EXECUTOR].folder / "executor.journal",
        held={one.product: one.quantity for one in account.positions if one.quantity},
        cash={one.currency: one.total for one in account.cash},
        states=list(world.states),
    )


def diff(found: Evidence) -> list[str]:
    """Name everything that does not agree; nothing is what it should be."""
    return [
        *(
            f"I1: {one} is at the venue and was not approved so"
            for one in unapproved_orders(found.books, found.intents)
        ),
        *(f"I2: {one} is at the venue more than once" for one in repeated_orders(found.books)),
        *(f"I3: {one}" for one in ordered_while_halted(found)),
        *(f"I4: {one}" for one in fill_mismatches(found.books, found.fills)),
        *(f"I5: {one} sold more than was held" for one in oversold(found.books)),
        *(f"ends: {one} has more than one" for one in double_ends(found.events)),
        *(f"ends: {one}" for one in _endings(found)),
        *(f"books: {one}" for one in _portfolio(found)),
        *(f"gate's journal: {one}" for one in _gate_journal(found)),
        *(f"executor's journal: {one}" for one in _executor_journal(found)),
        *(f"chain: {one}" for one in _chain(found.envelopes)),
    ]


def is_at_rest(found: Evidence) -> bool:
    """Whether nothing of the order's path is still to come."""
    ended = {event.client_order_id for event in found.events if event.status.is_terminal}
    return ended >= found.intents.keys() and not fill_mismatches(found.books, found.fills) and not [*_portfolio(found)]


def ordered_while_halted(found: Evidence) -> Iterator[str]:
    """I3: between the word that trading is halted for good and the next one that it is not, no buy is accepted."""
    bought = [row for row in ours(found.books, "orders") if row["side"] == "BUY"]
    for began, ended in _halts(found.states):
        for row in bought:
            if began < datetime.fromisoformat(row["created_time"]) < ended:
                yield f"{row['client_order_id']} was bought at {row['created_time']}, halted from {began} to {ended}"


def _halts(states: list[tuple[datetime, bool]]) -> Iterator[tuple[datetime, datetime]]:
    began: datetime | None = None
    for at, is_halted in sorted(states):
        if is_halted and began is None:
            began = at
        elif not is_halted and began is not None:
            yield began, at
            began = None


def _endings(found: Evidence) -> Iterator[str]:
    """One terminal report per approval, and it says of the order what the venue says."""
    last: dict[str, OrderEvent] = {one.client_order_id: one for one in found.events if one.status.is_terminal}
    at_venue = {row["client_order_id"]: row for row in ours(found.books, "orders")}
    for order_id in found.intents.keys() | last.keys():
        event, row = last.get(order_id), at_venue.get(order_id)
        if event is None or order_id not in found.intents:
            yield f"{order_id} {'has none' if event is None else 'was reported and never approved'}"
        elif row is None and event.status not in {OrderStatus.FAILED, OrderStatus.REJECTED}:
            yield f"{order_id} is {event.status} and not at the venue"
        elif row is not None and event.status not in _ENDINGS.get(row["status"], set()):
            yield f"{order_id} is {event.status} ({event.reason}), and {row['status']} at the venue"
        elif row is not None and event.filled_quantity != Decimal(row["filled_size"]):
            yield f"{order_id} filled {event.filled_quantity}, at the venue {row['filled_size']}"


def _portfolio(found: Evidence) -> Iterator[str]:
    """Compare what the account holds with the venue's fills and balances, to the last digit."""
    held: dict[str, Decimal] = defaultdict(Decimal)
    for row in ours(found.books, "fills"):
        amount = Decimal(row["size"]) * (1 if row["side"] == "BUY" else -1)
        held[row["product_id"]] += amount
    for product in held.keys() | found.held.keys():
        if held[product] != found.held.get(product, 0):
            yield f"{product}: the account holds {found.held.get(product, 0)}, the venue's fills make {held[product]}"
    for currency, balance in found.books["balances"].items():
        if found.cash.get(currency, Decimal(0)) != Decimal(balance["total"]) and currency == "USD":
            yield f"{currency}: the account has {found.cash.get(currency)}, the venue {balance['total']}"


def _gate_journal(found: Evidence) -> Iterator[str]:
    """Its chain is whole, the bus tells the same, and what it folds to is what the streams say."""
    checked = verify(found.gate_journal)
    if not isinstance(checked, Verified):
        yield f"record {checked.at}: {checked.reason}"
        return
    entries = list(read(found.gate_journal))
    parsed = [records.parse(entry.payload) for entry in entries]
    decided = [one.decision if isinstance(one, records.DecisionMade) else None for one in parsed]
    journal = [Record(sequence=e.sequence, hash=e.hash, decision=d) for e, d in zip(entries, decided, strict=True)]
    fenced = {entry.hash for path in found.fenced_journals for entry in read(path)} - {entry.hash for entry in entries}
    stale = {one["hash"] for one in _decisions_of(found.fenced_journals)} - {one.hash for one in decided if one}
    decisions = [one for one in found.decisions if one.hash not in stale]
    witnesses = [one for one in found.witnesses if one.head_hash not in fenced]
    yield from differences(journal, decisions, witnesses)
    state = folded(parsed, GateState())
    yield from (f"{order_id} is not over" for order_id in state.approvals)
    yield from (f"{order_id} is unknown to it" for order_id in found.intents if order_id not in state.known_orders)
    yield from (
        f"fill {one.fill_id} is not in it" for one in found.fills if one.fill_id not in state.portfolio.fill_ids
    )
    permits = Counter(one.client_order_id for one in parsed if isinstance(one, records.PermitLogged))
    yield from (f"{order_id} had {count} permits" for order_id, count in permits.items() if count > 1)


def _decisions_of(fenced: list[Path]) -> Iterator[dict[str, Any]]:
    """Give what gates decided that were taken over: the last of it was after another's claim, before they knew."""
    for path in fenced:
        yield from (entry.payload["decision"] for entry in read(path) if entry.kind == "decision_made")


def _executor_journal(found: Evidence) -> Iterator[str]:
    """Its chain is whole, nothing is unsaid or alive, and each end is the one on the bus."""
    checked = verify(found.executor_journal)
    if not isinstance(checked, Verified):
        yield f"record {checked.at}: {checked.reason}"
        return
    ledger = executor_replay.recovered(entry.payload for entry in read(found.executor_journal))
    said = {event.client_order_id: event.status for event in found.events if event.status.is_terminal}
    yield from (f"{order_id} is not over" for order_id in ledger.live)
    yield from (f"{message_id} was never reported" for message_id in ledger.unsaid)
    for order in ledger.orders.values():
        if order.status != said.get(order.client_order_id):
            yield f"{order.client_order_id} is {order.status}, on the bus {said.get(order.client_order_id)}"


def _chain(envelopes: list[SignedIntent]) -> Iterator[str]:
    """Each signed message names the hash of the one before it."""
    before = None
    for place, envelope in enumerate(envelopes, 1):
        named = orjson.loads(envelope.payload)["previous_hash"]
        if before is not None and named != before:
            yield f"message {place} of INTENTS does not name the one before it"
        before = digest(envelope.payload.encode())
