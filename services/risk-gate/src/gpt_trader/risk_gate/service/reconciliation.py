"""Keeps the books and the venue in agreement, at start and from then on; it never sends an order to correct them."""

import asyncio
from dataclasses import dataclass, field

from gpt_trader.risk_gate.domain.consequences import reduce_only
from gpt_trader.risk_gate.domain.external import adopted, transfers_seen
from gpt_trader.risk_gate.domain.futures.account import FuturesReport
from gpt_trader.risk_gate.domain.futures.books import opened_with, paid_by_itself, with_futures
from gpt_trader.risk_gate.domain.reconcile import compared, differing, opening, unpriced
from gpt_trader.risk_gate.domain.records import CauseCleared, CauseRaised, Reconciled
from gpt_trader.risk_gate.domain.sweeps.conditions import restricts
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import Balance, VenueTransfer
from gpt_trader.risk_gate.ports import OutcomeUnknown, Venue, VenueUnavailable
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.futures_watch import FuturesWatch
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.lookout import Lookout
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.publisher import Publisher
from gpt_trader.risk_gate.service.sweeper import Sweeper
from gpt_trader.risk_gate.service.terms_watch import TermsWatch
from gpt_trader.risk_gate.service.venue_trust import VenueTrust
from gpt_trader.runtime import lifecycle, logs
from gpt_trader.runtime.health import Health

log = logs.get("risk-gate")

_RETRY_SECONDS = 0.5
_TRIES_PER_ROUND = 10
"""How much sooner it looks again while something is not settled; after so many looks nothing counts as agreed."""
_UNSURE = (CauseCode.UNRESOLVED_ORDER, CauseCode.MISSING_FILL, CauseCode.UNAPPROVED_ORDER)


