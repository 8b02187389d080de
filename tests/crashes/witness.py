"""What became of a signal, by everybody's own word: the gate's journal, the streams, the venue's books."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cells import DENIED
from stand import Stand, until

from gpt_trader.contracts.intents import ApprovedIntent, SignedIntent
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.contracts.signals import Signal
from gpt_trader.contracts.subjects import Zone
from gpt_trader.risk_gate.domain.records import ApprovalVoided, DecisionMade
from gpt_trader.runtime.bus import BusUnavailable

NOTHING = "nothing"
OPEN = "open"
SETTLED_WITHIN = 60.0


@dataclass(slots=True)
class Streams:
    """INTENTS, ORDERS and FILLS, each read on from where it was read before."""

    stand: Stand
    intents: dict[str, ApprovedIntent] = field(default_factory=dict)
    events: list[OrderEvent] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    _next: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Read on; while the bus is away there is nothing to see."""
        try:
            for signed in self._more("INTENTS", "intents.approved.>", SignedIntent):
                intent = ApprovedIntent.decode(signed.payload)
                assert intent.client_order_id not in self.intents, "one approval is on the bus twice"
                self.intents[intent.client_order_id] = intent
            self.events += self._more("ORDERS", ">", OrderEvent)
            self.fills += self._more("FILLS", ">", Fill)
        except BusUnavailable:
            return

    def _more(self, stream: str, subjects: str, model: type[Message]) -> list[Any]:
        async def work() -> list[Any]:
            bus, found = self.stand.hands.bus(Zone.OPERATOR), []
            start = self._next.get(stream, 1)
            async for received in bus.history(stream, subject_filter=subjects, start_sequence=start):
                found.append(model.decode(received.payload))
                self._next[stream] = (received.sequence or 0) + 1
            return found

        return self.stand.hands.run(work())

    def ends(self, order_id: str) -> list[OrderEvent]:
        return [one for one in self.events if one.client_order_id == order_id and one.status.is_terminal]


@dataclass(slots=True)
class Witness:
    """Watches a system over many deaths. Every approval that it ever saw is held against the venue's books."""

    stand: Stand
    streams: Streams

    def ending(self, signal: Signal) -> str:
        """Say how a signal's order ended: a status, with its reason if it failed; void; denied; nothing; or open."""
        self.streams.look()
        own = [one for one in self.streams.intents.values() if one.signal_id == signal.signal_id]
        assert len(own) <= 1, f"{signal.signal_id} was approved {len(own)} times"
        if not own:
            return self._without_intent(signal)
        ends = self.streams.ends(own[0].client_order_id)
        if not ends:
            return OPEN
        return f"{ends[0].status}: {ends[0].reason}" if ends[0].reason else str(ends[0].status)

    def _without_intent(self, signal: Signal) -> str:
        written = self.stand.journal()
        made = [one for one in written if isinstance(one, DecisionMade) and one.intent is not None]
        own = {one.intent.client_order_id for one in made if one.decision.signal.signal_id == signal.signal_id}
        voided = {one.client_order_id for one in written if isinstance(one, ApprovalVoided)}
        if own:
            return "void" if own <= voided else NOTHING
        decisions = [one.decision for one in written if isinstance(one, DecisionMade)]
        return DENIED if any(one.signal.signal_id == signal.signal_id for one in decisions) else NOTHING

    def settled(self, signal: Signal) -> str:
        """Wait until the order is over, and everybody's books agree; returns how it ended.

        Who ends meanwhile is started again: one that was about to say something when the bus died notices it late.
        """

        def is_over() -> bool:
            self.stand.revive()
            return self.ending(signal) not in {NOTHING, OPEN}

        until(is_over, f"the end of {signal.signal_id}", SETTLED_WITHIN)
        try:
            until(self.is_quiet, self._why, SETTLED_WITHIN)
        finally:  # what is wrong says more than that it took too long
            self.check()
        return self.ending(signal)

    def check(self) -> None:
        """Hold what was said against the venue's books; raises AssertionError naming the invariant."""
        self.streams.look()
        books = self.stand.books()
        ours = [row for row in books["orders"] if row["owner"] != "stranger"]
        by_id = {row["client_order_id"]: row for row in ours}
        assert len(by_id) == len(ours), "I1: two venue orders for one approval"
        assert by_id.keys() <= self.streams.intents.keys(), "I2: a venue order that nobody approved"
        for order_id in self.streams.intents:
            self._check_order(order_id, by_id.get(order_id), books["fills"])

    def _check_order(self, order_id: str, row: Mapping[str, Any] | None, fills: list[dict[str, Any]]) -> None:
        ends = self.streams.ends(order_id)
        assert len(ends) == 1, f"I8: {len(ends)} terminal reports of {order_id}"
        life = [one for one in self.streams.events if one.client_order_id == order_id]
        assert len({one.revision for one in life}) == len(life), f"I8: a step of {order_id} was told twice"
        told = [one for one in self.streams.fills if one.client_order_id == order_id]
        there = {one["entry_id"] for one in fills if row is not None and one["order_id"] == row["order_id"]}
        assert {one.fill_id for one in told} == there, f"I8: fills of {order_id} are not the venue's"
        assert len(told) == len(there), f"I8: a fill of {order_id} was told twice"
        is_dead = ends[0].status in {"failed", "rejected"}
        assert is_dead == (row is None), f"I3: {order_id} is {ends[0].status}, at the venue: {row}"
        done = Decimal(0) if row is None else Decimal(row["filled_size"])
        assert ends[0].filled_quantity == done == sum(one.quantity for one in told), f"I7: {order_id}"

    def is_quiet(self) -> bool:
        """Whether gate and venue hold the same, nothing is open or reserved, and every approval was reported."""
        self.stand.revive()
        balances, account = self.stand.books()["balances"], self.stand.account()
        cash = {one.currency: one.total for one in account.cash}
        held = {currency: Decimal(balance["total"]) for currency, balance in balances.items()}
        self.streams.look()
        return (
            not account.open_orders
            and all(self.stand.position(f"{coin}-USD") == total for coin, total in held.items() if coin != "USD")
            and held.keys() - {"USD"} >= {one.product.removesuffix("-USD") for one in account.positions if one.quantity}
            and cash["USD"] == held["USD"]
            and all(self.streams.ends(order_id) for order_id in self.streams.intents)
        )

    def _why(self) -> str:
        balances, account = self.stand.books()["balances"], self.stand.account()
        there = {currency: balance["total"] for currency, balance in balances.items() if balance["total"] != "0"}
        here = {one.currency: str(one.total) for one in account.cash}
        here |= {one.product: str(one.quantity) for one in account.positions if one.quantity}
        reserved = [one.client_order_id for one in account.open_orders]
        silent = [order_id for order_id in self.streams.intents if not self.streams.ends(order_id)]
        return f"equal books: venue {there}, gate {here}, reserved for {reserved}, no end of {silent}"
