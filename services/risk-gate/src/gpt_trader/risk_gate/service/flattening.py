"""Carries out an operator's flatten: cancel all, then close in slices until flat or no slice helps any more."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.intents import Purpose
from gpt_trader.contracts.signals import Side
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.flatten import flatten_signal, slice_of, targets
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.records import DecisionMade, FlattenEnded
from gpt_trader.risk_gate.domain.state import WantedFlatten
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.order_stop import OrderStop
from gpt_trader.risk_gate.service.venue_stops import VenueStops
from gpt_trader.risk_gate.service.verdicts import Verdicts
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

_BEGUN_WITHIN = timedelta(minutes=1)
_SLICE_SECONDS = 10.0
_AGAIN_SECONDS = 0.2
_MOST_LISTINGS = 50
"""Listings, about ten seconds, in which every order must have gone: one that the venue keeps may not stop a flatten."""


@dataclass(slots=True, kw_only=True)
class Flattening:
    """One flatten at a time; a request that comes meanwhile is served next."""

    ledger: Ledger
    market: MarketWatch
    verdicts: Verdicts
    orders: OrderStop
    stops: VenueStops
    requests: asyncio.Queue[WantedFlatten] = field(default_factory=asyncio.Queue)

    def request(self, wanted: WantedFlatten) -> None:
        """Begin it soon; one that waited too long is not begun: the operator saw that nothing came of it."""
        now = self.ledger.clock.now()
        if now - wanted.at > self.ledger.clock.stretch(_BEGUN_WITHIN):
            log.error("flatten_too_old", sequence=wanted.sequence, product=wanted.product)
            self.ledger.commit(FlattenEnded(sequence=wanted.sequence, reason="too old", at=now))
            return
        self.requests.put_nowait(wanted)

    async def run(self) -> None:
        """Serve requests, for ever."""
        while True:
            wanted = await self.requests.get()
            await self.orders.cancel_all(_MOST_LISTINGS)
            for name in targets(self.ledger.state, wanted.product):
                async with self.stops.released(name, "flatten"):
                    await self._close(name)
            self.ledger.commit(FlattenEnded(sequence=wanted.sequence, reason="done", at=self.ledger.clock.now()))

    async def _close(self, product: str) -> None:
        stuck = 0
        while stuck < self.ledger.policy.flatten.max_slices_without_progress:
            before = self.ledger.state.portfolio.quantity(product)
            if before == ZERO:
                break
            await self._slice(product)
            stuck = 0 if self.ledger.state.portfolio.quantity(product) != before else stuck + 1
        left = self.ledger.state.portfolio.quantity(product)
        log.warning("flatten_ended", product=product, left=str(left), is_flat=left == ZERO)

    async def _slice(self, product: str) -> None:
        record = await self.verdicts.give(lambda: self._request(product))
        if record is None or record.decision.verdict is Verdict.DENIED:
            await asyncio.sleep(_AGAIN_SECONDS)
            return
        await self._is_over(record)

    def _request(self, product: str) -> Request | None:
        ledger, market = self.ledger, self.market.view(product, None)
        position = ledger.state.portfolio.quantity(product)
        quantity = slice_of(market, ledger.policy, Side.SELL if position > ZERO else Side.BUY)
        if market.tick is None or quantity is None:
            log.error("flatten_without_market", product=product)
            return None
        now = ledger.clock.now()
        cause = f"flatten/{ledger.state.epoch}/{ledger.state.decisions}"
        return Request(
            signal=flatten_signal(product, position, market.tick, cause, now),
            purpose=Purpose.FLATTEN,
            market=market,
            marks=self.market.marks(now, ledger.policy),
            is_in_universe=product in self.market.members,
            slice_quantity=quantity,
            preview=None,
            now=now,
        )

    async def _is_over(self, record: DecisionMade) -> None:
        """Wait for the slice's order to end and its fills to arrive; an unknown one keeps its reservation."""
        if record.intent is None:
            return
        order_id = record.intent.client_order_id
        if not await self.ledger.until(lambda state: order_id not in state.approvals, _SLICE_SECONDS):
            log.warning("flatten_slice_unresolved", client_order_id=order_id)
