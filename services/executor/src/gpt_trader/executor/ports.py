"""What the executor needs of the world, and what may go wrong there."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gpt_trader.contracts.ids import VenueOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.message import Message
from gpt_trader.contracts.orders import Fill, OrderEvent
from gpt_trader.executor.domain.submission import CreateReply, Outcome
from gpt_trader.executor.domain.venue import VenueFill, VenueOrder
from gpt_trader.runtime.bus import Received
from gpt_trader.runtime.journal import Entry


class ExchangeUnavailable(Exception):
    """A read or cancel got no usable answer, also after retries; repeating it later is safe."""


class Submission(Protocol):
    """The two requests that change something at the venue."""

    def binds(self, intent: ApprovedIntent) -> bool:
        """Whether the body is the order that the intent names, and leaves here byte for byte."""
        ...

    async def create(self, intent: ApprovedIntent) -> CreateReply:
        """Send exactly the approved body, once; every ending is a reply, never an exception."""
        ...

    async def cancel(self, orders: Sequence[VenueOrderId]) -> None:
        """Ask the venue to cancel; raises ExchangeUnavailable. Only a later read tells what became of it."""
        ...


class VenueOrders(Protocol):
    """Orders as the venue lists them; each call is complete or raises ExchangeUnavailable."""

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder | None:
        """Return one order, or None while the venue does not show it."""
        ...

    async def orders_since(self, start: datetime) -> Sequence[VenueOrder]:
        """Return every order created since then, whatever its status."""
        ...

    async def open_orders(self) -> Sequence[VenueOrder]:
        """Return every order that the venue calls open."""
        ...


class VenueFills(Protocol):
    """Fills as the venue lists them; each call is complete or raises ExchangeUnavailable."""

    async def fills_of(self, venue_order_id: VenueOrderId) -> Sequence[VenueFill]:
        """Return all fills of one order."""
        ...

    async def fills_since(self, start: datetime) -> Sequence[VenueFill]:
        """Return all fills since then."""
        ...


class Exchange(Submission, VenueOrders, VenueFills, Protocol):
    """The venue as seen through the gate's egress."""


class UserChannel(Protocol):
    """The venue's live word on our orders: a trigger to look, never a source of figures."""

    async def serve(self, on_connected: Callable[[], None], on_order: Callable[[str, VenueOrderId], None]) -> None:
        """Call back for ever: after each (re)connect or gap, and per changed order with both its ids."""
        ...


class JournalFile(Protocol):
    """An fsynced, append-only file."""

    def append_all(self, records: Sequence[tuple[str, object]]) -> None:
        """Put records on disk, in order, before returning."""
        ...

    def entries(self) -> Iterator[Entry]:
        """Read back everything written."""
        ...


class ReportBus(Protocol):
    """Where reports go; `store` raises BusUnavailable or PublishUnknown, and repeating it is safe."""

    async def store(self, subject: str, message: Message, *, message_id: str) -> int:
        """Put it on disk, once per id."""
        ...


class Streams(Protocol):
    """What the bus keeps; reading it raises BusUnavailable."""

    async def last(self, stream: str, subject: str) -> Received | None:
        """Return the newest message on a subject."""
        ...

    def history(self, stream: str, *, subject_filter: str, start_time: datetime) -> AsyncIterator[Received]:
        """Read what was stored since then, in order."""
        ...


class Measurements(Protocol):
    """Counts and latencies of what the executor does."""

    def taken(self, verdict: str) -> None:
        """Count an intent by what was made of it: obeyed, or its flaw."""
        ...

    def submitted(self, outcome: Outcome, took: timedelta) -> None:
        """Count the outcome of a create and the real time from journal to answer."""
        ...

    def waited(self, stage: str, took: timedelta) -> None:
        """Measure a stage in real time."""
        ...

    def reported(self, event: OrderEvent) -> None:
        """Count a step of an order's life."""
        ...

    def filled(self, fill: Fill, intent: ApprovedIntent) -> None:
        """Count a fill of an approved order, and how far it was from where it was wished."""
        ...

    def doubtful(self, orders: int, open_orders: int) -> None:
        """Show how many orders are unknown and how many are live."""
        ...

    def asked(self, request: str) -> None:
        """Count a read or cancel, whether it is repeated or not."""
        ...

    def retried(self, request: str) -> None:
        """Count a repeated read or cancel."""
        ...

    def alerted(self, code: str) -> None:
        """Count an alert."""
        ...
