"""Looks at the futures side of the account: wallet, positions, margin window; nothing is asked of a spot account."""

import asyncio
from dataclasses import dataclass

from gpt_trader.contracts.market import is_future
from gpt_trader.risk_gate.domain.futures.account import FuturesReport
from gpt_trader.risk_gate.domain.futures.books import account_of, contracts, margin_seen
from gpt_trader.risk_gate.ports import FuturesVenue, VenueUnavailable
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.terms_watch import TermsWatch
from gpt_trader.runtime import lifecycle, logs

log = logs.get("risk-gate")


@dataclass(slots=True, kw_only=True)
class FuturesWatch:
    """Records what the venue says of margin; `every_seconds` of real time pass between two looks."""

    ledger: Ledger
    market: MarketWatch
    terms: TermsWatch
    venue: FuturesVenue
    every_seconds: float

    async def run(self) -> None:
        """Look for ever; without an answer what is known grows old, and futures take no entries."""
        while True:
            lifecycle.heed_cancel()
            try:
                await self.look()
            except VenueUnavailable as error:
                log.warning("futures_unknown", reason=str(error))
            await asyncio.sleep(self.every_seconds)

    async def look(self) -> FuturesReport | None:
        """Ask, record what is news, and hand it over; None = there are no futures. Raises VenueUnavailable."""
        if not self._are_there_futures():
            return None
        await self.terms.keep_up()
        ledger = self.ledger
        known = contracts(ledger.state, self.market.terms)
        report = await self.venue.report({name: one.contract_size for name, one in known.items()})
        account = account_of(report, contracts(ledger.state, self.market.terms), ledger.clock.now())
        ledger.commit(*margin_seen(ledger.state, account, ledger.policy))
        return report

    def _are_there_futures(self) -> bool:
        held = self.ledger.state.portfolio.holdings
        return any(is_future(name) for name in self.market.specs) or any(is_future(name) for name in held)
