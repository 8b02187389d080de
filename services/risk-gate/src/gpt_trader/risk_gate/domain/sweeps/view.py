"""Everything a sweep looks at, gathered once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.decisions import MarketView
from gpt_trader.contracts.market import Tick
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.venue import Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepView:
    """What is known now; None = unknown, on which no guard ever lifts a restriction.

    `markets` has every product that may be entered or is held, `marks` a fresh mark per held product; `equity` is None
    while one of them lacks it. What was permitted before `answerable_since` has an end that must be known by now.
    """

    state: GateState
    policy: Policy
    markets: Mapping[str, MarketView]
    marks: Mapping[str, Decimal]
    equity: Decimal | None
    traffic: Traffic | None
    answerable_since: datetime
    now: datetime

    def held(self) -> tuple[str, ...]:
        """Return the products of which something is held."""
        return tuple(name for name, holding in self.state.portfolio.holdings.items() if holding.quantity)

    def tick(self, product: str) -> Tick | None:
        """Return the newest tick of a product."""
        market = self.markets.get(product)
        return None if market is None else market.tick

    def worth(self, product: str) -> Decimal | None:
        """Return what is held of a product, at its mark and without sign."""
        mark = self.marks.get(product)
        return None if mark is None else abs(self.state.portfolio.quantity(product)) * mark
