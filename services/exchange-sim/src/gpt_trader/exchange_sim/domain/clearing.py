"""Money and order state of each match: holds, payments, fees."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from gpt_trader.exchange_sim.domain.accounts import FEES, Ledger
from gpt_trader.exchange_sim.domain.desk import FuturesDesk
from gpt_trader.exchange_sim.domain.fees import Fees
from gpt_trader.exchange_sim.domain.matching import floor
from gpt_trader.exchange_sim.domain.orders import (
    BRACKET_KINDS,
    MARKET,
    ZERO,
    Fill,
    Order,
    Row,
    Side,
    Trade,
    Trigger,
)
from gpt_trader.exchange_sim.domain.products import Product

BRACKET_SLIP = Decimal("0.05")


class Clearing:
    """Settles trades between owners and keeps every hold equal to what its order can still need."""

    def __init__(self, ledger: Ledger, fees: Fees, desk: FuturesDesk) -> None:
        self.ledger = ledger
        self.fees = fees
        self.desk = desk
        self.fills: list[Fill] = []

    def settle(self, trade: Trade, product: Product, maker: Order | None, taker: Order | None) -> list[Fill]:
        """Move money and quantity for one trade; None stands for the synthetic market."""
        if product.contract is None:
            self._pay(trade, product, maker, taker)
        fills = []
        for order, is_maker in ((maker, True), (taker, False)):
            if order is None:
                continue
            fill = self._fill(order, trade, product, is_maker=is_maker)
            if product.contract is None:
                self.ledger.move(order.owner, FEES, product.quote, fill.commission)
            else:
                self.desk.book(order, fill)
            self.rehold(order, product)
            fills.append(fill)
        return fills

    def restate(self, fill: Fill, order: Order, product: Product, at: datetime, *, is_reversed: bool) -> None:
        """Undo a spot fill, or halve it; money and order follow, a new row tells."""
        quantity = ZERO if is_reversed else floor(fill.trade.quantity / 2, product.base_increment)
        share = quantity / fill.trade.quantity
        value, commission = fill.value * (share - 1), fill.commission * (share - 1)
        self.ledger.move(MARKET, order.owner, product.base, (quantity - fill.trade.quantity) * order.signed)
        self.ledger.move(order.owner, MARKET, product.quote, value * order.signed)
        self.ledger.move(order.owner, FEES, product.quote, commission)
        order.filled += quantity - fill.trade.quantity
        order.filled_value += value
        order.fees += commission
        stated = quantity or fill.trade.quantity
        restated = replace(
            fill,
            sequence=len(self.fills),
            trade=replace(fill.trade, at=at, quantity=stated),
            value=fill.value + value if quantity else fill.value,
            commission=fill.commission + commission if quantity else fill.commission,
            row=Row.CORRECTION if quantity else Row.REVERSAL,
        )
        self.fills.append(restated)

    def rehold(self, order: Order, product: Product) -> None:
        """Bring the hold to what the order's remaining part needs."""
        if product.contract is not None:
            self.desk.rehold(order, product)
            return
        needed = ZERO if order.is_terminal else self.required(order, product)
        self.ledger.hold(order.owner, self.hold_currency(order, product), needed - order.hold)
        order.hold = needed

    def can_hold(self, order: Order, product: Product) -> bool:
        """Whether the owner has what the order needs beyond what it already holds."""
        if product.contract is not None:
            return self.desk.can_hold(order, product)
        balance = self.ledger.balance(order.owner, self.hold_currency(order, product))
        return self.required(order, product) - order.hold <= balance.available

    def fees_of(self, product: Product) -> Fees:
        """Name the fees that apply to a product."""
        return self.fees if product.contract is None else self.desk.fees

    def required(self, order: Order, product: Product) -> Decimal:
        """Worst case of the remaining part, fees included."""
        if order.side is Side.SELL:
            return order.remaining
        if order.budget is not None:
            return order.budget - order.filled_value - order.fees
        price = order.limit
        if order.terms.kind in BRACKET_KINDS and order.trigger is Trigger.WAITING:
            price = max(price, bracket_limit(order, product))
        return order.remaining * price * (1 + self.fees.taker)

    @staticmethod
    def hold_currency(order: Order, product: Product) -> str:
        """Name what an order pays with."""
        return product.quote if order.side is Side.BUY else product.base

    def _pay(self, trade: Trade, product: Product, maker: Order | None, taker: Order | None) -> None:
        buyer, seller = (maker, taker) if trade.maker_side is Side.BUY else (taker, maker)
        payer = MARKET if buyer is None else buyer.owner
        payee = MARKET if seller is None else seller.owner
        self.ledger.move(payer, payee, product.quote, trade.price * trade.quantity)
        self.ledger.move(payee, payer, product.base, trade.quantity)

    def _fill(self, order: Order, trade: Trade, product: Product, *, is_maker: bool) -> Fill:
        value = trade.price * trade.quantity * product.multiplier
        commission = self.fees_of(product).commission(value, trade.quantity, is_maker=is_maker)
        order.filled += trade.quantity
        order.filled_value += value
        order.fees += commission
        order.fill_count += 1
        order.last_fill_at = trade.at
        fill = Fill(
            sequence=len(self.fills),
            trade=trade,
            order_id=order.order_id,
            side=order.side,
            owner=order.owner,
            value=value,
            commission=commission,
            is_maker=is_maker,
        )
        self.fills.append(fill)
        return fill


def bracket_limit(order: Order, product: Product) -> Decimal:
    """Limit of a triggered stop-loss leg: five per cent beyond the trigger."""
    stop = order.terms.stop_price or order.limit
    factor = 1 - BRACKET_SLIP if order.side is Side.SELL else 1 + BRACKET_SLIP
    return (stop * factor // product.price_increment) * product.price_increment


def protection_limit(mid: Decimal, side: Side, product: Product) -> Decimal:
    """Worst price a taker may get: the mid plus or minus the product's slippage limit."""
    factor = 1 + product.slippage_limit if side is Side.BUY else 1 - product.slippage_limit
    return (mid * factor // product.price_increment) * product.price_increment
