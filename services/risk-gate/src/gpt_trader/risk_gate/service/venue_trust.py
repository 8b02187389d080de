"""Checks what every signature rests on: the key's rights and the agreement of the clocks."""

from dataclasses import dataclass
from datetime import timedelta

from gpt_trader.risk_gate.domain.consequences import reduce_only
from gpt_trader.risk_gate.domain.records import CauseCleared, CauseRaised
from gpt_trader.risk_gate.domain.sweeps.conditions import restricts
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.ports import VenueFacts
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime.secret_files import KeyUnusable


@dataclass(slots=True, kw_only=True)
class VenueTrust:
    """Raises VenueUnavailable while the venue cannot be asked. A dry run needs no right to trade."""

    ledger: Ledger
    facts: VenueFacts
    is_dry_run: bool = False
    _is_key_known: bool = False

    async def check(self) -> None:
        """Refuse a key that could move money out, once; restrict trading while the clocks differ too much."""
        if not self._is_key_known:
            permissions = await self.facts.key_permissions()
            can_work = permissions.can_view and (permissions.can_trade or self.is_dry_run)
            if permissions.can_transfer or not can_work:
                raise KeyUnusable(f"the exchange key must view and trade, and not transfer: it has {permissions}")
            self._is_key_known = True
        self._compare(await self.facts.clock_offset())

    def _compare(self, offset: timedelta) -> None:
        now, limit = self.ledger.clock.now(), self.ledger.policy.approvals.max_clock_offset_seconds
        is_restricted = restricts(self.ledger.state, CauseCode.CLOCK, now)
        is_off = abs(offset) > self.ledger.clock.stretch(limit)
        if is_off and not is_restricted:
            cause = reduce_only(CauseCode.CLOCK, f"the venue's clock is {offset} ahead of ours", now)
            self.ledger.commit(CauseRaised(cause=cause, at=now))
        if is_restricted and not is_off:
            self.ledger.commit(CauseCleared(code=CauseCode.CLOCK, product=None, reason="the clocks agree", at=now))