@dataclass(slots=True, kw_only=True)
class Reconciliation:
    """Trading starts only once this has agreed; `every_seconds` of real time pass between two looks."""

    ledger: Ledger
    market: MarketWatch
    venue: Venue
    lookout: Lookout
    terms: TermsWatch
    futures: FuturesWatch
    trust: VenueTrust
    sweeper: Sweeper
    publisher: Publisher
    health: Health
    every_seconds: float
    is_started: asyncio.Event = field(default_factory=asyncio.Event)
    soon: asyncio.Event = field(default_factory=asyncio.Event)
    _unsettled: int = 0

    async def run(self) -> None:
        """Reconcile for ever: soon again before the first agreement and while something is on its way."""
        while True:
            lifecycle.heed_cancel()
            is_settled = await self.reconcile()
            self._unsettled = 0 if is_settled else self._unsettled + 1
            if self._unsettled >= _TRIES_PER_ROUND:
                self.publisher.is_reconciled = False
            sooner = max(self.every_seconds / _TRIES_PER_ROUND, min(self.every_seconds, _RETRY_SECONDS))
            pause = self.every_seconds if is_settled else sooner
            await self._wait(pause if self.is_started.is_set() else _RETRY_SECONDS)

    async def reconcile(self) -> bool:
        """Look once; returns whether everything could be compared."""
        try:
            await self.trust.check()
            await self.terms.keep_up()
            fills = self.ledger.state.fills
            orders = await self.venue.open_orders()
            balances = await self.venue.accounts()
            report = await self.futures.look()
            if not self.ledger.state.is_opened:
                self._venue_is_up()
                return self._open(balances, report)
            is_complete = await self.lookout.saw(orders)
        except (VenueUnavailable, OutcomeUnknown) as error:
            self._venue_is_down(str(error))
            return False
        self._venue_is_up()
        self.publisher.is_reconciled = self.publisher.is_reconciled and not self._is_unsure()
        if not is_complete or self.ledger.state.fills != fills:
            self._waits_for_the_books("the venue has orders or executions that the books do not have")
            return False
        return await self._settled(self._with_futures(balances, report)) and not self.ledger.state.order_drifts

    async def _settled(self, balances: tuple[Balance, ...]) -> bool:
        """Compare, and before calling it a mismatch ask the venue for transfers and carry out an adoption."""
        ledger = self.ledger
        fills, now = ledger.state.fills, ledger.clock.now()
        marks, quote = self.market.marks(now, ledger.policy), ledger.policy.quote_currency
        for one in differing(ledger.state, balances, marks, ledger.policy):
            listed = await self._transfers(one.currency)
            seen = transfers_seen(ledger.state, listed, marks, quote, now)
            ledger.commit(*seen)
            for record in seen:
                log.warning(record.kind, currency=one.currency, record=record.model_dump(mode="json"))
        if ledger.state.fills != fills:
            return False
        ledger.commit(
            *adopted(ledger.state, differing(ledger.state, balances, marks, ledger.policy), marks, quote, now)
        )
        return self._compare(balances)

    async def _transfers(self, currency: str) -> tuple[VenueTransfer, ...]:
        """Ask what moved this currency; a venue that does not tell explains nothing."""
        opened_at = self.ledger.state.opened_at
        if opened_at is None:
            return ()
        try:
            return await self.lookout.history.transfers(currency, opened_at)
        except VenueUnavailable as error:
            log.warning("transfers_unknown", currency=currency, reason=str(error))
            return ()

    def _with_futures(self, balances: tuple[Balance, ...], report: FuturesReport | None) -> tuple[Balance, ...]:
        """Count what the venue did to futures by itself, and put their side into the balances."""
        if report is None:
            return balances
        ledger, now = self.ledger, self.ledger.clock.now()
        by_itself = paid_by_itself(ledger.state, balances, report, ledger.policy, now)
        ledger.commit(*by_itself)
        for record in by_itself:
            log.info("paid_by_itself", kind=record.kind)
        return with_futures(ledger.state, balances, report, ledger.policy.quote_currency)

    def _open(self, balances: tuple[Balance, ...], report: FuturesReport | None) -> bool:
        """Adopt the first balances, once everything tradable among them has a mark."""
        ledger, now = self.ledger, self.ledger.clock.now()
        marks = self.market.marks(now, ledger.policy)
        waiting = [one for one in unpriced(balances, marks, ledger.policy) if one in self.market.specs]
        if not self.market.members or waiting:
            self.health.ready(False, f"waiting for the universe and marks of {waiting}")
            return False
        opened = opening(balances, marks, ledger.policy, now)
        ledger.commit(opened if report is None else opened_with(opened, report, ledger.policy.quote_currency))
        return self._compare(self._with_futures(balances, report))

    def _compare(self, balances: tuple[Balance, ...]) -> bool:
        ledger, now = self.ledger, self.ledger.clock.now()
        marks = self.market.marks(now, ledger.policy)
        found = compared(ledger.state, balances, marks, ledger.policy, now)
        is_equal = all(record.is_equal for record in found if isinstance(record, Reconciled))
        self.publisher.is_reconciled = is_equal and not self._is_unsure()
        metrics.RECONCILIATIONS.labels("equal" if is_equal else "different").inc()
        ledger.commit(*found)
        if not is_equal:
            log.error("books_differ_from_venue", differences=[str(one) for one in ledger.state.differences])
            self._waits_for_the_books("the books differ from the venue's balances")
            return True
        unseen = [name for name, held in ledger.state.portfolio.holdings.items() if held.quantity and name not in marks]
        if unseen and not self.is_started.is_set():
            self.health.ready(False, f"waiting for marks of {unseen}")
            return True
        if restricts(ledger.state, CauseCode.STARTING, now):
            self.sweeper.look()  # what trips now must hold before trading may begin
            ledger.commit(CauseCleared(code=CauseCode.STARTING, product=None, reason="reconciled", at=now))
        self.is_started.set()
        self.health.ready(True, "trading as the state allows")
        return True

    def _waits_for_the_books(self, reason: str) -> None:
        """Say why this start is not over; later differences restrict trading and make nobody unready."""
        if not self.is_started.is_set():
            self.health.ready(False, f"{reason}: gpt-trader status names the cause and what ends it")

    def _is_unsure(self) -> bool:
        """Whether something happened at the venue that the books can't have, however equal the balances are."""
        return any(restricts(self.ledger.state, code, self.ledger.clock.now()) for code in _UNSURE)

    async def _wait(self, seconds: float) -> None:
        """Wait for the next look; an operator's word on the books does not wait for it."""
        try:
            async with asyncio.timeout(seconds):
                await self.soon.wait()
        except TimeoutError:
            return
        self.soon.clear()

    def _venue_is_down(self, reason: str) -> None:
        now = self.ledger.clock.now()
        self.publisher.is_reconciled = False
        self.terms.doubt()
        log.error("venue_unavailable", reason=reason)
        if not restricts(self.ledger.state, CauseCode.VENUE_DOWN, now):
            self.ledger.commit(CauseRaised(cause=reduce_only(CauseCode.VENUE_DOWN, reason, now), at=now))

    def _venue_is_up(self) -> None:
        now = self.ledger.clock.now()
        if restricts(self.ledger.state, CauseCode.VENUE_DOWN, now):
            self.ledger.commit(CauseCleared(code=CauseCode.VENUE_DOWN, product=None, reason="it answers", at=now))
