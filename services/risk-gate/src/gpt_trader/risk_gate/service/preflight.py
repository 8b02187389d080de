"""Asks everything that the gate rests on, one line each; an answer that does not come is a finding as well."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.preflight import (
    Finding,
    Result,
    of_balance,
    of_clock,
    of_disk,
    of_key,
    of_policy,
    of_products,
)
from gpt_trader.risk_gate.ports import (
    Disk,
    OutcomeUnknown,
    StateStore,
    StoreUnavailable,
    Venue,
    VenueFacts,
    VenueUnavailable,
)
from gpt_trader.runtime.bus import BusError, NotDurable

_BROKEN = (VenueUnavailable, OutcomeUnknown, StoreUnavailable, BusError, NotDurable, OSError)


class Preflights(Protocol):
    """What a wrong publication must lead to."""

    async def __call__(self) -> str:
        """Return how the server refused it; raises BusError if it did not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """`durability` and `refusal` speak to the bus: is every write synced, is a wrong publisher refused."""

    venue: Venue
    facts: VenueFacts
    store: StateStore
    disk: Disk
    policy: Policy
    least_bytes: int
    slow_write: timedelta
    is_live: bool
    durability: Callable[[], Awaitable[None]]
    refusal: Preflights

    async def findings(self) -> tuple[Finding, ...]:
        """Look at everything in order; nothing stops the rest."""
        advice = "gpt-trader status; docs/operations.md"
        return (
            of_policy(self.policy, is_live=self.is_live),
            await _asked("disk", "check the journal's folder", self._disk),
            await _asked("bus", f"start the bus with sync_interval: always ({advice})", self._bus),
            await _asked("permissions", "provision the bus with the shipped accounts", self._permissions),
            await _asked("state store", "start the state store and check redis_url and its password", self._store),
            await _asked("venue", "check the network, venue_rest and the key file", self._venue),
            await _asked("key scopes", "the venue refused the key: check it in the CDP portal", self._key),
            await _asked("clock", "the venue's time could not be read", self._clock),
            await _asked("balance", "the venue's accounts could not be read", self._balance),
            await _asked("products", "the venue's product rules could not be read", self._products),
        )

    async def _disk(self) -> Finding:
        before = time.monotonic()
        self.disk.write()
        wait = timedelta(seconds=time.monotonic() - before)
        return of_disk(self.disk.free_bytes(), self.least_bytes, wait, self.slow_write)

    async def _bus(self) -> Finding:
        await self.durability()
        return Finding("bus", Result.OK, "answers, every write is synced")

    async def _permissions(self) -> Finding:
        return Finding("permissions", Result.OK, f"a wrong publisher is refused ({await self.refusal()})")

    async def _store(self) -> Finding:
        is_killed = await self.store.kill_requested()
        return Finding("state store", Result.OK, "answers; the kill key is set" if is_killed else "answers")

    async def _venue(self) -> Finding:
        count = len(await self.venue.open_orders())
        return Finding("venue", Result.OK, f"answers; {count} open orders")

    async def _key(self) -> Finding:
        return of_key(await self.facts.key_permissions())

    async def _clock(self) -> Finding:
        return of_clock(await self.facts.clock_offset(), is_live=self.is_live)

    async def _balance(self) -> Finding:
        return of_balance(await self.venue.accounts(), self.policy.quote_currency, is_live=self.is_live)

    async def _products(self) -> Finding:
        return of_products(await self.facts.product_rules(), self.policy)


async def _asked(check: str, advice: str, ask: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await ask()
    except _BROKEN as error:
        return Finding(check, Result.FAILED, f"{type(error).__name__} {error}".rstrip(), advice)
