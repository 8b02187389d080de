"""What the venue's books make of ours: comparisons, transfers, strangers, and what an operator lets us take over."""

from dataclasses import replace
from decimal import Decimal

from gpt_trader.contracts import subjects
from gpt_trader.risk_gate.domain import portfolio as books
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.portfolio import Movement
from gpt_trader.risk_gate.domain.state import GateState, WantedAdoption, WantedInquiry
from gpt_trader.risk_gate.domain.strangers import with_strangers

BooksRecord = (
    records.Reconciled
    | records.TransferSeen
    | records.Adopted
    | records.AdoptionEnded
    | records.StrangerSeen
    | records.ExternalFillSeen
    | records.OrdersCompared
    | records.InquiryEnded
)


def compared(state: GateState, record: BooksRecord) -> GateState:  # noqa: C901, PLR0911 - one arm per record
    """Take over what a comparison with the venue found."""
    match record:
        case records.Reconciled():
            return _reconciled(state, record)
        case records.TransferSeen():
            movement = Movement(
                currency=record.currency, product=record.product, amount=record.amount, mark=record.mark
            )
            seen = replace(state, transfer_ids=state.transfer_ids.with_id(record.transfer_id))
            if record.transfer_id in state.transfer_ids:
                return seen
            if record.is_income:
                return replace(seen, portfolio=books.earned(seen.portfolio, movement, record.at))
            return _moved(seen, movement, record)
        case records.Adopted():
            amount = record.after - record.before
            movement = Movement(currency=record.currency, product=record.product, amount=amount, mark=record.mark)
            settled = replace(state, adopted_at={**state.adopted_at, record.currency: record.at})
            return _moved(settled, movement, record)
        case records.AdoptionEnded():
            return replace(state, adoption=None)
        case records.StrangerSeen():
            return replace(state, strangers=with_strangers(state.strangers, (record,)))
        case records.ExternalFillSeen():
            return replace(state, portfolio=books.evolve(state.portfolio, record.fill))
        case records.InquiryEnded():
            return replace(state, inquiry=None)
        case records.OrdersCompared():
            drifts = {key: state.order_drifts.get(key, 0) + 1 for key in record.drifting}
            return replace(state, order_drifts=drifts)


def acknowledged(state: GateState, record: records.CommandReceived) -> GateState:
    """Remember what an operator accepts of what others did."""
    known = state.acknowledged
    for venue_order_id in record.acknowledged:
        known = known.with_id(venue_order_id)
    left = {own: code for own, code in state.strangers.items() if own not in record.acknowledged}
    state = replace(state, acknowledged=known, strangers=left)
    if record.subject == subjects.CONTROL_RESET and record.reason:
        return replace(state, inquiry=WantedInquiry(sequence=record.sequence, reason=record.reason, at=record.at))
    if record.subject != subjects.CONTROL_ADOPT or record.books is None:
        return state
    wanted = WantedAdoption(sequence=record.sequence, books=dict(record.books), reason=record.reason)
    return replace(state, adoption=wanted)


def _reconciled(state: GateState, record: records.Reconciled) -> GateState:
    return replace(
        state,
        mismatches=0 if record.is_equal else state.mismatches + 1,
        differences=record.differences,
        reconciled_at=record.at if record.is_equal else state.reconciled_at,
    )


def _moved(state: GateState, movement: Movement, record: records.TransferSeen | records.Adopted) -> GateState:
    """Move every level that equity is measured against with the money: a deposit is no gain, a withdrawal no loss."""
    return replace(
        state,
        portfolio=books.moved(state.portfolio, movement, record.at),
        day_start_equity=_shifted(state.day_start_equity, movement.worth),
        week_start_equity=_shifted(state.week_start_equity, movement.worth),
        peak_equity=_shifted(state.peak_equity, movement.worth),
    )


def _shifted(level: Decimal | None, worth: Decimal) -> Decimal | None:
    return None if level is None else level + worth
