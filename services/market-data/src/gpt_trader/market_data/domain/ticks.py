"""Ticks: the best levels with the last price, one per change."""

from decimal import Decimal

from gpt_trader.contracts.market import Tick
from gpt_trader.market_data.domain.events import Best, Stamp


class TickSource:
    """What one product last published; says nothing until both best levels and a price are known."""

    __slots__ = ("_said", "last_price", "product")

    def __init__(self, product: str) -> None:
        self.product = product
        self.last_price: Decimal | None = None
        self._said: tuple[Best, Decimal] | None = None

    def tick(self, best: Best, stamp: Stamp) -> Tick | None:
        """Return the tick if anything in it changed since the last one."""
        if self.last_price is None or (best, self.last_price) == self._said:
            return None
        self._said = (best, self.last_price)
        return Tick(
            product=self.product,
            bid=best.bid,
            ask=best.ask,
            bid_quantity=best.bid_quantity,
            ask_quantity=best.ask_quantity,
            last_price=self.last_price,
            sequence=stamp.sequence,
            occurred_at=stamp.sent_at,
            received_at=stamp.received_at,
        )
