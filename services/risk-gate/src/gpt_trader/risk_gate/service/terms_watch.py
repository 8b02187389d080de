"""Asks the venue itself for the terms of what is traded or held: orders are sized, rounded and spelled by them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from gpt_trader.contracts.market import ProductTerms
from gpt_trader.risk_gate.domain.terms import agree, compared, outdated, taken
from gpt_trader.risk_gate.ports import TermsSource, VenueUnavailable
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.runtime import lifecycle, logs

log = logs.get("risk-gate")

_PAUSE_SECONDS = 0.5
_SOONER = 10
"""How much sooner it asks again while something is unknown or differs."""
_LEAST_SECONDS = 1.0
"""Shortest pause then: each look is up to four requests of the account's budget."""
_MISSED = 3
"""Answers that may be missed in a row before what is known takes no more entries."""


@dataclass(slots=True, kw_only=True)
class TermsWatch:
    """Keeps `market.terms` as the venue states them; `every_seconds` of real time pass between two looks."""

    ledger: Ledger
    market: MarketWatch
    venue: TermsSource
    every_seconds: float
    _asked_at: float | None = None
    _answered_at: float | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Look for ever: in turn, and soon when a product is unknown or market-data states other terms."""
        while True:
            lifecycle.heed_cancel()
            await self.keep_up()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def keep_up(self) -> None:
        """Look if it is time to; returns once what is traded was asked for."""
        async with self._turn:
            if self._is_due():
                await self._look()

    def doubt(self) -> None:
        """Ask again at once: the venue was away, and may have come back with other terms."""
        self._asked_at = None

    def _is_due(self) -> bool:
        if self._asked_at is None:
            return True
        waited = asyncio.get_running_loop().time() - self._asked_at
        sooner = max(_LEAST_SECONDS, self.every_seconds / _SOONER)
        return waited >= self.every_seconds or (waited >= sooner and self._is_unsure())

    def _is_unsure(self) -> bool:
        """Whether a product that may be traded has no terms, or others than market-data states."""
        terms, specs = self.market.terms, self.market.specs
        known = ((terms.get(name), specs[name]) for name in self.market.members)
        return any(one is None or not one.is_current or not agree(spec, one) for one, spec in known)

    async def _look(self) -> None:
        state = self.ledger.state
        held = (name for name, holding in state.portfolio.holdings.items() if holding.quantity)
        products = sorted({*self.market.members, *held})
        if not products:
            return
        now = self._asked_at = asyncio.get_running_loop().time()
        try:
            found = await self.venue.terms(products)
        except VenueUnavailable as error:
            log.warning("terms_unknown", reason=str(error))
            if self._answered_at is not None and now - self._answered_at >= _MISSED * self.every_seconds:
                self.market.terms = {name: outdated(one) for name, one in self.market.terms.items()}
            return
        self._answered_at = now
        self._take(taken(self.market.terms, found, products))

    def _take(self, terms: Mapping[str, ProductTerms]) -> None:
        """Let these terms hold, and record what market-data says differently."""
        ledger = self.ledger
        self.market.terms = terms
        records = tuple(compared(ledger.state, self.market.specs, terms, ledger.clock.now()))
        ledger.commit(*records)
        for record in records:
            log.warning("terms_compared", record=record.model_dump(mode="json"))
