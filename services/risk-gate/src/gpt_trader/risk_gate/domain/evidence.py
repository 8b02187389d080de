"""What the venue's own lists, read to their end, say of an order or an execution that nobody reported."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.market import quote_currency_of
from gpt_trader.contracts.orders import Fill, OrderEvent, OrderStatus
from gpt_trader.risk_gate.domain.consequences import has_slipped, of_fill
from gpt_trader.risk_gate.domain.exposure import FATE_UNKNOWN, Approval
from gpt_trader.risk_gate.domain.increments import ONE, ZERO
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.records import FillReported, InquiryEnded, OrderReported
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.strangers import is_ours
from gpt_trader.risk_gate.domain.venue import VenueFill, VenueOrder

RESOLVED_WITHIN = timedelta(seconds=90)
"""Real time after its permit in which the executor tells what became of an order, in the worst case."""


@dataclass(frozen=True, slots=True)
class Uncounted:
    """An execution at the venue that our books lack, and the order it belongs to."""

    fill: VenueFill
    order: VenueOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Every order made since `since`, whatever its status; `began_at` is before its first page was asked for.

    `fence` is how long after its permit the venue may still accept an order, and may after that not list it yet.
    """

    since: datetime
    began_at: datetime
    fence: timedelta
    orders: tuple[VenueOrder, ...]

    def is_whole(self, state: GateState, known: tuple[VenueOrder, ...]) -> bool:
        """Whether it has all of ours that were met elsewhere, open or executed: one with a hole proves nothing."""
        listed = {order.venue_order_id for order in self.orders}
        lacking = (state.approvals.get(one.client_order_id) for one in known if one.venue_order_id not in listed)
        return not any(kept.permitted_at is not None and kept.permitted_at >= self.since for kept in lacking if kept)

    def proves_absence(self, approval: Approval) -> bool:
        """Whether the approval's order would stand in it by now, had it ever come to be."""
        at = approval.permitted_at
        return at is not None and self.since <= at <= self.began_at - self.fence


def undecided(state: GateState, policy: Policy, silent_since: datetime) -> tuple[Approval, ...]:
    """Return the orders whose fate the lists must tell: nobody else did in time, or an operator asks for it."""
    return tuple(
        kept
        for kept in state.approvals.values()
        if kept.permitted_at is not None
        and (
            is_asked(state, kept.permitted_at)
            or (kept.permitted_at <= silent_since and _is_in_doubt(kept, state, policy))
        )
    )


def order_told(approval: Approval, listing: Listing, state: GateState, now: datetime) -> tuple[OrderReported, ...]:
    """Report what a whole listing says of an order, if that is news. One that does not stand in it is dead.

    An order that the venue had confirmed before is declared dead only where an operator asks.
    """
    same = [order for order in listing.orders if order.client_order_id == approval.client_order_id]
    said = _said(approval, listing, now) + _asked_by(state, approval.permitted_at)
    if not same:
        is_free = approval.venue_order_id is None or is_asked(state, approval.permitted_at)
        is_dead = is_free and listing.proves_absence(approval)
        return (_told(approval, None, said, now),) if is_dead else ()
    (found, *others) = same
    is_clear = not others and is_ours(found, state) and found.status is not OrderStatus.UNKNOWN
    is_news = (found.status, _filled(found, approval)) != (approval.status, approval.reported)
    return (_told(approval, found, said, now),) if is_clear and is_news else ()


def fill_told(one: Uncounted, state: GateState, policy: Policy, now: datetime) -> FillReported:
    """Count an execution of an order of ours on the venue's word."""
    approval = state.approvals.get(one.order.client_order_id)
    held = state.portfolio.holdings.get(one.fill.product)
    strategy = approval.strategy if approval is not None else "" if held is None else held.strategy
    fill = as_fill(one, strategy, state)
    asked = _asked_by(state, fill.occurred_at)
    return FillReported(
        fill=fill,
        sequence=0,
        is_slippage=has_slipped(fill, approval, policy),
        raised=of_fill(fill, state, policy, now),
        evidence=f"the venue's executions, listed to the end before {now.isoformat()}{asked}",
        at=now,
    )


