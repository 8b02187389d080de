"""Maker first (EX2): a wish that rests at the touch, is made again once, and is then taken within a band.

Each step is an order of its own with an approval of its own, made only once all before it are over and counted. So the
fills of all steps together never exceed what the first was approved for, as long as the venue's word on an end is true;
a step that a later fill of an earlier one made too large is not let out, or is taken back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.ids import ClientOrderId, SignalId, signal_id
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.orders import OrderStatus, is_post_only_refusal
from gpt_trader.contracts.signals import Signal
from gpt_trader.risk_gate.domain.exposure import Approval
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.policy.execution import ExecutionRules
from gpt_trader.risk_gate.domain.shape import Follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """A wish under way: `left` is what was approved for it and no fill has brought, `orders` are its steps' so far.

    `is_due` = the newest of them is over, and the next step may be asked for. `reserved` is the notional approved.
    """

    signal: Signal
    total: Decimal
    left: Decimal
    reserved: Decimal
    arrival_mark: Decimal
    began_at: datetime
    orders: tuple[ClientOrderId, ...]
    is_due: bool = False

    @property
    def number(self) -> int:
        """The step that was last approved."""
        return len(self.orders)


Makers = Mapping[SignalId, Maker]
"""By the signal that each began with."""


def begun(makers: Makers, signal: Signal, intent: ApprovedIntent) -> Makers:
    """Begin with an approved first step."""
    maker = Maker(
        signal=signal,
        total=intent.quantity,
        left=intent.quantity,
        reserved=intent.reserved_notional,
        arrival_mark=intent.mark,
        began_at=intent.approved_at,
        orders=(intent.client_order_id,),
    )
    return {**makers, signal.signal_id: maker}


def went_on(makers: Makers, wish: SignalId, intent: ApprovedIntent | None) -> Makers:
    """Go on with an approved step; a denied one is the last."""
    maker = makers.get(wish)
    if maker is None or intent is None:
        return without(makers, wish)
    return {**makers, wish: replace(maker, orders=(*maker.orders, intent.client_order_id), is_due=False)}


def executed(makers: Makers, order: ClientOrderId, quantity: Decimal) -> Makers:
    """Count a fill of any step, however late it comes."""
    found = _of(makers, order)
    if found is None:
        return makers
    return {**makers, found[0]: replace(found[1], left=max(found[1].left - quantity, ZERO))}


def exceeds(makers: Makers, approval: Approval) -> bool:
    """Whether a step may bring more than its wish lacks: an order before it was filled after the venue had ended it."""
    found = _of(makers, approval.client_order_id)
    return found is not None and approval.remaining > found[1].left


def step_over(makers: Makers, approval: Approval, reason: str) -> Makers:
    """Decide whether another step follows the newest order's end.

    It does after what ends by itself or by the venue; not after what we took back, and not after any other refusal.
    """
    found = _of(makers, approval.client_order_id)
    if found is None or found[1].orders[-1] != approval.client_order_id:
        return makers
    wish, maker = found
    goes_on = (
        approval.status in {OrderStatus.EXPIRED, OrderStatus.CANCELED}
        or (approval.status is OrderStatus.REJECTED and is_post_only_refusal(reason))
    ) and approval.cancel_asked_at is None
    if not goes_on or maker.left <= ZERO or not approval.form.rests:
        return without(makers, wish)
    return {**makers, wish: replace(maker, is_due=True)}


def given_up(makers: Makers, product: str) -> Makers:
    """End all wishes of a product: what was approved is to close it."""
    if all(maker.signal.product != product for maker in makers.values()):
        return makers
    return {wish: maker for wish, maker in makers.items() if maker.signal.product != product}


def without(makers: Makers, wish: SignalId) -> Makers:
    """End one wish."""
    return {known: maker for known, maker in makers.items() if known != wish} if wish in makers else makers


def voided(makers: Makers, order: ClientOrderId) -> Makers:
    """End the wish whose step can never become an order."""
    found = _of(makers, order)
    return makers if found is None else without(makers, found[0])


def due(makers: Makers) -> Iterator[Maker]:
    """Yield the wishes that wait for their next step."""
    return (maker for maker in makers.values() if maker.is_due)


def follows(maker: Maker) -> Follows:
    """Say what the next step goes on with."""
    return Follows(
        number=maker.number + 1, wish=maker.signal.signal_id, left=maker.left, arrival_mark=maker.arrival_mark
    )


def next_signal(maker: Maker, rules: ExecutionRules, now: datetime) -> Signal:
    """Wish again, under an id derived from the first wish and the step; after twice its usual time it is too late."""
    wish = maker.signal
    cause = f"{wish.signal_id}/{maker.number + 1}"
    return wish.model_copy(
        update={
            "signal_id": signal_id(wish.strategy, wish.product, wish.action, cause),
            "caused_by": wish.signal_id,
            "created_at": now,
            "expires_at": maker.began_at + 2 * (2 + rules.reprices) * rules.ttl_seconds,
        }
    )


def _of(makers: Makers, order: ClientOrderId) -> tuple[SignalId, Maker] | None:
    return next(((wish, maker) for wish, maker in makers.items() if order in maker.orders), None)
