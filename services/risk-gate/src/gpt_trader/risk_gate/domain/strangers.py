"""Orders at the venue that this gate never approved: each is noted, and halts until an operator excuses it."""

from collections.abc import Mapping
from datetime import datetime

from gpt_trader.contracts.account import Cause
from gpt_trader.risk_gate.domain.consequences import halted
from gpt_trader.risk_gate.domain.exposure import terms_of
from gpt_trader.risk_gate.domain.increments import ONE
from gpt_trader.risk_gate.domain.records import CauseCleared, CauseRaised, Record, StrangerSeen
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import VenueOrder

_NAMED = 100
"""How many orders a cause names, so that it fits into a message; the others follow once these are excused."""
_WORDS = {
    CauseCode.UNAPPROVED_ORDER: "never approved by this gate",
    CauseCode.VENUE_LIQUIDATION: "made by the venue, to close what had too little margin",
}


def is_ours(order: VenueOrder, state: GateState) -> bool:
    """Whether this gate approved such an order, however long ago."""
    if terms_of(order.client_order_id, order.product, order.side) not in state.known_terms:
        return False
    approval = state.approvals.get(order.client_order_id)
    return approval is None or order.quantity * (approval.contract_size or ONE) <= approval.most


def foreign(state: GateState, orders: tuple[VenueOrder, ...], now: datetime) -> tuple[Record, ...]:
    """Note each order that is not ours, and halt while one of them is not excused."""
    strange = [one for one in orders if not is_ours(one, state) and one.venue_order_id not in state.acknowledged]
    if not strange:
        return ()
    seen = tuple(_stranger(one, now) for one in strange if _is_news(one, state))
    known = with_strangers(state.strangers, seen)
    held = {(cause.code, cause.orders) for cause in state.causes}
    raised = tuple(
        CauseRaised(cause=cause, at=now) for cause in halts(known, now) if (cause.code, cause.orders) not in held
    )
    return (*seen, *raised, *_retracted(state.strangers, known, now))


def with_strangers(known: Mapping[str, CauseCode], seen: tuple[StrangerSeen, ...]) -> dict[str, CauseCode]:
    """Add what was seen; the venue's word that it made an order itself is final."""
    return {**known, **{one.venue_order_id: _code(is_liquidation=one.is_liquidation) for one in seen}}


def halts(strangers: Mapping[str, CauseCode], now: datetime) -> tuple[Cause, ...]:
    """Make the causes that hold while these are not excused, with the ids that an excuse has to name."""
    causes: tuple[Cause, ...] = ()
    for code, words in _WORDS.items():
        orders = tuple(own for own, kind in strangers.items() if kind is code)
        if orders:
            detail = f"{len(orders)} {words}: {', '.join(orders[:_NAMED])}"
            causes = (*causes, halted(code, detail, now).model_copy(update={"orders": orders[:_NAMED]}))
    return causes


def _retracted(
    before: Mapping[str, CauseCode], after: Mapping[str, CauseCode], now: datetime
) -> tuple[CauseCleared, ...]:
    """Blame nobody any more when all that was strange turns out to be the venue's own."""
    code = CauseCode.UNAPPROVED_ORDER
    if code not in before.values() or code in after.values():
        return ()
    return (CauseCleared(code=code, product=None, reason="the venue says that it made the order", at=now),)


def _is_news(order: VenueOrder, state: GateState) -> bool:
    """Whether it is new, or the venue only now says that it is its own: the user channel may not tell."""
    known = state.strangers.get(order.venue_order_id)
    return known is None or (order.is_liquidation and known is not CauseCode.VENUE_LIQUIDATION)


def _code(*, is_liquidation: bool) -> CauseCode:
    return CauseCode.VENUE_LIQUIDATION if is_liquidation else CauseCode.UNAPPROVED_ORDER


def _stranger(order: VenueOrder, now: datetime) -> StrangerSeen:
    return StrangerSeen(
        venue_order_id=order.venue_order_id,
        client_order_id=order.client_order_id,
        product=order.product,
        side=order.side,
        quantity=order.quantity,
        is_liquidation=order.is_liquidation,
        at=now,
    )