def inquiry_ended(state: GateState, began_at: datetime, fence: timedelta, now: datetime) -> tuple[InquiryEnded, ...]:
    """Close an operator's question once lists were read that decide on all that had been let out by then."""
    wanted = state.inquiry
    if wanted is None or began_at < wanted.at:
        return ()
    left = [
        own
        for own, kept in state.approvals.items()
        if is_asked(state, kept.permitted_at) and kept.status in FATE_UNKNOWN
    ]
    if left and began_at < wanted.at + fence:
        return ()
    return (InquiryEnded(sequence=wanted.sequence, note=f"still unknown: {', '.join(left) or 'nothing'}", at=now),)


def as_fill(one: Uncounted, strategy: str, state: GateState) -> Fill:
    """Give an execution that only the venue tells of our shape, in base currency; no intent is named for it."""
    fill = one.fill
    terms = None if state.futures is None else state.futures.terms.get(fill.product)
    size = ONE if terms is None else terms.contract_size
    return Fill(
        fill_id=fill.fill_id,
        trade_id=fill.trade_id,
        client_order_id=ClientOrderId(one.order.client_order_id or fill.venue_order_id),
        venue_order_id=fill.venue_order_id,
        intent_id=None,
        strategy=strategy,
        product=fill.product,
        side=fill.side,
        kind=fill.kind,
        quantity=fill.quantity * size,
        price=fill.price,
        fee=fill.fee,
        fee_currency=quote_currency_of(fill.product),
        liquidity=fill.liquidity,
        occurred_at=fill.occurred_at,
        reported_at=fill.occurred_at,
    )


def is_asked(state: GateState, at: datetime | None) -> bool:
    """Whether an operator asks what became of something that happened at this time."""
    return state.inquiry is not None and at is not None and at <= state.inquiry.at


def _asked_by(state: GateState, at: datetime | None) -> str:
    if state.inquiry is None or not is_asked(state, at):
        return ""
    return f", as command {state.inquiry.sequence} asked: {state.inquiry.reason}"


def _is_in_doubt(approval: Approval, state: GateState, policy: Policy) -> bool:
    """Whether nobody told its fate, or what was told has differed from the venue's list for too long."""
    drifts = state.order_drifts.get(approval.client_order_id, 0)
    return approval.status in FATE_UNKNOWN or drifts >= policy.reconcile.order_drifts


def _said(approval: Approval, listing: Listing, now: datetime) -> str:
    since, began = listing.since.isoformat(), listing.began_at.isoformat()
    let_out = "never" if approval.permitted_at is None else approval.permitted_at.isoformat()
    listed = f"{len(listing.orders)} orders of every status since {since}, listed to the end from {began} to "
    return f"let out at {let_out}; {listed}{now.isoformat()}"


def _filled(found: VenueOrder, approval: Approval) -> Decimal:
    return found.filled_quantity * (approval.contract_size or ONE)


def _told(approval: Approval, found: VenueOrder | None, said: str, now: datetime) -> OrderReported:
    """Make the report that the executor owes; not found = it is not at the venue, and never will be."""
    event = OrderEvent(
        client_order_id=approval.client_order_id,
        revision=approval.revision + 1,
        venue_order_id=approval.venue_order_id if found is None else found.venue_order_id,
        intent_id=approval.intent_id,
        strategy=approval.strategy,
        product=approval.product,
        side=approval.side,
        purpose=approval.purpose,
        quantity=approval.quantity,
        limit_price=approval.limit_price,
        status=OrderStatus.FAILED if found is None else found.status,
        filled_quantity=approval.reported if found is None else _filled(found, approval),
        average_price=None,
        fees=ZERO,
        reason="absent_at_venue" if found is None else "told_by_venue",
        occurred_at=now,
        reported_at=now,
    )
    return OrderReported(event=event, sequence=0, raised=(), evidence=said, at=now)
