"""The exchange itself: orders in, matches out, in market time given by the caller."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from uuid import NAMESPACE_URL, uuid5

from gpt_trader.exchange_sim.domain.accounts import CashKind, Ledger
from gpt_trader.exchange_sim.domain.clearing import Clearing
from gpt_trader.exchange_sim.domain.desk import FuturesDesk
from gpt_trader.exchange_sim.domain.execution import Execution, OrderChanged, Outbox, SessionShut
from gpt_trader.exchange_sim.domain.fees import Fees
from gpt_trader.exchange_sim.domain.futures_day import FuturesDay
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.markets import MarketStep
from gpt_trader.exchange_sim.domain.orders import (
    BRACKET_KINDS,
    EDITABLE_KINDS,
    STOP_KINDS,
    ZERO,
    Edit,
    Order,
    OrderRequest,
    Side,
    Status,
    Trigger,
)
from gpt_trader.exchange_sim.domain.preview import Preview, draft, preview_of
from gpt_trader.exchange_sim.domain.products import Product
from gpt_trader.exchange_sim.domain.validation import Refusal, Situation, crosses, refuse, validate

NO_FEES = Fees(maker=ZERO, taker=ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How long the venue takes, in market time."""

    pending: timedelta = timedelta()
    visibility: timedelta = timedelta()
    cancel: timedelta = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The order exists; `is_repeat` when its client id was known and nothing was created."""

    order_id: str
    is_repeat: bool = False


class Venue:
    """All listings, orders and money. Calls must come with non-decreasing times.

    The opening time goes into order and trade ids, so that a restarted venue never repeats one.
    """

    def __init__(
        self,
        *,
        listings: Iterable[Listing],
        fees: Fees,
        futures_fees: Fees = NO_FEES,
        delays: Delays,
        name: str,
        opened_at: datetime,
    ) -> None:
        self.listings = {listing.product.product_id: listing for listing in listings}
        self.orders: dict[str, Order] = {}
        self.ledger = Ledger()
        self.outbox: Outbox = []
        self.desk = FuturesDesk(self.ledger, self.listings, futures_fees, self.outbox.append)
        self.clearing = Clearing(self.ledger, fees, self.desk)
        self.day = FuturesDay(self.desk, self.listings, opened_at)
        self.is_idempotent = True
        self._delays = delays
        self._namespace = uuid5(NAMESPACE_URL, name)
        self._by_client: dict[tuple[str, str], str] = {}
        self._opened_at = opened_at
        first_trade_id = int(opened_at.timestamp()) * 1000
        self._execution = Execution(self.clearing, self.orders, self.outbox, first_trade_id)
        self._timers: list[tuple[datetime, int, str, str]] = []
        self._due: list[tuple[datetime, str]] = []
        self._count = 0
        self._timer_count = 0
        for listing in self.listings.values():
            self._schedule_market(listing)

    def id_of(self, kind: str, name: str) -> str:
        """Derive a stable uuid for anything of this venue."""
        return str(uuid5(self._namespace, f"{kind}:{name}"))

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due until `now`, in order of time."""
        while True:
            day = self.day.next_at()
            timer = self._timers[0][0] if self._timers else None
            market = self._due[0][0] if self._due else None
            if day is not None and day <= now and day <= min(timer or day, market or day):
                self.day.step(day, self)
            elif timer is not None and timer <= now and (market is None or timer <= market):
                at, _, action, order_id = heappop(self._timers)
                self._fire(action, self.orders[order_id], at)
            elif market is not None and market <= now:
                _, product_id = heappop(self._due)
                self._market_step(self.listings[product_id])
            else:
                return

    def create(self, request: OrderRequest, now: datetime) -> Accepted | Refusal:
        """Accept or refuse an order; a known client id returns the order it made."""
        self.advance(now)
        known = self._by_client.get((request.owner, request.client_order_id))
        if known is not None and self.is_idempotent:
            return Accepted(order_id=known, is_repeat=True)
        order = self._checked(request, now)
        if isinstance(order, Refusal):
            return order
        self._admit(order, now)
        return Accepted(order_id=order.order_id)

    def close_position(self, request: OrderRequest, now: datetime) -> Accepted | Refusal:
        """Sell what is long or buy what is short, at the market; no size means all of it."""
        self.advance(now)
        position = self.desk.position(request.owner, request.product_id)
        if (request.owner, request.client_order_id) in self._by_client:
            return self.create(request, now)
        if position is None:
            return refuse("CANNOT_CLOSE_ZERO_POSITION", "there is no position")
        size = abs(position.contracts) if request.terms.base_size is None else request.terms.base_size
        side = Side.SELL if position.is_long else Side.BUY
        closing = replace(request, side=side, is_closing=True, terms=replace(request.terms, base_size=size))
        return self.create(closing, now)

    def liquidate(self, request: OrderRequest, at: datetime) -> None:
        """Take a position away; nobody asks for margin."""
        listing = self.listings[request.product_id]
        if listing.book.side(request.side.opposite).best is None:
            return
        order = self._draft(replace(request, client_order_id=f"liquidation-{self._count}"), at)
        self._enter(order, at)
        self._fire("activate", order, at)

    def finish(self, order: Order, listing: Listing, status: Status, at: datetime, message: str = "") -> None:
        """End an order on the venue's own account."""
        self._execution.finish(order, listing, status, at, message)

    def preview(self, request: OrderRequest, now: datetime) -> tuple[Preview, Refusal | None]:
        """Tell what the order would cost, and why it would be refused."""
        self.advance(now)
        outcome = self._checked(request, now)
        listing = self.listings[request.product_id]
        preview = preview_of(request, listing, self.clearing.fees_of(listing.product), now)
        if listing.product.contract is not None:
            preview = replace(preview, margin=self.desk.required(draft(request, listing, "", now), listing.product))
        return preview, outcome if isinstance(outcome, Refusal) else None

    def cancel(self, order_id: str, now: datetime) -> str | None:
        """Ask for a cancel; the answer is the failure reason, or None when submitted."""
        self.advance(now)
        order = self.orders.get(order_id)
        if order is None:
            return "UNKNOWN_CANCEL_ORDER"
        if order.status is Status.FILLED:
            return "ORDER_IS_FULLY_FILLED"
        if order.is_terminal:
            return "INVALID_CANCEL_REQUEST"
        if order.status is Status.CANCEL_QUEUED:
            return "DUPLICATE_CANCEL_REQUEST"
        contract = self.listings[order.product_id].product.contract
        if contract is not None and not contract.is_open(now):
            return "INVALID_CANCEL_FCM_TRADING_SESSION"
        if self._delays.cancel:
            order.status = Status.CANCEL_QUEUED
            self._changed(order, "cancel_queued", now)
            self._set_timer(now + self._delays.cancel, "cancel", order)
        else:
            self._fire("cancel", order, now)
        return None

    def edit(self, order_id: str, price: Decimal, size: Decimal, now: datetime) -> str | None:
        """Change price and size of a resting order; the answer is the failure reason."""
        self.advance(now)
        reason = self.edit_refusal(order_id, price, size)
        if reason is not None:
            return reason
        order = self.orders[order_id]
        listing = self.listings[order.product_id]
        keeps_turn = price == order.limit and size <= order.size
        if keeps_turn and order.is_resting:
            listing.book.side(order.side).reduce(order.limit, order.order_id, order.size - size)
        elif order.is_resting:
            self._execution.unrest(order, listing)
        order.limit, order.size = price, size
        order.terms = replace(order.terms, limit_price=price, base_size=size)
        order.edits.append(Edit(price=price, size=size, accepted_at=now))
        self.clearing.rehold(order, listing.product)
        self._changed(order, "edited", now)
        if not keeps_turn and order.trigger is not Trigger.WAITING:
            self._execution.trade(order, listing, now)
        elif not keeps_turn and order.terms.kind in BRACKET_KINDS:
            self._execution.rest(order, listing)
        self._settle_triggers(listing, now)
        return None

    def edit_refusal(self, order_id: str, price: Decimal, size: Decimal) -> str | None:
        """Why an amendment is not possible, in the venue's words."""
        order = self.orders.get(order_id)
        if order is None:
            return "ORDER_NOT_FOUND"
        rules = (
            (not order.is_future, "CANNOT_EDIT_FUTURES_ORDER"),
            (order.status is Status.OPEN, "ONLY_OPEN_ORDERS_CAN_BE_EDITED"),
            (order.terms.kind in EDITABLE_KINDS, "ONLY_LIMIT_ORDER_EDITS_SUPPORTED"),
            (order.terms.base_size is not None, "SIZE_IN_QUOTE_EDITS_NOT_ALLOWED"),
            ((price, size) != (order.limit, order.size), "EDIT_REQUEST_EQUAL_TO_ORIGINAL_REQUEST"),
            (size > order.filled, "CANNOT_EDIT_TO_BELOW_FILLED_SIZE"),
        )
        for is_met, reason in rules:
            if not is_met:
                return reason
        return self._edited_terms_refusal(order, price, size)

    def visible(self, order_id: str, now: datetime) -> Order | None:
        """Return the order, unless it is unknown or too fresh to be visible by id."""
        order = self.orders.get(order_id)
        return None if order is None or order.visible_at > now else order

    def _edited_terms_refusal(self, order: Order, price: Decimal, size: Decimal) -> str | None:
        listing = self.listings[order.product_id]
        product = listing.product
        if price <= 0 or price % product.price_increment:
            return "INVALID_EDITED_PRICE"
        if size % product.base_increment or not product.base_min_size <= size <= product.base_max_size:
            return "INVALID_EDITED_SIZE"
        if order.terms.post_only and crosses(listing.book, order.side, price):
            return "INVALID_EDITED_PRICE"
        edited = replace(order, limit=price, size=size)
        return None if self.clearing.can_hold(edited, product) else "COMMANDER_REJECTED_EDIT_ORDER"

    def _checked(self, request: OrderRequest, now: datetime) -> Order | Refusal:
        listing = self.listings[request.product_id]
        situation = Situation(
            request=request,
            product=listing.product,
            book=listing.book,
            last=listing.last,
            open_orders=listing.open_orders,
            now=now,
        )
        refusal = validate(situation)
        if refusal is not None:
            return refusal
        order = self._draft(request, now)
        if order.is_future:
            return self._futures_refusal(order, listing.product) or order
        if not self.clearing.can_hold(order, listing.product):
            return refuse("INSUFFICIENT_FUND", "Insufficient balance in source account")
        return order

    def _futures_refusal(self, order: Order, product: Product) -> Refusal | None:
        position = self.desk.position(order.owner, order.product_id)
        if order.request.is_closing and (position is None or order.size > abs(position.contracts)):
            return refuse("REDUCE_ONLY_INCREASED_POSITION_SIZE", "more than the position")
        if not order.request.is_closing and self.desk.is_liquidating(order.owner):
            return refuse("IN_LIQUIDATION", "the account is below maintenance margin")
        if not self.clearing.can_hold(order, product):
            message = "Insufficient margin in the futures account"
            return Refusal("INSUFFICIENT_FUNDS", "PREVIEW_INSUFFICIENT_FUNDS_FOR_FUTURES", message)
        return None

    def _draft(self, request: OrderRequest, now: datetime) -> Order:
        order_id = self.id_of("order", f"{self._opened_at.isoformat()}:{self._count}")
        order = draft(request, self.listings[request.product_id], order_id, now)
        order.visible_at = now + self._delays.visibility
        return order

    def _admit(self, order: Order, now: datetime) -> None:
        self._enter(order, now)
        if order.is_future:
            self.desk.fund(order.owner, CashKind.TO_FUTURES, now)
        if order.terms.end_time is not None:
            self._set_timer(order.terms.end_time, "expire", order)
        if self._delays.pending:
            self._set_timer(now + self._delays.pending, "activate", order)
        else:
            self._fire("activate", order, now)

    def _enter(self, order: Order, now: datetime) -> None:
        self._count += 1
        listing = self.listings[order.product_id]
        self.orders[order.order_id] = order
        self._by_client[order.owner, order.request.client_order_id] = order.order_id
        listing.open_orders += 1
        self.clearing.rehold(order, listing.product)
        self._changed(order, "accepted", now)

    def _fire(self, action: str, order: Order, at: datetime) -> None:
        listing = self.listings[order.product_id]
        if order.is_terminal:
            return
        match action:
            case "activate":
                self._activate(order, listing, at)
            case "cancel":
                self._execution.finish(order, listing, Status.CANCELLED, at, "User requested cancel")
            case "expire":
                self._execution.finish(order, listing, Status.EXPIRED, at)
            case _:
                raise ValueError(f"timer action {action!r} is unknown")
        self._settle_triggers(listing, at)

    def _activate(self, order: Order, listing: Listing, at: datetime) -> None:
        if not listing.product.is_tradable:
            order.reject_message = "product stopped trading before the order reached the book"
            self._execution.finish(order, listing, Status.FAILED, at)
        elif order.terms.post_only and crosses(listing.book, order.side, order.limit):
            order.reject_message = "post-only order would trade"
            self._execution.finish(order, listing, Status.FAILED, at)
        elif order.terms.kind in STOP_KINDS | BRACKET_KINDS:
            if order.status is Status.PENDING:
                order.status = Status.OPEN
            order.trigger = Trigger.WAITING
            listing.waiting[order.order_id] = None
            if order.terms.kind in BRACKET_KINDS:
                self._execution.rest(order, listing)
            self._changed(order, "opened", at)
        else:
            self._execution.trade(order, listing, at)

    def _market_step(self, listing: Listing) -> None:
        step: MarketStep = listing.stream.step()
        self._schedule_market(listing)
        contract = listing.product.contract
        if listing.conditions.is_frozen or (contract is not None and contract.is_expired(step.at)):
            return
        if contract is not None and not contract.is_open(step.at):
            self.outbox.append(SessionShut(product_id=listing.product.product_id, price=listing.last_or_start()))
            return
        self._execution.market_step(step, listing)
        self._settle_triggers(listing, step.at)
        if contract is not None:
            self.day.enforce(step.at, self)

    def _settle_triggers(self, listing: Listing, at: datetime) -> None:
        for child in self._execution.settle_triggers(listing, at):
            order = self._checked(child.request, at)
            if isinstance(order, Order):
                order.originating_order_id = child.parent_id
                self._admit(order, at)
                self.orders[child.parent_id].attached_order_id = order.order_id

    def _schedule_market(self, listing: Listing) -> None:
        at = listing.stream.next_at()
        if at is not None:
            heappush(self._due, (at, listing.product.product_id))

    def _set_timer(self, at: datetime, action: str, order: Order) -> None:
        self._timer_count += 1
        heappush(self._timers, (at, self._timer_count, action, order.order_id))

    def _changed(self, order: Order, event: str, at: datetime) -> None:
        order.updated_at = at
        self.outbox.append(OrderChanged(order_id=order.order_id, event=event, at=at, status=order.status))
