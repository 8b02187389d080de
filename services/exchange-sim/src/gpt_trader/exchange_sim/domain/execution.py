"""Run orders and market steps through the book, and fire stops from the last price."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gpt_trader.exchange_sim.domain.accounts import CashMoved
from gpt_trader.exchange_sim.domain.book import Resting
from gpt_trader.exchange_sim.domain.clearing import Clearing, bracket_limit
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.markets import MarketStep, printed, quotes_of
from gpt_trader.exchange_sim.domain.matching import Incoming, Match, can_fill_completely, cross, floor
from gpt_trader.exchange_sim.domain.orders import (
    BRACKET_KINDS,
    FOK_KINDS,
    IMMEDIATE_KINDS,
    MARKET,
    ZERO,
    Edit,
    Fill,
    Order,
    OrderKind,
    OrderRequest,
    Side,
    Status,
    StopDirection,
    Terms,
    Trade,
    Trigger,
)
from gpt_trader.exchange_sim.domain.preview import incoming_of
from gpt_trader.exchange_sim.domain.validation import crosses

_UNBOUNDED = Decimal(10**12)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChanged:
    """An order's visible state moved."""

    order_id: str
    event: str
    at: datetime
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """A print, with the touch right after it and the customers' fills in it."""

    trade: Trade
    bid: Decimal | None
    ask: Decimal | None
    bid_quantity: Decimal
    ask_quantity: Decimal
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionShut:
    """A tick of a market whose session is closed: a price without quotes, though the product looks online."""

    product_id: str
    price: Decimal


