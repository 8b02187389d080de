"""The gate's line to the venue: what HTTPS and a venue under load do to requests and answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.ids import VenueOrderId
from gpt_trader.contracts.market import ProductTerms
from gpt_trader.lab.storm.fate import Fate
from gpt_trader.lab.storm.terms import ANSWER_SECONDS, TOKEN_SECONDS, spec
from gpt_trader.lab.storm.timeline import ProcessLoop
from gpt_trader.lab.storm.venue import FEE, Booked, StormVenue
from gpt_trader.risk_gate.adapters.budget import BudgetTerms, RateBudget
from gpt_trader.risk_gate.adapters.venue_link import Answer
from gpt_trader.risk_gate.domain.futures.account import FuturesReport
from gpt_trader.risk_gate.domain.venue import (
    Balance,
    CancelOutcome,
    KeyPermissions,
    ProductRules,
    Traffic,
    VenueFill,
    VenueOrder,
    VenueTransfer,
)
from gpt_trader.risk_gate.ports import OutcomeUnknown, VenueUnavailable

_TRIP = (0.001, 0.02)
_CREATE_ODDS = {
    "no connection": 0.01,
    "429": 0.02,
    "401": 0.02,
    "declined": 0.02,
    "500, not taken": 0.02,
    "500, taken": 0.03,
    "timeout, not taken": 0.02,
    "timeout, taken": 0.03,
    "timeout, taken later": 0.08,
    "reset, taken": 0.03,
    "garbled, taken": 0.01,
    "slow": 0.04,
}
_READ_ODDS = {"unavailable": 0.03, "slow": 0.03}
_REFUSED = {"429": (429, b'{"error":"RATE_LIMIT"}'), "401": (401, b"Unauthorized")}
_TAKEN = frozenset({"500, taken", "timeout, taken", "reset, taken", "garbled, taken"})
_JSON: Mapping[str, str] = {"content-type": "application/json"}


@dataclass(slots=True)
class StormLink:
    """Stands for VenueLink: one request out, whole or not, answered or not; what was sent arrives all the same."""

    loop: ProcessLoop
    world_loop: ProcessLoop
    venue: StormVenue
    fate: Fate
    budget: RateBudget = field(init=False)

    def __post_init__(self) -> None:
        """Begin with a full budget."""
        self.budget = RateBudget(terms=BudgetTerms(), elapsed=self.loop.time)

    async def send(
        self, method: str, path: str, query: str = "", body: bytes | None = None, since: datetime | None = None
    ) -> Answer:
        """Send a create; nothing else of the executor's requests is spelled out as HTTP here."""
        del since  # nothing holds a process up between its permit and its request: the token begins to live now
        if body is None or query or method != "POST":
            raise ValueError(f"{method} {path}: only creates are sent here")
        fault = self.fate.strike("venue.create", _CREATE_ODDS)
        if fault == "no connection":
            raise VenueUnavailable("no connection")
        await asyncio.sleep(self.fate.seconds("venue.create", 0.08, 0.18) if fault == "slow" else self._trip())
        if fault in _REFUSED:
            status, text = _REFUSED[fault]
            return Answer(status=status, headers=_JSON, body=text)
        if fault == "declined":
            declined = {"success": False, "error_response": {"error": "INSUFFICIENT_FUND"}}
            return Answer(status=200, headers=_JSON, body=json.dumps(declined).encode())
        return await self._taken(fault, body)

    async def _taken(self, fault: str | None, body: bytes) -> Answer:
        """Reach the venue, which takes the order now, later, or not at all; the answer is another matter."""
        if fault == "timeout, taken later":
            self.world_loop.later(self.fate.seconds("venue.late", 0.0, TOKEN_SECONDS), self.venue.create, body)
        reply: asyncio.Future[bytes] = self.loop.create_future()
        if fault is None or fault in _TAKEN or fault == "slow":
            self.world_loop.later(self._trip(), self._arrive, body, reply)
        if fault is not None and fault.startswith("timeout"):
            await asyncio.sleep(ANSWER_SECONDS)
            raise OutcomeUnknown("no answer in time")
        if fault is not None and fault.startswith("500"):
            await asyncio.sleep(self._trip())
            return Answer(status=500, headers=_JSON, body=b"{}")
        answer = await reply
        if fault == "reset, taken":
            raise OutcomeUnknown("connection reset")
        return Answer(status=200, headers=_JSON, body=answer[:20] if fault == "garbled, taken" else answer)

    def _arrive(self, body: bytes, reply: "asyncio.Future[bytes]") -> None:
        answer = self.venue.create(body)
        self.loop.later(self._trip(), _give, reply, answer)

    def _trip(self) -> float:
        return self.fate.seconds("venue.trip", *_TRIP)


