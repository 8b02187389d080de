"""Keeps one stop per position at the venue, and takes it back before anything else exits the position."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from gpt_trader.contracts.decisions import MarketView, Verdict
from gpt_trader.contracts.intents import Purpose
from gpt_trader.risk_gate.domain.amending import Amended, amend
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.exposure import resting
from gpt_trader.risk_gate.domain.review import review
from gpt_trader.risk_gate.domain.venue_stops import Amend, Place, Withdraw, stop_orders, stop_signal, withdrawals
from gpt_trader.risk_gate.service.amendments import Amendments
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.pacing import Pacing
from gpt_trader.risk_gate.service.verdicts import Verdicts
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

_RELEASED_SECONDS = 5.0
"""Longest wait for the end of a stop: what exits then is sized on what the stop may still take."""


@dataclass(slots=True, kw_only=True)
class VenueStops:
    """Its memory is the ledger; here is only who waits for a stop's end, and when one was tried last."""

    ledger: Ledger
    market: MarketWatch
    verdicts: Verdicts
    amendments: Amendments
    _exiting: Counter[str] = field(default_factory=Counter)
    _pacing: Pacing = field(default_factory=lambda: Pacing(longest=timedelta(minutes=1)))

    async def keep(self, markets: Mapping[str, MarketView], exiting: Collection[str]) -> None:
        """Bring the venue's stops in line with the positions; products that are being exited get none."""
        ledger, wall = self.ledger, self.ledger.clock.wall()
        for change in tuple(stop_orders(ledger.state, markets, ledger.policy, ledger.clock.now())):
            match change:
                case Withdraw():
                    await self.verdicts.withdraw(change.approval, change.reason)
                case Amend():
                    self._amend(change)
                case Place():
                    is_free = change.product not in exiting and not self._exiting[change.product]
                    if is_free and self._pacing.may_try(change.product, change.position, wall):
                        await self._place(change, wall)
                case _:
                    assert_never(change)

    async def take_back(self, product: str, reason: str) -> None:
        """Ask for the end of all that rests for a product; only the executor's report says that it came."""
        for one in withdrawals(self.ledger.state, product, reason, self.ledger.clock.now()):
            await self.verdicts.withdraw(one.approval, one.reason)

    @asynccontextmanager
    async def released(self, product: str, reason: str) -> AsyncIterator[None]:
        """Have gone what rests for a product, or have waited long enough, and place no stop meanwhile."""
        self._exiting[product] += 1
        try:
            await self.take_back(product, reason)
            if not await self.ledger.until(lambda state: not resting(state.approvals, product), _RELEASED_SECONDS):
                log.error("stop_still_open", product=product, reason=reason)
            yield
        finally:
            self._exiting[product] -= 1

    def _amend(self, change: Amend) -> None:
        """Have a stop changed that would be approved as it is to be, were it placed anew; else take it back later."""
        ledger, own = self.ledger, change.approval.client_order_id
        request = self._request(change.place)
        if request is None or self._exiting[change.place.product]:
            return
        without = replace(ledger.state, approvals=ledger.state.approvals.without(own))
        found = review(request, without, ledger.policy)
        if found.verdict is Verdict.DENIED or found.limit_price is None:
            return
        if found.quantity != change.quantity - change.approval.counted:
            return
        wanted = Amended(quantity=change.quantity, limit_price=found.limit_price, stop_price=change.place.stop_price)
        reason, spelling = "the position or its stop has changed", self.verdicts.spelling
        asked = amend(change.approval, wanted, reason, spelling, ledger.clock.now())
        if asked is not None:
            self.amendments.soon(asked)

    async def _place(self, place: Place, wall: datetime) -> None:
        record = await self.verdicts.give(lambda: self._request(place))
        if record is None:
            return
        verdict = record.decision.verdict
        log.info("stop_placed", product=place.product, stop_price=str(place.stop_price), verdict=verdict.value)
        self._pacing.tried(place.product, place.position, verdict, wall)

    def _request(self, place: Place) -> Request | None:
        view, now = self.market.view(place.product, None), self.ledger.clock.now()
        if view.tick is None:
            return None
        cause = f"stop/{self.ledger.state.epoch}/{self.ledger.state.decisions}"
        return Request(
            signal=stop_signal(place, view.tick, cause, now),
            purpose=Purpose.PROTECTIVE,
            market=view,
            marks=self.market.marks(now, self.ledger.policy),
            is_in_universe=place.product in self.market.members,
            slice_quantity=None,
            preview=None,
            now=now,
            stop_price=place.stop_price,
        )
