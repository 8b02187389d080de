"""Keeps the books and the venue in agreement, at start and from then on."""

import asyncio
from dataclasses import dataclass, field

from gpt_trader.risk_gate.domain.consequences import reduce_only
from gpt_trader.risk_gate.domain.reconcile import compared, foreign, opening, unpriced
from gpt_trader.risk_gate.domain.records import CauseCleared, CauseRaised, Reconciled
from gpt_trader.risk_gate.domain.sweep import restricts
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import Balance
from gpt_trader.risk_gate.ports import OutcomeUnknown, Venue, VenueUnavailable
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.publisher import Publisher
from gpt_trader.risk_gate.service.venue_trust import VenueTrust
from gpt_trader.runtime import logs
from gpt_trader.runtime.health import Health

log = logs.get("risk-gate")

_RETRY_SECONDS = 0.5
_TRIES_PER_ROUND = 10
"""How often a round is tried while open orders or fills on their way leave nothing to compare."""


@dataclass(slots=True, kw_only=True)
class Reconciliation:
    """Trading starts only once this has agreed; `every_seconds` of real time pass between two looks."""

    ledger: Ledger
    market: MarketWatch
    venue: Venue
    trust: VenueTrust
    publisher: Publisher
    health: Health
    every_seconds: float
    is_started: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Reconcile for ever: soon again until the first agreement, then at the set pace."""
        while True:
            is_done = await self.reconcile()
            pause = self.every_seconds if is_done else self.every_seconds / _TRIES_PER_ROUND
            await asyncio.sleep(pause if self.is_started.is_set() else _RETRY_SECONDS)

    async def reconcile(self) -> bool:
        """Look once; returns whether there was something to compare."""
        try:
            await self.trust.check()
            orders = await self.venue.open_orders()
            fills = self.ledger.state.fills
            balances = await self.venue.accounts()
        except (VenueUnavailable, OutcomeUnknown) as error:
            self._venue_is_down(str(error))
            return False
        self._venue_is_up()
        now = self.ledger.clock.now()
        if not restricts(self.ledger.state, CauseCode.UNAPPROVED_ORDER, now):
            self.ledger.commit(*foreign(self.ledger.state, orders, now))
        if not self.ledger.state.is_opened:
            return self._open(balances)
        if restricts(self.ledger.state, CauseCode.UNRESOLVED_ORDER, now):
            self.publisher.is_reconciled = False
        if self.ledger.state.approvals or self.ledger.state.fills != fills:
            return False
        self._compare(balances)
        return True

    def _open(self, balances: tuple[Balance, ...]) -> bool:
        """Adopt the first balances, once everything tradable among them has a mark."""
        ledger, now = self.ledger, self.ledger.clock.now()
        marks = self.market.marks(now, ledger.policy)
        waiting = [one for one in unpriced(balances, marks, ledger.policy) if one in self.market.specs]
        if not self.market.members or waiting:
            self.health.ready(False, f"waiting for the universe and marks of {waiting}")
            return False
        ledger.commit(opening(balances, marks, ledger.policy, now))
        self._compare(balances)
        return True

    def _compare(self, balances: tuple[Balance, ...]) -> None:
        ledger, now = self.ledger, self.ledger.clock.now()
        marks = self.market.marks(now, ledger.policy)
        found = compared(ledger.state, balances, marks, ledger.policy, now)
        is_equal = all(record.is_equal for record in found if isinstance(record, Reconciled))
        self.publisher.is_reconciled = is_equal
        metrics.RECONCILIATIONS.labels("equal" if is_equal else "different").inc()
        ledger.commit(*found)
        if not is_equal:
            log.error("books_differ_from_venue", records=[record.kind for record in found])
            return
        unseen = [name for name, held in ledger.state.portfolio.holdings.items() if held.quantity and name not in marks]
        if unseen and not self.is_started.is_set():
            self.health.ready(False, f"waiting for marks of {unseen}")
            return
        if restricts(ledger.state, CauseCode.STARTING, now):
            ledger.commit(CauseCleared(code=CauseCode.STARTING, product=None, reason="reconciled", at=now))
        self.is_started.set()
        self.health.ready(True, "trading as the state allows")

    def _venue_is_down(self, reason: str) -> None:
        now = self.ledger.clock.now()
        self.publisher.is_reconciled = False
        log.error("venue_unavailable", reason=reason)
        if not restricts(self.ledger.state, CauseCode.VENUE_DOWN, now):
            self.ledger.commit(CauseRaised(cause=reduce_only(CauseCode.VENUE_DOWN, reason, now), at=now))

    def _venue_is_up(self) -> None:
        now = self.ledger.clock.now()
        if restricts(self.ledger.state, CauseCode.VENUE_DOWN, now):
            self.ledger.commit(CauseCleared(code=CauseCode.VENUE_DOWN, product=None, reason="it answers", at=now))
