"""The executor's way to the venue: every request crosses to the gate's egress, which may be gone, or die on the way."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from gpt_trader.contracts.ids import VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.executor.adapters import parse
from gpt_trader.executor.domain.submission import CreateReply, Silence, Unreadable
from gpt_trader.executor.domain.venue import VenueFill, VenueOrder
from gpt_trader.executor.ports import ExchangeUnavailable
from gpt_trader.lab.storm.fate import Fate
from gpt_trader.lab.storm.timeline import ProcessLoop
from gpt_trader.lab.storm.venue import Booked, StormVenue
from gpt_trader.risk_gate.adapters.venue_link import Answer

T = TypeVar("T")

_TRIP = (0.0005, 0.005)
_REQUEST_SECONDS = 1.3
_OK = 200
_POST_ODDS = {"lost": 0.01, "answer lost": 0.02, "twice": 0.04, "slow": 0.15}
_READ_ODDS = {"lost": 0.03, "slow": 0.03}
_FRAME_ODDS = {"lost": 0.10, "twice": 0.05, "late": 0.10}


class Post(Protocol):
    """What the gate's egress does with a create."""

    async def post(self, body: bytes, origin_ns: int | None) -> Answer:
        """Forward it, or say why not."""
        ...


@dataclass(slots=True)
class Egress:
    """The door of the gate that is up at present; requests that are inside when it dies get no answer."""

    door: Post | None = None
    loop: ProcessLoop | None = None
    waiting: list[Callable[[Answer | None], None]] = field(default_factory=list)

    def open(self, door: Post, loop: ProcessLoop) -> None:
        """Serve from now on, until the process dies."""
        self.door, self.loop = door, loop
        loop.on_death.append(self.shut)

    def shut(self) -> None:
        """Reset every connection."""
        self.door = None
        waiting, self.waiting = self.waiting, []
        for answered in waiting:
            answered(None)

    def post(self, body: bytes, answered: Callable[[Answer | None], None]) -> None:
        """Take a create, and answer once; None = the connection broke."""
        if self.door is None or self.loop is None:
            answered(None)
            return
        self.waiting.append(answered)
        self.loop.create_task(self._post(self.door, body, answered))

    async def _post(self, door: Post, body: bytes, answered: Callable[[Answer | None], None]) -> None:
        answer = await door.post(body, None)
        if answered in self.waiting:
            self.waiting.remove(answered)
            answered(answer)


@dataclass(slots=True, eq=False)
class StormExchange:
    """Implements the executor's Exchange and UserChannel ports."""

    loop: ProcessLoop
    world_loop: ProcessLoop
    egress: Egress
    venue: StormVenue
    fate: Fate
    frames: asyncio.Queue[Booked | None] = field(default_factory=asyncio.Queue)

    def binds(self, intent: ApprovedIntent) -> bool:
        """Read the body as the executor's adapter does."""
        return parse.binds(intent)

    async def create(self, intent: ApprovedIntent) -> CreateReply:
        """Post exactly the approved body; the network may deliver it twice, late or never."""
        body = json.dumps(json.loads(intent.body)).encode()
        fault = self.fate.strike("egress.post", _POST_ODDS)
        if fault == "slow":
            await asyncio.sleep(self.fate.seconds("egress.post", 0.1, 2.4))
        reply: asyncio.Future[Answer | None] = self.loop.create_future()

        def answered(answer: Answer | None) -> None:
            self.loop.later(self._trip(), _give, reply, answer)

        if fault != "lost":
            self.world_loop.later(self._trip(), self.egress.post, body, _nobody if fault == "answer lost" else answered)
        if fault == "twice":
            self.world_loop.later(self._trip(), self.egress.post, body, _nobody)
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                return _read(await reply)
        except TimeoutError:
            return Silence(detail="no answer in time")

    async def cancel(self, orders: Sequence[VenueOrderId]) -> None:
        """Ask the venue to cancel."""
        await self._through()
        for one in orders:
            self.venue.cancel(one)
        await self._through()

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder | None:
        """Read one order; None while it is not shown."""
        await self._through()
        return next((_order(one) for one in self.venue.shown() if one.venue_order_id == venue_order_id), None)

    async def orders_since(self, start: datetime) -> Sequence[VenueOrder]:
        """List whole, or raise."""
        await self._through()
        return [_order(one) for one in self.venue.shown() if one.created_at >= start]

    async def open_orders(self) -> Sequence[VenueOrder]:
        """List what works."""
        await self._through()
        return [_order(one) for one in self.venue.shown() if not one.is_over]

    async def fills_of(self, venue_order_id: VenueOrderId) -> Sequence[VenueFill]:
        """List the fills of one order."""
        await self._through()
        shown = self.venue.shown_executions()
        return [VenueFill(**one.listed()) for one in shown if one.venue_order_id == venue_order_id]

    async def fills_since(self, start: datetime) -> Sequence[VenueFill]:
        """List the fills since then."""
        await self._through()
        return [VenueFill(**one.listed()) for one in self.venue.shown_executions() if one.at >= start]

    async def serve(self, on_connected: Callable[[], None], on_order: Callable[[str, VenueOrderId], None]) -> None:
        """Hand over what the user channel brings; None = it was connected anew."""
        on_connected()
        while True:
            order = await self.frames.get()
            if order is None:
                on_connected()
            else:
                on_order(order.client_order_id, order.venue_order_id)

    def show(self, order: Booked) -> None:
        """Put a change on the user channel, which may lose, repeat and delay it."""
        if self.loop.is_dead:
            return
        fault = self.fate.strike("user channel", _FRAME_ODDS)
        if fault == "lost":
            self.loop.later(0.4, self.frames.put_nowait, None)  # the gap in the sequence makes it connect anew
            return
        seconds = self.fate.seconds("user channel", 0.05, 0.6) if fault == "late" else self._trip()
        self.loop.later(seconds, self.frames.put_nowait, order)
        if fault == "twice":
            self.loop.later(2 * seconds, self.frames.put_nowait, order)

    async def _through(self) -> None:
        """Cross to the gate and on; without a gate there is no way."""
        fault = self.fate.strike("egress.read", _READ_ODDS)
        await asyncio.sleep(self.fate.seconds("egress.read", 0.1, 0.6) if fault == "slow" else self._trip())
        if fault == "lost" or self.egress.door is None:
            raise ExchangeUnavailable("no answer from the egress")

    def _trip(self) -> float:
        return self.fate.seconds("egress.trip", *_TRIP)


def _read(answer: Answer | None) -> CreateReply:
    """Read an answer as the executor's adapter does."""
    if answer is None:
        return Silence(detail="connection reset")
    if answer.status != _OK:
        return parse.error_status(answer.status, answer.body.decode())
    try:
        return parse.create_reply(json.loads(answer.body))
    except json.JSONDecodeError as error:
        return Unreadable(detail=repr(error))


def _order(order: Booked) -> VenueOrder:
    return VenueOrder(
        venue_order_id=order.venue_order_id,
        client_order_id=order.client_order_id,
        product=order.product,
        status=order.status,
        filled_quantity=order.filled,
        reason="",
        created_at=order.created_at,
        updated_at=order.updated_at,
    )


def _give(reply: "asyncio.Future[Answer | None]", answer: Answer | None) -> None:
    if not reply.done():
        reply.set_result(answer)


def _nobody(_answer: Answer | None) -> None:
    """Lose an answer."""
