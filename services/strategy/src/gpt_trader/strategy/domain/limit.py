"""Keeps the reasons for no trade readable: a reason is news when it changed or was not said for a while."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gpt_trader.contracts.signals import NoTrade


@dataclass(slots=True, kw_only=True)
class NoTradeLimit:
    """Remembers what was said last of each strategy and product."""

    every: timedelta
    _said: dict[tuple[str, str], tuple[object, datetime]] = field(default_factory=dict)

    def is_news(self, silence: NoTrade) -> bool:
        """Whether this one is to be published; asking counts as saying."""
        key, code = (silence.strategy, silence.product), silence.evidence["code"]
        said = self._said.get(key)
        if said is not None and said[0] == code and silence.decided_at - said[1] < self.every:
            return False
        self._said[key] = (code, silence.decided_at)
        return True
