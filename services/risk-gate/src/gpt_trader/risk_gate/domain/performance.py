"""What each strategy's closed trades have brought: the measure that Kelly's fraction is taken from (SZ1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from gpt_trader.risk_gate.domain.increments import ONE, ZERO
from gpt_trader.risk_gate.domain.portfolio import Holding


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Closed trades of one strategy, net of fees; `lost` is positive. A trade that brought nothing is no win."""

    trades: int = 0
    wins: int = 0
    won: Decimal = ZERO
    lost: Decimal = ZERO

    def with_trade(self, pnl: Decimal) -> "Tally":
        """Count one more."""
        is_win = pnl > ZERO
        return Tally(
            trades=self.trades + 1,
            wins=self.wins + is_win,
            won=self.won + max(pnl, ZERO),
            lost=self.lost - min(pnl, ZERO),
        )

    @property
    def win_rate(self) -> Decimal:
        """Share of the trades that won; zero without any."""
        return Decimal(self.wins) / self.trades if self.trades else ZERO

    @property
    def kelly(self) -> Decimal:
        """Kelly's fraction f* = W - (1 - W) / R, R = mean win over mean loss; below zero there is no edge.

        J. L. Kelly, "A New Interpretation of Information Rate", 1956. A loss counts as the whole stake, which it
        hardly ever is: the fraction errs on the small side.
        """
        if not self.wins:
            return -ONE
        losses = self.trades - self.wins
        if not losses or not self.lost:
            return ONE
        payoff = (self.won / self.wins) / (self.lost / losses)
        return self.win_rate - (ONE - self.win_rate) / payoff


UNMEASURED = Tally()


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """`tallies` are keyed by strategy; `settled` is each product's result, net of fees, when it was last flat."""

    tallies: Mapping[str, Tally] = field(default_factory=dict)
    settled: Mapping[str, Decimal] = field(default_factory=dict)

    def of(self, strategy: str) -> Tally:
        """Return what a strategy's trades have brought."""
        return self.tallies.get(strategy, UNMEASURED)

    def after(self, product: str, before: Holding, now: Holding) -> "Performance":
        """Count a trade once its position is closed, or turned: from flat to flat, entry fees included."""
        if not before.quantity or before.quantity * now.quantity > ZERO:
            return self
        result = now.realized - now.fees
        pnl = result - self.settled.get(product, ZERO)
        tally = self.of(before.strategy).with_trade(pnl)
        return replace(
            self,
            tallies={**self.tallies, before.strategy: tally},
            settled={**self.settled, product: result},
        )
