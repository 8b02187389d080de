"""What others do with our money: transfers, orders and trades made elsewhere, and fills that never reached us."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from gpt_trader.contracts.account import Difference
from gpt_trader.risk_gate.domain.consequences import reduce_only
from gpt_trader.risk_gate.domain.evidence import Uncounted, as_fill
from gpt_trader.risk_gate.domain.increments import ONE
from gpt_trader.risk_gate.domain.reconcile import product_of
from gpt_trader.risk_gate.domain.records import (
    Adopted,
    AdoptionEnded,
    CauseCleared,
    CauseRaised,
    ExternalFillSeen,
    Record,
    TransferSeen,
)
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.strangers import foreign, is_ours
from gpt_trader.risk_gate.domain.sweeps.conditions import restricts
from gpt_trader.risk_gate.domain.trading_state import CauseCode
from gpt_trader.risk_gate.domain.venue import Nature, VenueFill, VenueTransfer

EXTERNAL = "external"
"""The strategy of a trade that was made elsewhere."""
_SHOWN = 1000
"""How much is said of transactions that nobody classed."""


def explained(state: GateState, uncounted: tuple[Uncounted, ...], now: datetime) -> tuple[Record, ...]:
    """Say what executions that never reached us are: lost ones of ours, or those of others; count what may count."""
    ours = [one.fill for one in uncounted if is_ours(one.order, state)]
    others = [one for one in uncounted if not is_ours(one.order, state)]
    excused = tuple(
        ExternalFillSeen(fill=as_fill(one, EXTERNAL, state), at=now)
        for one in others
        if one.order.is_liquidation or one.order.venue_order_id in state.acknowledged
    )
    return (*excused, *foreign(state, tuple(one.order for one in others), now), *_missing(state, ours, now))


def transfers_seen(
    state: GateState, listed: tuple[VenueTransfer, ...], marks: Mapping[str, Decimal], quote: str, now: datetime
) -> tuple[Record, ...]:
    """Take over what the venue tells of, each once; what has no mark has to wait for one.

    What was made before the currency's total was taken over is in that total, and what moves between the wallets that
    we count as one changes nothing. A transaction of a type that nobody classed is no transfer: it restricts trading.
    """
    found: list[Record] = []
    unclassed: list[VenueTransfer] = []
    for transfer in listed:
        product = None if transfer.currency == quote else f"{transfer.currency}-{quote}"
        mark = ONE if product is None else marks.get(product)
        is_seen = transfer.transfer_id in state.transfer_ids
        is_adopted = state.opened_at is None or transfer.at <= state.adopted_at.get(transfer.currency, state.opened_at)
        if is_seen or is_adopted or mark is None or transfer.nature is Nature.INTERNAL:
            continue
        if transfer.nature is Nature.UNKNOWN:
            unclassed.append(transfer)
            continue
        found.append(
            TransferSeen(
                transfer_id=transfer.transfer_id,
                currency=transfer.currency,
                product=product,
                amount=transfer.amount,
                mark=mark,
                is_income=transfer.nature is Nature.INCOME,
                type=transfer.kind,
                made_at=transfer.at,
                at=now,
            )
        )
    return (*found, *_unclassed(state, unclassed, now))


def _unclassed(state: GateState, listed: list[VenueTransfer], now: datetime) -> tuple[Record, ...]:
    if not listed or restricts(state, CauseCode.UNKNOWN_TRANSACTION, now):
        return ()
    named = ", ".join(f"{one.kind} {one.amount} {one.currency} ({one.transfer_id})" for one in listed)
    return (CauseRaised(cause=reduce_only(CauseCode.UNKNOWN_TRANSACTION, named[:_SHOWN], now), at=now),)


def adopted(
    state: GateState, differences: tuple[Difference, ...], marks: Mapping[str, Decimal], quote: str, now: datetime
) -> tuple[Record, ...]:
    """Take over the venue's totals if they are those that the operator saw; anything else is refused as a whole."""
    wanted = state.adoption
    if wanted is None:
        return ()
    unlike = [one.currency for one in differences if wanted.books.get(one.currency) != one.venue]
    products = {one.currency: None if one.currency == quote else product_of(one.currency, quote) for one in differences}
    unpriced = [product for product in products.values() if product is not None and product not in marks]
    if unlike or unpriced:
        note = f"refused: the venue has other totals of {unlike}, no mark for {unpriced}"
        return (AdoptionEnded(sequence=wanted.sequence, note=note, at=now),)
    taken = tuple(
        Adopted(
            sequence=wanted.sequence,
            currency=one.currency,
            product=products[one.currency],
            before=one.ours,
            after=one.venue,
            mark=ONE if one.currency == quote else marks[product_of(one.currency, quote)],
            reason=wanted.reason,
            at=now,
        )
        for one in differences
    )
    return (*taken, AdoptionEnded(sequence=wanted.sequence, note=f"adopted {len(taken)} totals", at=now))


def _missing(state: GateState, fills: list[VenueFill], now: datetime) -> tuple[Record, ...]:
    is_restricted = restricts(state, CauseCode.MISSING_FILL, now)
    if fills and not is_restricted:
        named = ", ".join(f"{one.fill_id}: {one.side} {one.quantity} {one.product} at {one.price}" for one in fills)
        return (CauseRaised(cause=reduce_only(CauseCode.MISSING_FILL, f"not counted: {named}", now), at=now),)
    if is_restricted and not fills:
        return (CauseCleared(code=CauseCode.MISSING_FILL, product=None, reason="every fill is counted", at=now),)
    return ()
