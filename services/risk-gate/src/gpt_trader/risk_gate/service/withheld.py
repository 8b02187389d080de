"""Counts the denials that are not written down one by one, and writes down their sum."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from gpt_trader.risk_gate.domain.records import DecisionMade, DenialsWithheld
from gpt_trader.risk_gate.service import metrics
from gpt_trader.risk_gate.service.ledger import Ledger
from gpt_trader.runtime import logs

log = logs.get("risk-gate")

_LOOK_SECONDS = 1.0
_MOST_NAMED = 20
"""Strategies that a sum names: whoever floods may do it under ever other names."""


@dataclass(slots=True, kw_only=True)
class Withheld:
    """One sum per window in which there was something to withhold, so that the journal says why nothing was traded."""

    ledger: Ledger
    _strategies: Counter[str] = field(default_factory=Counter)
    _rules: Counter[str] = field(default_factory=Counter)
    _others: int = 0
    _since: datetime | None = None

    def add(self, record: DecisionMade) -> None:
        """Count one."""
        metrics.WITHHELD.inc()
        decision, strategy = record.decision, record.decision.signal.strategy
        self._since = self._since or decision.decided_at
        self._rules.update(found.rule for found in decision.failures)
        if strategy in self._strategies or len(self._strategies) < _MOST_NAMED:
            self._strategies[strategy] += 1
        else:
            self._others += 1

    async def run(self) -> None:
        """Sum up what a window brought, for ever, and what is left at the end."""
        try:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                window = self.ledger.policy.escalation.strategy_denials_window_seconds
                if self._since is not None and self.ledger.clock.now() - self._since >= window:
                    self._sum_up(self._since)
        except asyncio.CancelledError:
            if self._since is not None:
                self._sum_up(self._since)
            raise

    def _sum_up(self, since: datetime) -> None:
        record = DenialsWithheld(
            strategies=dict(self._strategies),
            others=self._others,
            rules=dict(self._rules),
            since=since,
            at=self.ledger.clock.now(),
        )
        self.ledger.commit(record)
        log.warning("denials_withheld", strategies=record.strategies, others=record.others, rules=record.rules)
        self._strategies.clear()
        self._rules.clear()
        self._others, self._since = 0, None
