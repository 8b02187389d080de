"""What the gate needs from the world, and the errors it may meet there.

Exceptions, by what the caller can do:

    GateError
    ├── VenueUnavailable     nothing happened at the venue; trying again is safe
    ├── OutcomeUnknown       something may have happened; only a listing can tell
    └── StoreUnavailable     the state store did not answer; the most restrictive source wins
        └── StoreConflict    somebody else wrote the stored state, or it was lost or rolled back
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gpt_trader.contracts.account import TradingStatus
from gpt_trader.contracts.ids import VenueOrderId
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.message import Message
from gpt_trader.risk_gate.domain.permits import PermitIssued, PermitOutcome, PermitRefused
from gpt_trader.risk_gate.domain.venue import Balance, CancelOutcome, KeyPermissions, VenueOrder


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


class Venue(Protocol):
    """Balances and orders as the venue has them; raises VenueUnavailable, `cancel` also OutcomeUnknown."""

    async def accounts(self) -> tuple[Balance, ...]:
        """Every currency of the portfolio, paginated to the end."""
        ...

    async def open_orders(self) -> tuple[VenueOrder, ...]:
        """Every order that is not terminal, PENDING and QUEUED included, paginated to the end."""
        ...

    async def cancel(self, venue_order_ids: Sequence[VenueOrderId]) -> tuple[CancelOutcome, ...]:
        """Ask to cancel these, in chunks the venue allows; one outcome per id."""
        ...


class VenueFacts(Protocol):
    """What preflight must know before anything is signed; raises VenueUnavailable."""

    async def key_permissions(self) -> KeyPermissions:
        """Return what the exchange key may do."""
        ...

    async def clock_offset(self) -> timedelta:
        """Return the venue's clock minus our wall clock."""
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

    def ask(self, body_sha256: str, origin_ns: int | None) -> PermitIssued | PermitRefused:
        """Return a permit that is already on disk, or the reason why there is none.

        `origin_ns` is the wall-clock time of the tick that started the chain (telemetry only).
        """
        ...

    def answered(self, permit: PermitIssued, outcome: PermitOutcome) -> None:
        """Report the end of the create that this permit let out; call it exactly once per permit, also on failure."""
        ...

    def allows_cancel(self) -> bool:
        """Whether this gate may still speak to the venue at all: false once a later gate has claimed the epoch."""
        ...
