"""The exchange itself: orders in, matches out, in market time given by the caller."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import assert_never
from uuid import NAMESPACE_URL, uuid5

from gpt_trader.exchange_sim.domain.accounts import CashKind, Ledger
from gpt_trader.exchange_sim.domain.admission import funding_refusal, request_refusal
from gpt_trader.exchange_sim.domain.agenda import Action, Agenda
from gpt_trader.exchange_sim.domain.amendments import amendment_refusal, cancel_refusal
from gpt_trader.exchange_sim.domain.clearing import Clearing
from gpt_trader.exchange_sim.domain.delays import Delays
from gpt_trader.exchange_sim.domain.desk import FuturesDesk
from gpt_trader.exchange_sim.domain.execution import Execution, Outbox, SessionShut
from gpt_trader.exchange_sim.domain.fees import Fees
from gpt_trader.exchange_sim.domain.futures_day import FuturesDay
from gpt_trader.exchange_sim.domain.listing import Listing
from gpt_trader.exchange_sim.domain.markets import MarketStep
from gpt_trader.exchange_sim.domain.orders import (
    BRACKET_KINDS,
    STOP_KINDS,
    ZERO,
    Edit,
    Fill,
    Order,
    OrderRequest,
    Side,
    Status,
    Trigger,
)
from gpt_trader.exchange_sim.domain.preview import Preview, draft, preview_of
from gpt_trader.exchange_sim.domain.validation import Accepted, Refusal, crosses, refuse

NO_FEES = Fees(maker=ZERO, taker=ZERO)


class Venue:
    """All listings, orders and money. Calls must come with non-decreasing times.

    `delays` may be changed at any time, for orders that come from then on. The opening time goes into order and trade
    ids, so that a restarted venue never repeats one.
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
        self.delays = delays
        self._namespace = uuid5(NAMESPACE_URL, name)
        self._by_client: dict[tuple[str, str], str] = {}
        self._opened_at = opened_at
        first_trade_id = int(opened_at.timestamp()) * 1000
        self._execution = Execution(self.clearing, self.orders, self.outbox, first_trade_id)
        self._agenda = Agenda()
        self._count = 0
        for listing in self.listings.values():
            self.expect_market(listing)

    def id_of(self, kind: str, name: str) -> str:
        """Derive a stable uuid for anything of this venue."""
        return str(uuid5(self._namespace, f"{kind}:{name}"))

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due until `now`, in order of time."""
        agenda = self._agenda
        while True:
            day, timer, market = self.day.next_at(), agenda.next_timer, agenda.next_market
            if day is not None and day <= now and day <= min(timer or day, market or day):
                self.day.step(day, self)
            elif timer is not None and timer <= now and (market is None or timer <= market):
                due = agenda.take_timer()
                self._fire(due.action, self.orders[due.order_id], due.at)
            elif market is not None and market <= now:
                self._market_step(self.listings[agenda.take_market()])
            else:
                return

    def create(self, request: OrderRequest, now: datetime, part: Decimal | None = None) -> Accepted | Refusal:
        """Accept or refuse an order, of which a part may trade at once; a known client id returns the order it made."""
        self.advance(now)
        known = self._by_client.get((request.owner, request.client_order_id))
        if known is not None and self.is_idempotent:
            return Accepted(order_id=known, is_repeat=True)
        order = self._checked(request, now)
        if isinstance(order, Refusal):
            return order
        order.part = part
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
        self._fire(Action.ACTIVATE, order, at)

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
        reason = cancel_refusal(self.orders.get(order_id), self.listings, now)
        if reason is not None:
            return reason
        order = self.orders[order_id]
        if self.delays.cancel:
            order.status = Status.CANCEL_QUEUED
            self._execution.changed(order, "cancel_queued", now)
            self._agenda.set_timer(now + self.delays.cancel, Action.CANCEL, order.order_id)
        else:
            self._fire(Action.CANCEL, order, now)
        return None

    def fill(self, order_id: str, now: datetime, quantity: Decimal | None = None) -> bool:
        """Let the market trade with a resting order, all of it without a quantity; false when it doesn't rest."""
        self.advance(now)
        order = self.orders.get(order_id)
        if order is None or not order.is_resting:
            return False
        listing = self.listings[order.product_id]
        self._execution.fill(order, listing, min(quantity or order.remaining, order.remaining), now)
        self._settle_triggers(listing, now)
        return True

    def restate(self, fill: Fill, now: datetime, *, is_reversed: bool) -> None:
        """Undo a spot fill, or halve it."""
        order = self.orders[fill.order_id]
        if order.is_future:
            return
        self.clearing.restate(fill, order, self.listings[order.product_id].product, now, is_reversed=is_reversed)
        self._execution.changed(order, "reversed" if is_reversed else "corrected", now)

    def edit(
        self, order_id: str, price: Decimal, size: Decimal, at: datetime, stop: Decimal | None = None
    ) -> str | None:
        """Change price and size of a resting order, and the trigger of one that waits; the answer is why not."""
        self.advance(at)
        edit = Edit(price=price, size=size, stop_price=stop, accepted_at=at)
        if (reason := self.edit_refusal(order_id, edit)) is not None:
            return reason
        order = self.orders[order_id]
        listing = self.listings[order.product_id]
        keeps_turn = self._execution.amend(order, listing, edit)
        self.clearing.rehold(order, listing.product)
        self._execution.changed(order, "edited", at)
        if not keeps_turn and order.trigger is not Trigger.WAITING:
            self._execution.trade(order, listing, at)
        elif not keeps_turn and order.terms.kind in BRACKET_KINDS:
            self._execution.rest(order, listing)
        self._settle_triggers(listing, at)
        return None

    def edit_refusal(self, order_id: str, edit: Edit) -> str | None:
        """Why an amendment is not possible, in the venue's words."""
        if (order := self.orders.get(order_id)) is None:
            return "ORDER_NOT_FOUND"
        return amendment_refusal(order, edit, self.listings[order.product_id], self.clearing)

    def visible(self, order_id: str, now: datetime) -> Order | None:
        """Return the order, unless it is unknown or too fresh to be visible by id."""
        order = self.orders.get(order_id)
        return None if order is None or order.visible_at > now else order

    def _checked(self, request: OrderRequest, now: datetime) -> Order | Refusal:
        listing = self.listings[request.product_id]
        if (refusal := request_refusal(request, listing, now)) is not None:
            return refusal
        order = self._draft(request, now)
        return funding_refusal(order, listing.product, self.clearing, self.desk) or order

    def _draft(self, request: OrderRequest, now: datetime) -> Order:
        order_id = self.id_of("order", f"{self._opened_at.isoformat()}:{self._count}")
        order = draft(request, self.listings[request.product_id], order_id, now)
        order.visible_at = now + self.delays.visibility
        return order

    def _admit(self, order: Order, now: datetime) -> None:
        self._enter(order, now)
        if order.is_future:
            self.desk.fund(order.owner, CashKind.TO_FUTURES, now)
        if order.terms.end_time is not None:
            self._agenda.set_timer(order.terms.end_time, Action.EXPIRE, order.order_id)
        if self.delays.pending:
            self._agenda.set_timer(now + self.delays.pending, Action.ACTIVATE, order.order_id)
        else:
            self._fire(Action.ACTIVATE, order, now)

    def _enter(self, order: Order, now: datetime) -> None:
        self._count += 1
        listing = self.listings[order.product_id]
        self.orders[order.order_id] = order
        self._by_client[order.owner, order.request.client_order_id] = order.order_id
        listing.open_orders += 1
        self.clearing.rehold(order, listing.product)
        self._execution.changed(order, "accepted", now)

    def _fire(self, action: Action, order: Order, at: datetime) -> None:
        listing = self.listings[order.product_id]
        if order.is_terminal:
            return
        match action:
            case Action.ACTIVATE:
                self._activate(order, listing, at)
            case Action.CANCEL:
                self._execution.finish(order, listing, Status.CANCELLED, at, "User requested cancel")
            case Action.EXPIRE:
                self._execution.finish(order, listing, Status.EXPIRED, at)
            case _:
                assert_never(action)
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
            self._execution.changed(order, "opened", at)
        else:
            self._execution.trade(order, listing, at)

    def _market_step(self, listing: Listing) -> None:
        step: MarketStep = listing.stream.step()
        self.expect_market(listing)
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

    def expect_market(self, listing: Listing) -> None:
        """Have a market make its next step when its stream says; each step expects the one after it."""
        if (at := listing.stream.next_at()) is not None:
            self._agenda.expect_market(at, listing.product.product_id)
