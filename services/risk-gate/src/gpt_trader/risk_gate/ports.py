"""What the gate needs from the world, and the errors it may meet there.

Exceptions, by what the caller can do:

    GateError
    ├── VenueUnavailable     nothing happened at the venue; trying again is safe
    ├── OutcomeUnknown       something may have happened; only a listing can tell
    └── StoreUnavailable     the state store did not answer; the most restrictive source wins
        └── StoreConflict    somebody else wrote the stored state, or it was lost or rolled back
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.ids import VenueOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.market import ProductTerms
from gpt_trader.contracts.message import Message
from gpt_trader.risk_gate.domain.futures.account import FuturesReport
from gpt_trader.risk_gate.domain.permits import PermitIssued, PermitOutcome, PermitRefused, Refusal
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


class GateError(Exception):
    """Something the gate depends on did not do its part."""


class VenueUnavailable(GateError):
    """Nothing happened at the venue; trying again is safe."""


class OutcomeUnknown(GateError):
    """Something may have happened at the venue; only a listing can tell."""


class StoreUnavailable(GateError):
    """The state store did not answer in time, or refused to write."""


class StoreConflict(StoreUnavailable):
    """The stored state is not the one last written: another writer, a flush, or an old copy."""


class Streams(Protocol):
    """The bus where it keeps what it is given; raises BusUnavailable, PublishUnknown, FencedOff."""

    async def store(
        self, subject: str, message: Message | bytes, *, message_id: str, expect_last_sequence: int | None = None
    ) -> int:
        """Put a message on disk and return its stream sequence; the same id again is the same message."""
        ...


class BusRoom(Protocol):
    """How full the bus's store is; raises BusUnavailable."""

    async def room(self, stream: str) -> int:
        """Return the bytes that a stream can still take."""
        ...


class Venue(Protocol):
    """Balances and orders as the venue has them; raises VenueUnavailable, `cancel` and `amend` also OutcomeUnknown."""

    async def accounts(self) -> tuple[Balance, ...]:
        """Every currency of the portfolio, paginated to the end."""
        ...

    async def open_orders(self) -> tuple[VenueOrder, ...]:
        """Every order that is not terminal, also what the venue has not taken up yet, paginated to the end."""
        ...

    async def cancel(self, venue_order_ids: Sequence[VenueOrderId]) -> tuple[CancelOutcome, ...]:
        """Ask to cancel these, in chunks the venue allows; one outcome per id."""
        ...

    async def amend(self, body: bytes) -> str:
        """Ask once for this change of an order; return why the venue refuses it, empty = it took the request."""
        ...


class Previews(Protocol):
    """The venue's word on an order before it is made; raises VenueUnavailable."""

    async def preview(self, body: bytes) -> tuple[str, ...]:
        """Return the venue's objections to this order; none = it would take it."""
        ...


class VenueHistory(Protocol):
    """What happened at the venue, by us or by others; raises VenueUnavailable."""

    async def fills_since(self, start: datetime) -> tuple[VenueFill, ...]:
        """Every execution of the portfolio since then, whoever ordered it, paginated to the end."""
        ...

    async def orders_since(self, start: datetime) -> tuple[VenueOrder, ...]:
        """Every order made since then, whoever made it and whatever became of it, paginated to the end."""
        ...

    async def order(self, venue_order_id: VenueOrderId) -> VenueOrder:
        """One order, open or over."""
        ...

    async def transfers(self, currency: str, since: datetime) -> tuple[VenueTransfer, ...]:
        """Completed deposits and withdrawals of a currency since then."""
        ...


class VenueFacts(Protocol):
    """What preflight must know before anything is signed; raises VenueUnavailable."""

    async def key_permissions(self) -> KeyPermissions:
        """Return what the exchange key may do."""
        ...

    async def product_rules(self) -> tuple[ProductRules, ...]:
        """Return what the venue says of each spot product."""
        ...

    async def clock_offset(self) -> timedelta:
        """Return the venue's clock minus our wall clock."""
        ...


class Exchange(Venue, Previews, VenueFacts, Protocol):
    """The venue as it is asked about orders and account."""


class VenueTraffic(Protocol):
    """How the venue takes our requests; never fails and asks nobody."""

    def traffic(self, within: timedelta) -> Traffic:
        """Count the requests of the last `within` of real time."""
        ...


class TermsSource(Protocol):
    """What the venue says of single products; raises VenueUnavailable."""

    async def terms(self, products: Collection[str]) -> Mapping[str, ProductTerms]:
        """Return the terms of those of these products that the venue lists and that can be understood."""
        ...


class FuturesVenue(Protocol):
    """The futures side of the account; raises VenueUnavailable."""

    async def report(self, sizes: Mapping[str, Decimal]) -> FuturesReport:
        """Return wallet, positions and margin window in one consistent look; `sizes` are contract sizes."""
        ...


class DropCopy(Protocol):
    """The gate's own view of its orders at the venue, independent of the executor."""

    def observations(self) -> AsyncIterator[VenueOrder]:
        """Order states of the user channel as they come, over reconnects, until cancelled."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredState:
    """The fast copy of the trading state; `version` rises with each save of an epoch."""

    version: int
    epoch: int
    status: TradingStatus
    head_hash: str
    heartbeat_at: datetime


class StateStore(Protocol):
    """The fast copy of the trading state outside the process; every call is bounded and raises StoreUnavailable."""

    async def load(self) -> StoredState | None:
        """Return what is stored; None = nothing is."""
        ...

    async def save(self, state: StoredState, expected_version: int | None) -> None:
        """Replace the state whose version is `expected_version` (None = nothing stored), else raise StoreConflict."""
        ...

    async def kill_requested(self) -> bool:
        """Whether the kill key exists, in any form."""
        ...


class Permits(Protocol):
    """What the egress asks before it sends; synchronous: nothing can happen between the answer and its record."""

    def purpose_of(self, body_sha256: str) -> Purpose | None:
        """Return what an approved body is for, so that the rate budget can prefer exits.

        None once its permit was issued: such a body must hear just that, for any other refusal declares it dead.
        """
        ...

    def is_on_its_way(self, body_sha256: str) -> bool:
        """Whether this body is approved, and the bus has yet to say that it keeps the approval."""
        ...

    def ask(self, body_sha256: str, origin_ns: int | None) -> PermitIssued | PermitRefused:
        """Return a permit that is already on disk, or the reason why there is none.

        `origin_ns` is the wall-clock time of the tick that started the chain (telemetry only).
        """
        ...

    def forgo(self, body_sha256: str) -> None:
        """Never permit this body from now on: who asked is told that its order is dead."""
        ...

    def answered(self, permit: PermitIssued, outcome: PermitOutcome) -> None:
        """Report the end of the create that this permit let out; call it exactly once per permit, also on failure."""
        ...

    def objection_to_cancel(self) -> Refusal | None:
        """Say why no cancel may leave now, or None."""
        ...

    def allows_read(self) -> bool:
        """Whether this gate may still speak to the venue at all: false once a later gate has claimed the epoch."""
        ...


class Disk(Protocol):
    """Where the journal is."""

    @property
    def written_until(self) -> datetime | None:
        """Real time of the last run's last record; None = there was none."""
        ...

    def free_bytes(self) -> int:
        """Return the room that is left."""
        ...

    def write(self) -> None:
        """Write and sync something small; raises OSError."""
        ...


class MachineClock(Protocol):
    """The machine's clock against one that nobody sets."""

    def wall(self) -> datetime:
        """Real time, UTC."""
        ...

    def drift(self) -> timedelta:
        """How far it was set."""
        ...
