"""Looks at the venue's own lists for what nobody told us: strangers' orders, drifts, lost fills, fates of orders."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gpt_trader.contracts.orders import FillKind
from gpt_trader.risk_gate.domain.evidence import (
    RESOLVED_WITHIN,
    Listing,
    Uncounted,
    fill_told,
    inquiry_ended,
    is_asked,
    order_told,
    undecided,
)
from gpt_trader.risk_gate.domain.external import explained
from gpt_trader.risk_gate.domain.order_drift import orders_compared
from gpt_trader.risk_gate.domain.strangers import foreign, is_ours
from gpt_trader.risk_gate.domain.venue import VenueFill, VenueOrder
from gpt_trader.risk_gate.ports import VenueHistory
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

_ON_ITS_WAY = timedelta(seconds=5)
"""Real time in which a report reaches us by the executor: what is younger is not missing, and orders differ briefly."""
_SLACK = timedelta(minutes=10)
"""Real time by which the venue's stamp of an order may precede our permit."""
_OVERLAP = timedelta(minutes=2)
"""Real time that is listed again each time, for the venue's listing may lag behind its book."""


@dataclass(slots=True, kw_only=True)
class Lookout:
    """Compares lists of orders and fills; what it finds is in the ledger when it returns.

    `listed_within` is the real time after which the venue's lists have every order that it took.
    """

    ledger: Ledger
    history: VenueHistory
    listed_within: timedelta
    _compared_at: datetime | None = None

    async def saw(self, orders: tuple[VenueOrder, ...]) -> bool:
        """Look once; False while our books lack executions of the venue. Raises VenueUnavailable."""
        ledger, now = self.ledger, self.ledger.clock.now()
        ledger.commit(*foreign(ledger.state, orders, now))
        if self._compared_at is None or now - self._compared_at >= ledger.clock.stretch(_ON_ITS_WAY):
            self._compared_at = now
            ledger.commit(*orders_compared(ledger.state, orders, ledger.policy, now))
        uncounted = await self._uncounted()
        late = [fill for fill in uncounted if fill.occurred_at <= now - ledger.clock.stretch(_ON_ITS_WAY)]
        found = tuple([Uncounted(fill, await self.history.order(fill.venue_order_id)) for fill in late])
        self._count(tuple(one for one in found if one.fill.fill_id not in ledger.state.portfolio.fill_ids), now)
        await self._decide((*orders, *(one.order for one in found)))
        counted = ledger.state.portfolio.fill_ids
        return all(fill.fill_id in counted for fill in uncounted)

    def _count(self, found: tuple[Uncounted, ...], now: datetime) -> None:
        """Count ours that nobody reported in time, or that an operator asks for; say what the others are."""
        ledger = self.ledger
        for one in sorted(found, key=_happened):
            is_due = is_asked(ledger.state, one.fill.occurred_at) or one.fill.occurred_at <= self._silent_since(now)
            if is_due and is_ours(one.order, ledger.state):
                ledger.commit(fill_told(one, ledger.state, ledger.policy, ledger.clock.now()))
        before = ledger.state.portfolio.fill_ids
        still = tuple(one for one in found if one.fill.fill_id not in before)
        ledger.commit(*explained(ledger.state, still, ledger.clock.now()))
        for one in found:
            if one.fill.fill_id in ledger.state.portfolio.fill_ids:
                log.warning("fill_counted_on_venues_word", fill_id=one.fill.fill_id, product=one.fill.product)

    async def _decide(self, known: tuple[VenueOrder, ...]) -> None:
        """Have the venue's complete list of orders tell the fate of those of which nobody else does."""
        ledger, began_at = self.ledger, self.ledger.clock.now()
        fence = ledger.clock.stretch(ledger.create_life + self.listed_within)
        silent = undecided(ledger.state, ledger.policy, self._silent_since(began_at))
        if silent:
            since = min(kept.permitted_at or began_at for kept in silent) - ledger.clock.stretch(_SLACK)
            orders = await self.history.orders_since(since)
            listing = Listing(since=since, began_at=began_at, fence=fence, orders=orders)
            if not listing.is_whole(ledger.state, known):
                log.error("listing_has_a_hole", since=since.isoformat(), orders=len(orders))
                return
            for kept in silent:
                told = order_told(kept, listing, ledger.state, ledger.clock.now())
                ledger.commit(*told)
                for one in told:
                    log.warning("order_told_by_venue", order=kept.client_order_id, status=one.event.status.value)
        ledger.commit(*inquiry_ended(ledger.state, began_at, fence, ledger.clock.now()))

    def _silent_since(self, now: datetime) -> datetime:
        return now - self.ledger.clock.stretch(RESOLVED_WITHIN)

    async def _uncounted(self) -> list[VenueFill]:
        """List executions that are not in the books, since these last agreed; those before we opened are in them."""
        state = self.ledger.state
        opened_at = state.opened_at
        if opened_at is None:
            return []
        since = opened_at
        if state.reconciled_at is not None:
            since = max(opened_at, state.reconciled_at - self.ledger.clock.stretch(_OVERLAP))
        listed = await self.history.fills_since(since)
        known = self.ledger.state.portfolio.fill_ids
        return [fill for fill in listed if fill.occurred_at > opened_at and fill.fill_id not in known]


def _happened(one: Uncounted) -> tuple[datetime, bool]:
    """Order by time, and what a correction restates before it: the venue lists the newest first."""
    return one.fill.occurred_at, one.fill.kind is not FillKind.FILL