@dataclass(slots=True)
class GateVenue:
    """Implements the gate's venue ports; each listing is whole or raises VenueUnavailable."""

    loop: ProcessLoop
    venue: StormVenue
    fate: Fate
    frames: asyncio.Queue[VenueOrder] = field(default_factory=asyncio.Queue)

    async def accounts(self) -> tuple[Balance, ...]:
        """Every currency."""
        await self._answered()
        held = ((product.partition("-")[0], quantity) for product, quantity in self.venue.held.items())
        balances = (("USD", self.venue.cash), *held)
        return tuple(Balance(currency=name, total=total, hold=Decimal(0)) for name, total in balances)

    async def open_orders(self) -> tuple[VenueOrder, ...]:
        """Every order that is not over, as far as it is shown yet."""
        await self._answered()
        return tuple(self._seen(order) for order in self.venue.shown() if not order.is_over)

    async def cancel(self, venue_order_ids: Sequence[VenueOrderId]) -> tuple[CancelOutcome, ...]:
        """Ask to cancel."""
        fault = self.fate.strike("venue.gate cancel", {"no answer": 0.1})
        await asyncio.sleep(self._trip())
        for one in venue_order_ids:
            self.venue.cancel(one)
        if fault is not None:
            raise OutcomeUnknown("no answer to a cancel")
        return tuple(CancelOutcome(venue_order_id=one, is_accepted=True, reason="") for one in venue_order_ids)

    async def amend(self, _body: bytes) -> str:
        """Refuse: no stop rests in a storm, so that nothing is amended."""
        await self._answered()
        return "ONLY_LIMIT_ORDER_EDITS_SUPPORTED"

    async def preview(self, _body: bytes) -> tuple[str, ...]:
        """Object to nothing."""
        await self._answered()
        return ()

    async def fills_since(self, start: datetime) -> tuple[VenueFill, ...]:
        """Every execution since then, as far as it is shown yet."""
        await self._answered()
        return tuple(VenueFill(**one.listed()) for one in self.venue.shown_executions() if one.at >= start)

    async def orders_since(self, start: datetime) -> tuple[VenueOrder, ...]:
        """Every order since then, as far as it is shown yet."""
        await self._answered()
        return tuple(self._seen(order) for order in self.venue.shown() if order.created_at >= start)

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder:
        """One order, as far as it is shown yet."""
        await self._answered()
        order = self.venue.orders[venue_order_id]
        if order not in self.venue.shown():
            raise VenueUnavailable(f"{venue_order_id} is not found")
        return self._seen(order)

    async def transfers(self, _currency: str, _since: datetime) -> tuple[VenueTransfer, ...]:
        """Nobody moves money in a storm."""
        await self._answered()
        return ()

    async def key_permissions(self) -> KeyPermissions:
        """View and trade."""
        await self._answered()
        return KeyPermissions(
            can_view=True, can_trade=True, can_transfer=False, portfolio_id="storm", portfolio_type="DEFAULT"
        )

    async def product_rules(self) -> tuple[ProductRules, ...]:
        """Asked by preflight only."""
        await self._answered()
        return ()

    async def clock_offset(self) -> timedelta:
        """Agree."""
        await self._answered()
        return timedelta()

    async def terms(self, products: Collection[str]) -> Mapping[str, ProductTerms]:
        """State the same terms as market-data does."""
        await self._answered()
        return {name: ProductTerms.model_validate({**spec(name).model_dump(), "taker_rate": FEE}) for name in products}

    async def report(self, _sizes: Mapping[str, Decimal]) -> FuturesReport:
        """There are no futures here."""
        raise VenueUnavailable("no futures")

    def traffic(self, _within: timedelta) -> Traffic:
        """Show a venue that is well: its failures are the storm's, and its guard has tests of its own."""
        return Traffic(requests=0, errors=0, budget_used=Decimal(0))

    async def observations(self) -> AsyncIterator[VenueOrder]:
        """Yield what the user channel brings."""
        while True:
            yield await self.frames.get()

    def show(self, order: Booked) -> None:
        """Put an order's present state on the gate's user channel."""
        self.frames.put_nowait(self._seen(order))

    def _seen(self, order: Booked) -> VenueOrder:
        return VenueOrder(
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            product=order.product,
            side=order.side,
            status=order.status,
            quantity=order.quantity,
            filled_quantity=order.filled,
            limit_price=order.limit_price,
            observed_at=self.venue.clock.now(),
        )

    async def _answered(self) -> None:
        fault = self.fate.strike("venue.read", _READ_ODDS)
        await asyncio.sleep(self.fate.seconds("venue.read", 0.1, 0.4) if fault == "slow" else self._trip())
        if fault == "unavailable":
            raise VenueUnavailable("HTTP 503")

    def _trip(self) -> float:
        return self.fate.seconds("venue.trip", *_TRIP)


def _give(reply: "asyncio.Future[bytes]", answer: bytes) -> None:
    if not reply.done():
        reply.set_result(answer)
