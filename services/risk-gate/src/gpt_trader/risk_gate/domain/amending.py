"""Changing what rests without taking it back (EX5): one amendment of an order at a time, counted at its worst.

Only a stop that the gate placed is changed, and only of spot: futures can't be edited at the venue. Its size follows
the position; its price comes nearer to the market and never goes further away: that is placed anew.
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from gpt_trader.contracts.market import is_future
from gpt_trader.contracts.message import digest
from gpt_trader.contracts.orders import OrderStatus
from gpt_trader.risk_gate.domain.exposure import Amending, Approval
from gpt_trader.risk_gate.domain.order_records import AmendAsked, AmendEnded
from gpt_trader.risk_gate.domain.spelling import Change, Spelling
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.venue import VenueOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """What a stop is to be from now on."""

    quantity: Decimal
    limit_price: Decimal
    stop_price: Decimal | None


def is_amendable(approval: Approval) -> bool:
    """Whether the venue lets it be changed now, and nothing of ours is under way with it."""
    return (
        approval.status is OrderStatus.OPEN
        and approval.venue_order_id is not None
        and approval.amending is None
        and not approval.is_fixed
        and approval.cancel_asked_at is None
        and not is_future(approval.product)
    )


def is_nearer(approval: Approval, trigger: Decimal | None) -> bool:
    """Whether a stop that triggers there loses no more than it does now."""
    old = approval.trigger_price
    return old is not None and trigger is not None and (old - trigger) * approval.side.sign >= 0


def amend(approval: Approval, wanted: Amended, reason: str, spelling: Spelling, now: datetime) -> AmendAsked | None:
    """Write down the exact change; None = it may not be made."""
    if not is_amendable(approval) or approval.venue_order_id is None or not is_nearer(approval, wanted.stop_price):
        return None
    change = Change(
        venue_order_id=approval.venue_order_id,
        limit_price=wanted.limit_price,
        quantity=wanted.quantity,
        stop_price=None if wanted.stop_price == approval.trigger_price else wanted.stop_price,
    )
    body = spelling.edit(change)
    return AmendAsked(
        client_order_id=approval.client_order_id,
        quantity=wanted.quantity,
        limit_price=wanted.limit_price,
        stop_price=wanted.stop_price,
        body=body,
        body_sha256=digest(body.encode()),
        reason=reason,
        at=now,
    )


def under_way(state: GateState) -> Iterator[Approval]:
    """Yield the orders whose amendment nobody has settled."""
    return (kept for kept in state.approvals.values() if kept.amending is not None)


def refused(approval: Approval, reason: str, now: datetime) -> AmendEnded:
    """Settle an amendment that the venue definitively refused, or that was not sent."""
    return _ended(approval, _as_it_was(approval), reason, now)


def seen(approval: Approval, found: VenueOrder, fence: timedelta, now: datetime) -> AmendEnded | None:
    """Settle by what the venue shows of the order: what was asked, or, once the request can't take effect, what it is.

    None = it may still change, or is what nobody asked for; an order that is over is settled by its own end.
    """
    if approval.amending is None or found.limit_price is None:
        return None
    asked, was = _as_asked(approval.amending), _as_it_was(approval)
    shown = Amended(quantity=found.quantity, limit_price=found.limit_price, stop_price=found.stop_price)
    if shown == asked:
        return _ended(approval, shown, "shown by the venue", now)
    is_ours = all(one in known for one, *known in zip(*map(astuple, (shown, asked, was)), strict=True))
    is_late = now - approval.amending.asked_at > fence
    return _ended(approval, shown, "not shown by the venue", now) if is_ours and is_late else None


def _as_asked(amending: Amending) -> Amended:
    return Amended(quantity=amending.quantity, limit_price=amending.limit_price, stop_price=amending.stop_price)


def _as_it_was(approval: Approval) -> Amended:
    return Amended(quantity=approval.quantity, limit_price=approval.limit_price, stop_price=approval.trigger_price)


def _ended(approval: Approval, shown: Amended, note: str, now: datetime) -> AmendEnded:
    return AmendEnded(
        client_order_id=approval.client_order_id,
        is_applied=approval.amending is not None and shown == _as_asked(approval.amending),
        quantity=shown.quantity,
        limit_price=shown.limit_price,
        stop_price=shown.stop_price,
        note=note,
        at=now,
    )
