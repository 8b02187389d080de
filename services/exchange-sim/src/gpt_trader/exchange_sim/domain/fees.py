"""What a fill costs."""

from dataclasses import dataclass
from decimal import Decimal

from gpt_trader.exchange_sim.domain.orders import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """Commission rates as fractions of the quote value, plus an amount per contract for futures."""

    maker: Decimal
    taker: Decimal
    per_contract: Decimal = ZERO

    def commission(self, value: Decimal, quantity: Decimal, *, is_maker: bool) -> Decimal:
        """Price one fill."""
        rated = value * (self.maker if is_maker else self.taker)
        return rated + quantity * self.per_contract if self.per_contract else rated
