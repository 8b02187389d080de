"""What the venue last said of the futures account, with the terms of the contracts it may hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gpt_trader.contracts.market import FutureTerms
from gpt_trader.risk_gate.domain.increments import ZERO


class MarginWindow(StrEnum):
    """The venue's margin windows; only INTRADAY can have the lower rates."""

    INTRADAY = "intraday"
    OVERNIGHT = "overnight"
    WEEKEND = "weekend"
    TRANSITION = "transition"


@dataclass(frozen=True, slots=True, kw_only=True)
class FuturesAccount:
    """Dollars that back futures, what they are required for, and until when these rates hold.

    `cash` is in the futures wallet, `has_intraday_rates` whether the account chose them, `buffer` what the wallet holds
    above maintenance margin, as a fraction of maintenance margin; None = nothing is required.
    """

    cash: Decimal
    initial: Decimal
    maintenance: Decimal
    buffer: Decimal | None
    window: MarginWindow
    window_ends_at: datetime
    has_intraday_rates: bool
    terms: Mapping[str, FutureTerms] = field(default_factory=dict)
    seen_at: datetime

    @property
    def is_intraday(self) -> bool:
        """Whether the lower rates apply now."""
        return self.has_intraday_rates and self.window is MarginWindow.INTRADAY


@dataclass(frozen=True, slots=True, kw_only=True)
class VenuePosition:
    """A futures position as the venue states it, in base units; `unrealized` is since the last daily settlement."""

    product: str
    quantity: Decimal
    price: Decimal
    unrealized: Decimal

    @property
    def cost(self) -> Decimal:
        """What the open quantity was last settled at: cash minus cost changes with no price and no settlement."""
        return self.quantity * self.price - self.unrealized


@dataclass(frozen=True, slots=True, kw_only=True)
class FuturesReport:
    """One consistent look at the futures side of the account: the summary did not move while positions were read."""

    cash: Decimal
    initial: Decimal
    maintenance: Decimal
    window: MarginWindow
    window_ends_at: datetime
    has_intraday_rates: bool
    positions: tuple[VenuePosition, ...]

    def position(self, product: str) -> Decimal:
        """Return the net quantity of a product."""
        return next((one.quantity for one in self.positions if one.product == product), ZERO)

    @property
    def settled_cash(self) -> Decimal:
        """The wallet as if no position had cost anything: constant while nothing trades and nothing is paid."""
        return self.cash - sum((one.cost for one in self.positions), ZERO)

    @property
    def buffer(self) -> Decimal | None:
        """Equity above maintenance margin, as a fraction of maintenance margin."""
        if not self.maintenance:
            return None
        equity = self.cash + sum((one.unrealized for one in self.positions), ZERO)
        return (equity - self.maintenance) / self.maintenance
