"""Takes a wish from one step to the next: made, made again, then taken (EX2); ends what may not rest any more."""

from dataclasses import dataclass, field, replace
from operator import is_
from typing import Protocol

from gpt_trader.contracts.ids import ClientOrderId, SignalId
from gpt_trader.risk_gate.domain.checks.case import Request
from gpt_trader.risk_gate.domain.maker import due, follows, next_signal
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.unwanted import unwanted
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.risk_gate.service.market_watch import MarketWatch
from gpt_trader.risk_gate.service.risk_gate import requested
from gpt_trader.risk_gate.service.verdicts import Verdicts
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

_LOOK_SECONDS = 1.0
"""Causes begin and end by records, which wake it; this is for what changes with time alone."""


class Cancels(Protocol):
    """Cancels single orders, as soon as it can."""

    def cancel_soon(self, orders: frozenset[ClientOrderId]) -> None:
        """Cancel these until nothing more can come of them."""
        ...


_Parts = tuple[object, object, object]
"""What work may follow from: a denial leaves each as it is, and most records are denials."""


@dataclass(slots=True, kw_only=True)
class Making:
    """Its memory is the ledger, so that a restart goes on where it was."""

    ledger: Ledger
    market: MarketWatch
    verdicts: Verdicts
    orders: Cancels
    _cancelled: frozenset[ClientOrderId] = field(default_factory=frozenset)
    _idle: _Parts | None = None

    async def run(self) -> None:
        """Go on with what is due, for ever."""
        while True:
            await self.ledger.until(self._has_work, _LOOK_SECONDS)
            self._withdraw()
            for maker in tuple(due(self.ledger.state.makers)):
                await self._go_on(maker.signal.signal_id)

    def _has_work(self, state: GateState) -> bool:
        parts = (state.makers, state.approvals, state.causes)
        if self._idle is not None and all(map(is_, parts, self._idle)):
            return False
        has_work = any(due(state.makers)) or bool(unwanted(state, self.ledger.clock.now()) - self._cancelled)
        self._idle = None if has_work else parts
        return has_work

    def _withdraw(self) -> None:
        found = unwanted(self.ledger.state, self.ledger.clock.now())
        if found - self._cancelled:
            log.warning("resting_entries_withdrawn", client_order_ids=sorted(found - self._cancelled))
            self.orders.cancel_soon(found)
        self._cancelled = found

    async def _go_on(self, wish: SignalId) -> None:
        record = await self.verdicts.give(lambda: self._request(wish))
        if record is not None:
            log.info("maker_step", wish=wish, step=record.decision.step, verdict=record.decision.verdict.value)

    def _request(self, wish: SignalId) -> Request | None:
        """Gather for the next step, as for a new wish; None = it was given up meanwhile."""
        ledger, now = self.ledger, self.ledger.clock.now()
        state, policy = ledger.state, ledger.policy
        maker = state.makers.get(wish)
        if maker is None or not maker.is_due:
            return None
        signal = next_signal(maker, policy.execution, now)
        return replace(requested(signal, self.market, state, policy, now), follows=follows(maker))