Event = OrderChanged | Traded | CashMoved | SessionShut
Outbox = list[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedOrder:
    """A bracket to be placed for what its parent filled."""

    parent_id: str
    request: OrderRequest


class Execution:
    """The only writer of books and order states."""

    def __init__(self, clearing: Clearing, orders: dict[str, Order], outbox: Outbox, first_trade_id: int) -> None:
        self._clearing = clearing
        self._orders = orders
        self._outbox = outbox
        self._trade_count = first_trade_id
        self._children: list[AttachedOrder] = []

    def trade(self, order: Order, listing: Listing, at: datetime) -> None:
        """Match an order, then rest or cancel what is left."""
        taker = incoming_of(order, listing, self._clearing.fees_of(listing.product))
        if order.status is Status.PENDING:
            order.status = Status.OPEN
        if order.terms.kind in FOK_KINDS and not can_fill_completely(listing.book, taker):
            self.finish(order, listing, Status.CANCELLED, at, "Fill or kill could not be filled")
            return
        if order.part is not None and order.terms.kind not in FOK_KINDS:
            taker.shrink(order.part)
        had_fills = self._cross(order, taker, listing, at)
        if order.is_terminal:
            return
        if order.budget is not None or order.terms.kind in IMMEDIATE_KINDS:
            is_spent = order.budget is not None and self._is_spent(taker, listing)
            self.finish(order, listing, Status.FILLED if is_spent and order.filled else Status.CANCELLED, at)
        elif crosses(listing.book, order.side, order.limit):
            self.finish(order, listing, Status.CANCELLED, at, "Price protection reached")
        else:
            self.rest(order, listing)
            self.changed(order, "opened" if not had_fills else "partially_filled", at)
            if order.part is not None:
                self.fill(order, listing, floor(order.remaining * order.part, listing.product.base_increment), at)

    def fill(self, order: Order, listing: Listing, quantity: Decimal, at: datetime) -> None:
        """Let the market trade with a resting order at its limit, whatever stands before it."""
        if quantity <= 0:
            return
        listing.book.side(order.side).reduce(order.limit, order.order_id, quantity)
        maker = Resting(order.order_id, order.owner, order.remaining)
        self._print(Match(maker, order.limit, quantity), order.side.opposite, None, listing, at)

    def rest(self, order: Order, listing: Listing) -> None:
        """Join the book at the order's limit."""
        listing.book.side(order.side).add(order.limit, Resting(order.order_id, order.owner, order.remaining))
        order.is_resting = True

    def unrest(self, order: Order, listing: Listing) -> None:
        """Leave the book."""
        listing.book.side(order.side).remove(order.limit, order.order_id)
        order.is_resting = False

    def amend(self, order: Order, listing: Listing, edit: Edit) -> bool:
        """Give an order another price and size; true when it keeps its turn, else it has left the book."""
        keeps_turn = edit.price == order.limit and edit.size <= order.size
        if keeps_turn and order.is_resting:
            listing.book.side(order.side).reduce(order.limit, order.order_id, order.size - edit.size)
        elif order.is_resting:
            self.unrest(order, listing)
        order.limit, order.size = edit.price, edit.size
        stop_price = edit.stop_price or order.terms.stop_price
        order.terms = replace(order.terms, limit_price=edit.price, base_size=edit.size, stop_price=stop_price)
        order.edits.append(edit)
        return keeps_turn

    def changed(self, order: Order, event: str, at: datetime) -> None:
        """Tell that an order's visible state moved."""
        order.updated_at = at
        self._outbox.append(OrderChanged(order_id=order.order_id, event=event, at=at, status=order.status))

    def finish(self, order: Order, listing: Listing, status: Status, at: datetime, message: str = "") -> None:
        """End an order and release its hold."""
        if order.is_resting:
            self.unrest(order, listing)
        listing.waiting.pop(order.order_id, None)
        listing.open_orders -= 1
        order.status = status
        order.cancel_message = message
        self._clearing.rehold(order, listing.product)
        self.changed(order, status.value.lower(), at)
        attached = order.request.attached
        if attached is not None and order.filled:
            self._children.append(_attached(order, attached, listing))

    def market_step(self, step: MarketStep, listing: Listing) -> None:
        """Move the synthetic quotes, fill whoever the market moved through, then print."""
        book = listing.book
        quotes = quotes_of(step, listing.product, listing.conditions)
        book.bids.prune(quotes.bids)
        book.asks.prune(quotes.asks)
        if quotes.bids and crosses(book, Side.BUY, quotes.bid):
            self._cross(None, _market(Side.BUY, quotes.bid, _UNBOUNDED), listing, step.at)
        if quotes.asks and crosses(book, Side.SELL, quotes.ask):
            self._cross(None, _market(Side.SELL, quotes.ask, _UNBOUNDED), listing, step.at)
        book.bids.quote(quotes.bids)
        book.asks.quote(quotes.asks)
        if not step.quantity:
            return
        increment = listing.product.base_increment
        quantity = max(floor(printed(step, quotes, listing.conditions), increment), increment)
        price = quotes.ask if step.taker is Side.BUY else quotes.bid
        taker = _market(step.taker, price, quantity)
        self._cross(None, taker, listing, step.at)
        if taker.remaining:
            self._print(Match(Resting("", MARKET, ZERO), price, taker.remaining), step.taker, None, listing, step.at)

    def settle_triggers(self, listing: Listing, at: datetime) -> list[AttachedOrder]:
        """Fire every stop the last price reached, repeatedly, and hand over attached orders to place."""
        while (order := self._triggered(listing)) is not None:
            del listing.waiting[order.order_id]
            order.trigger = Trigger.TRIGGERED
            if order.terms.kind in BRACKET_KINDS:
                self.unrest(order, listing)
                order.limit = bracket_limit(order, listing.product)
            self.changed(order, "triggered", at)
            self.trade(order, listing, at)
        children = self._children[:]
        self._children.clear()
        return children

    def _triggered(self, listing: Listing) -> Order | None:
        if listing.last is None:
            return None
        for order_id in listing.waiting:
            order = self._orders[order_id]
            stop = order.terms.stop_price
            if stop is not None and (listing.last >= stop if _triggers_up(order) else listing.last <= stop):
                return order
        return None

    def _cross(self, order: Order | None, taker: Incoming, listing: Listing, at: datetime) -> bool:
        count = self._trade_count
        for event in cross(listing.book, taker):
            if isinstance(event, Match):
                self._print(event, taker.side, order, listing, at)
            elif order is not None:
                self._prevent_self_trade(order, self._orders[event.maker.order_id], event.quantity, listing, at)
            if order is not None and order.is_terminal:
                break
        return self._trade_count != count

    def _print(self, match: Match, side: Side, order: Order | None, listing: Listing, at: datetime) -> None:
        self._trade_count += 1
        trade = Trade(
            trade_id=str(self._trade_count),
            product_id=listing.product.product_id,
            price=match.price,
            quantity=match.quantity,
            at=at,
            maker_side=side.opposite,
        )
        listing.record(trade)
        maker = self._orders.get(match.maker.order_id)
        fills: list[Fill] = []
        if maker is not None or order is not None:
            fills = self._clearing.settle(trade, listing.product, maker, order)
        bid_quantity, ask_quantity = listing.best_quantities()
        self._outbox.append(
            Traded(
                trade=trade,
                bid=listing.book.bids.best,
                ask=listing.book.asks.best,
                bid_quantity=bid_quantity,
                ask_quantity=ask_quantity,
                fills=tuple(fills),
            )
        )
        if maker is not None:
            self._after_fill(maker, listing, at)
        if order is not None and order.budget is None and not order.remaining:
            self.finish(order, listing, Status.FILLED, at)

    def _after_fill(self, maker: Order, listing: Listing, at: datetime) -> None:
        if maker.remaining:
            self.changed(maker, "partially_filled", at)
            return
        maker.is_resting = False
        self.finish(maker, listing, Status.FILLED, at)

    def _prevent_self_trade(
        self, order: Order, maker: Order, quantity: Decimal, listing: Listing, at: datetime
    ) -> None:
        for one in (maker, order):
            if one.budget is None:
                one.size -= quantity
            if one.budget is None and not one.remaining:
                one.is_resting = False
                self.finish(one, listing, Status.CANCELLED, at, "Self-trade prevented")
            else:
                self._clearing.rehold(one, listing.product)
                self.changed(one, "reduced", at)

    @staticmethod
    def _is_spent(taker: Incoming, listing: Listing) -> bool:
        best = listing.book.side(taker.side.opposite).best
        return best is not None and taker.wanted(best) <= 0


def _market(side: Side, limit: Decimal, quantity: Decimal) -> Incoming:
    return Incoming(owner=MARKET, side=side, limit=limit, remaining=quantity)


def _triggers_up(order: Order) -> bool:
    if order.terms.kind in BRACKET_KINDS:
        return order.side is Side.BUY
    return order.terms.stop_direction is StopDirection.UP


def _attached(parent: Order, terms: Terms, listing: Listing) -> AttachedOrder:
    size = floor(parent.filled, listing.product.base_increment)
    request = OrderRequest(
        client_order_id=f"{parent.request.client_order_id}-attached",
        product_id=parent.product_id,
        side=parent.side.opposite,
        terms=Terms(
            kind=OrderKind.BRACKET_GTC, base_size=size, limit_price=terms.limit_price, stop_price=terms.stop_price
        ),
        owner=parent.owner,
    )
    return AttachedOrder(parent_id=parent.order_id, request=request)
