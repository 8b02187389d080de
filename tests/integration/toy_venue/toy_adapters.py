"""The toy venue behind the ports: prices in, approved orders out through the gate's last hop, fills back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp

from gpt_trader.contracts.forms import OrderForm
from gpt_trader.contracts.ids import ClientOrderId, FillId, VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.market import Tick
from gpt_trader.contracts.orders import FillKind, Liquidity, OrderStatus
from gpt_trader.contracts.signals import Side
from gpt_trader.executor.domain.submission import Created, CreateReply, Declined, ErrorStatus
from gpt_trader.executor.domain.venue import VenueFill, VenueOrder
from gpt_trader.risk_gate.adapters.budget import RateBudget
from gpt_trader.risk_gate.adapters.egress.routes import BATCH_CANCEL, ORDERS
from gpt_trader.risk_gate.adapters.venue_link import Answer
from gpt_trader.risk_gate.domain.increments import plain
from gpt_trader.risk_gate.domain.spelling import Change, NoBody, Ticket
from gpt_trader.risk_gate.ports import OutcomeUnknown

LISTED = f"{ORDERS}/historical"
_STATES = {"done": OrderStatus.FILLED, "waiting": OrderStatus.OPEN, "gone": OrderStatus.CANCELED}
_MODES = {OrderForm.LIMIT_IOC: "now", OrderForm.LIMIT_GTD: "stay"}
_WAYS = {Side.BUY: "in", Side.SELL: "out"}


@dataclass(frozen=True, slots=True)
class ToyQuotes:
    """Market data: the venue's best prices as a tick."""

    session: aiohttp.ClientSession
    address: str

    async def tick(self, product: str, now: datetime) -> Tick:
        async with self.session.get(f"{self.address}/top") as response:
            top = (await response.json())[product.replace("-", "/")]
        (bid, bid_quantity), (ask, ask_quantity) = top["b"], top["a"]
        return Tick(
            product=product, bid=Decimal(bid), ask=Decimal(ask), bid_quantity=Decimal(bid_quantity),
            ask_quantity=Decimal(ask_quantity), last_price=Decimal(bid), sequence=top["n"], occurred_at=now,
            received_at=now,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ToyBodies:
    """The gate's spelling: an order is a list of seven; nothing that rests can be changed."""

    def create(self, ticket: Ticket, client_id: ClientOrderId | None) -> str:
        shape = ticket.shape
        if shape.form not in _MODES:
            raise NoBody(shape.form)
        until = None if shape.end_time is None else int(shape.end_time.timestamp() * 1000)
        pair, way = ticket.product.replace("-", "/"), _WAYS[ticket.side]
        amount, price = plain(ticket.quantity), plain(ticket.limit_price)
        return json.dumps([pair, way, amount, price, _MODES[shape.form], until, client_id])

    def edit(self, change: Change) -> str:
        raise NoBody(f"{change.venue_order_id}: the toy changes nothing")


@dataclass(frozen=True, slots=True)
class ToyLink:
    """The last hop: the same bytes to the toy's own places."""

    session: aiohttp.ClientSession
    address: str
    budget: RateBudget

    async def send(
        self, method: str, path: str, query: str = "", body: bytes | None = None, since: datetime | None = None
    ) -> Answer:
        assert (since is not None) == (path == ORDERS)
        if path == BATCH_CANCEL:
            answers = [await self._asked("DELETE", f"/order/{ref}", None) for ref in json.loads(body or b"[]")]
            return answers[-1]
        return await self._asked(method, _place(path, query), body)

    async def _asked(self, method: str, place: str, body: bytes | None) -> Answer:
        try:
            async with self.session.request(method, self.address + place, data=body) as response:
                return Answer(status=response.status, headers={}, body=await response.read())
        except aiohttp.ClientError as error:
            raise OutcomeUnknown(repr(error)) from error


def _place(path: str, query: str) -> str:
    if path == ORDERS:
        return "/place"
    listed = path.removeprefix(f"{LISTED}/")
    if listed == "batch":
        return "/orders"
    return f"/trades/{query.removeprefix('order_ids=')}" if listed == "fills" else f"/order/{listed}"


@dataclass(frozen=True, slots=True)
class ToyExchange:
    """The executor's side, through the gate's egress and nowhere else."""

    session: aiohttp.ClientSession
    egress: str

    def binds(self, intent: ApprovedIntent) -> bool:
        pair, way, amount, price, mode, _, tag = json.loads(intent.body)
        named = (pair.replace("/", "-"), way, Decimal(amount), Decimal(price), mode, tag)
        own = (intent.product, _WAYS[intent.side], intent.quantity, intent.limit_price, _MODES[intent.form])
        return named == (*own, intent.client_order_id)

    async def create(self, intent: ApprovedIntent) -> CreateReply:
        status, answer = await self._post(ORDERS, intent.body)
        if status == 201:
            return Created(venue_order_id=VenueOrderId(str(answer["ref"])), client_order_id=intent.client_order_id)
        if status == 422:
            return Declined(reason=answer["no"])
        return ErrorStatus(status=status, error=answer["error"], details=answer["error_details"])

    async def cancel(self, orders: Sequence[VenueOrderId]) -> None:
        status, answer = await self._post(BATCH_CANCEL, json.dumps(list(orders)))
        assert status == 200, answer

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder | None:
        row = await self.row(venue_order_id)
        at = datetime.fromtimestamp(row["at"] / 1000, tz=UTC)
        return VenueOrder(
            venue_order_id=venue_order_id, client_order_id=ClientOrderId(row["tag"]),
            product=row["pair"].replace("/", "-"), status=_STATES[row["state"]], filled_quantity=Decimal(row["done"]),
            reason="", created_at=at, updated_at=at,
        )  # fmt: skip

    async def orders_since(self, start: datetime) -> Sequence[VenueOrder]:
        """Look at each order by itself: the list does not say whose it is."""
        listed = await self._read(f"{LISTED}/batch")
        found = [await self.order(VenueOrderId(str(number))) for number, _ in listed]
        return [one for one in found if one is not None and one.created_at >= start]

    async def open_orders(self) -> Sequence[VenueOrder]:
        listed = await self.orders_since(datetime.min.replace(tzinfo=UTC))
        return [one for one in listed if not one.status.is_terminal]

    async def fills_of(self, venue_order_id: VenueOrderId) -> Sequence[VenueFill]:
        order, row = await self.order(venue_order_id), await self.row(venue_order_id)
        assert order is not None
        listed = await self._read(f"{LISTED}/fills?order_ids={venue_order_id}")
        return [
            VenueFill(
                fill_id=FillId(name), trade_id=name, venue_order_id=venue_order_id, product=order.product,
                side=Side.BUY if row["way"] == "in" else Side.SELL, kind=FillKind.FILL, quantity=Decimal(quantity),
                price=Decimal(price), fee=Decimal(fee), liquidity=Liquidity.TAKER,
                occurred_at=datetime.fromtimestamp(at / 1000, tz=UTC),
            )
            for name, quantity, price, fee, at in listed
        ]  # fmt: skip

    async def fills_since(self, start: datetime) -> Sequence[VenueFill]:
        return [fill for one in await self.orders_since(start) for fill in await self.fills_of(one.venue_order_id)]

    async def row(self, venue_order_id: VenueOrderId) -> dict[str, Any]:
        """Return an order in the toy's own words."""
        row: dict[str, Any] = await self._read(f"{LISTED}/{venue_order_id}")
        return row

    async def _post(self, path: str, body: str) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"}
        async with self.session.post(self.egress + path, data=body.encode(), headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def _read(self, target: str) -> Any:
        async with self.session.get(self.egress + target) as response:
            assert response.status == 200, await response.text()
            return await response.json(content_type=None)
