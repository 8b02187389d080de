"""The fold: what each record makes of the state. Restart is nothing but this, over the whole journal."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import assert_never

from gpt_trader.contracts import subjects
from gpt_trader.contracts.account import Cause
from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.orders import Fill, FillKind, OrderStatus
from gpt_trader.risk_gate.domain import portfolio as books
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.checks.standing import content_of, kind_of
from gpt_trader.risk_gate.domain.exposure import Approval, terms_of
from gpt_trader.risk_gate.domain.history import KEPT, Closing, Moment, Paced, later_than
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.permits import PermitOutcome
from gpt_trader.risk_gate.domain.portfolio import Holding, Portfolio
from gpt_trader.risk_gate.domain.records import Record
from gpt_trader.risk_gate.domain.state import GateState, WantedFlatten
from gpt_trader.risk_gate.domain.trading_state import cleared, raised, without_expired


def folded(entries: Iterable[Record], state: GateState) -> GateState:
    """Apply records in order."""
    for record in entries:
        state = evolve(state, record)
    return state


def evolve(state: GateState, record: Record) -> GateState:  # noqa: C901, PLR0911, PLR0912 - one arm per record
    """Return the state after a record; the only way a state comes about."""
    match record:
        case records.DecisionMade():
            return _decided(state, record)
        case records.FillReported():
            return _filled(_restricted(state, record.raised, record.at), record)
        case records.OrderReported():
            return _reported(_restricted(state, record.raised, record.at), record)
        case records.IntentStored():
            return _stored(state, record)
        case records.PermitLogged():
            permitted = replace(state, permitted=state.permitted.with_id(record.body_sha256))
            return _with_permit(permitted, record)
        case records.PermitAnswered():
            return _with_answer(state, record)
        case records.ApprovalVoided():
            return replace(state, approvals=_without(state, record.client_order_id))
        case records.CauseRaised():
            return _restricted(state, (record.cause,), record.at)
        case records.CauseCleared():
            return replace(state, causes=cleared(without_expired(state.causes, record.at), record.code, record.product))
        case records.CommandReceived():
            return _commanded(state, record)
        case records.FlattenEnded():
            return replace(state, flattens=tuple(one for one in state.flattens if one.sequence != record.sequence))
        case records.CommandsLost():
            return replace(_restricted(state, record.raised, record.at), control_sequence=0)
        case records.Marked():
            return _marked(state, record)
        case records.Reconciled():
            return replace(state, mismatches=0 if record.is_equal else state.mismatches + 1)
        case records.PolicyAdopted():
            return replace(state, policy_version=record.version, policy_document=record.document)
        case records.Opened():
            return _opened(state, record)
        case records.EpochClaimed():
            return replace(
                state,
                epoch=record.epoch,
                intents_sequence=record.intents_sequence,
                intents_head=record.intents_head,
            )
        case _:
            assert_never(record)


def _decided(state: GateState, record: records.DecisionMade) -> GateState:
    decision = record.decision
    at, product = decision.decided_at, decision.product
    state = replace(
        _restricted(state, record.raised, at),
        decisions=decision.sequence,
        decision_head=decision.hash,
        signal_ids=state.signal_ids.with_id(decision.signal.signal_id),
    )
    if record.is_infrastructure and decision.verdict is Verdict.DENIED:
        denials = (*later_than(state.history.infrastructure_denials, at - KEPT), Moment(at, product))
        state = replace(state, history=replace(state.history, infrastructure_denials=denials))
    return state if record.intent is None else _approved(state, record, record.intent)


def _approved(state: GateState, record: records.DecisionMade, intent: ApprovedIntent) -> GateState:
    signal = record.decision.signal
    is_entry = intent.purpose.is_entry
    is_trade = intent.purpose in {Purpose.ENTRY, Purpose.EXIT}
    last = state.history.paced[-1] if state.history.paced else None
    before = ZERO if last is None else last.entry_notional_so_far
    paced = Paced(
        at=intent.approved_at,
        product=intent.product,
        is_entry=is_entry,
        is_trade=is_trade,
        content=content_of(signal),
        kind=kind_of(signal),
        trades_so_far=is_trade + (0 if last is None else last.trades_so_far),
        entries_so_far=is_entry + (0 if last is None else last.entries_so_far),
        entry_notional_before=before,
        entry_notional_so_far=before + intent.reserved_notional if is_entry else before,
    )
    return replace(
        state,
        approvals={**state.approvals, intent.client_order_id: _approval(record, intent)},
        known_orders=state.known_orders.with_id(intent.client_order_id),
        known_terms=state.known_terms.with_id(terms_of(intent.client_order_id, intent.product, intent.side)),
        history=state.history.with_approval(paced),
    )


def _approval(record: records.DecisionMade, intent: ApprovedIntent) -> Approval:
    return Approval(
        intent_id=intent.intent_id,
        client_order_id=intent.client_order_id,
        venue_order_id=None,
        decision_id=intent.decision_id,
        product=intent.product,
        side=intent.side,
        purpose=intent.purpose,
        strategy=intent.strategy,
        quantity=intent.quantity,
        limit_price=intent.limit_price,
        mark=intent.mark,
        reserved=intent.reserved_notional,
        stop_price=record.decision.signal.stop_price,
        target_price=record.decision.signal.target_price,
        epoch=intent.epoch,
        body_sha256=intent.body_sha256,
        approved_at=intent.approved_at,
        expires_at=intent.expires_at,
        is_stored=False,
        permitted_at=None,
        is_answered=False,
        status=None,
        revision=0,
        reported=ZERO,
        counted=ZERO,
    )


def _stored(state: GateState, record: records.IntentStored) -> GateState:
    approval = state.approvals.get(record.client_order_id)
    if approval is not None:
        stored = replace(approval, is_stored=True)
        state = replace(state, approvals={**state.approvals, record.client_order_id: stored})
    return replace(
        state,
        intents_sequence=record.stream_sequence,
        intents_head=record.payload_sha256,
    )


def _reported(state: GateState, record: records.OrderReported) -> GateState:
    event = record.event
    state = replace(state, orders_sequence=max(record.sequence, state.orders_sequence))
    if event.status is OrderStatus.REJECTED:
        rejections = (*later_than(state.history.rejections, record.at - KEPT), Moment(record.at, event.product))
        state = replace(state, history=replace(state.history, rejections=rejections))
    approval = state.approvals.get(event.client_order_id)
    if approval is None or event.revision <= approval.revision:
        return state
    updated = replace(
        approval,
        venue_order_id=event.venue_order_id or approval.venue_order_id,
        status=event.status,
        revision=event.revision,
        reported=max(event.filled_quantity, approval.reported),
    )
    return _settled(state, updated)


def _filled(state: GateState, record: records.FillReported) -> GateState:
    fill = record.fill
    state = replace(state, fills_sequence=max(record.sequence, state.fills_sequence))
    if fill.fill_id in state.portfolio.fill_ids:
        return state
    if record.is_slippage:
        slippages = (*later_than(state.history.slippages, record.at - KEPT), Moment(record.at, fill.product))
        state = replace(state, history=replace(state.history, slippages=slippages))
    approval = state.approvals.get(fill.client_order_id)
    state = replace(_closed(state, fill), portfolio=books.evolve(state.portfolio, fill), fills=state.fills + 1)
    if approval is None or fill.kind is not FillKind.FILL or not approval.explains(fill):
        return state
    state = replace(state, portfolio=_with_plan(state.portfolio, approval))
    return _settled(state, replace(approval, counted=approval.counted + fill.quantity))


def _closed(state: GateState, fill: Fill) -> GateState:
    """Note what a fill realizes, if it closes anything: cooldowns look back on it."""
    holding = state.portfolio.holdings.get(fill.product, Holding())
    if fill.kind is not FillKind.FILL or holding.quantity * fill.side.sign >= ZERO:
        return state
    is_stop = holding.stop_price is not None and (fill.price - holding.stop_price) * fill.side.sign >= ZERO
    closing = Closing(
        client_order_id=fill.client_order_id,
        product=fill.product,
        pnl=books.realized_by(state.portfolio, fill),
        is_stop=is_stop,
        at=fill.occurred_at,
    )
    return replace(state, history=state.history.with_closing(closing))


def _with_plan(portfolio: Portfolio, approval: Approval) -> Portfolio:
    """Give the position what its entry planned: strategy, stop and target."""
    holding = portfolio.holdings[approval.product]
    if not approval.purpose.is_entry or not holding.quantity:
        return portfolio
    planned = replace(
        holding,
        strategy=approval.strategy,
        stop_price=approval.stop_price,
        target_price=approval.target_price,
    )
    return replace(portfolio, holdings={**portfolio.holdings, approval.product: planned})


def _settled(state: GateState, approval: Approval) -> GateState:
    """Keep an approval until nothing more can come of it."""
    if approval.is_over:
        return replace(state, approvals=_without(state, approval.client_order_id))
    return replace(state, approvals={**state.approvals, approval.client_order_id: approval})


def _without(state: GateState, key: ClientOrderId) -> dict[ClientOrderId, Approval]:
    return {known: kept for known, kept in state.approvals.items() if known != key}


def _with_permit(state: GateState, record: records.PermitLogged) -> GateState:
    approval = state.approvals.get(record.client_order_id)
    if approval is None:
        return state
    noted = replace(approval, permitted_at=record.at, is_answered=False)
    return replace(state, approvals={**state.approvals, record.client_order_id: noted})


def _with_answer(state: GateState, record: records.PermitAnswered) -> GateState:
    """Note a definitive answer; an order that was over before it came has nothing to note."""
    approval = state.approvals.get(record.client_order_id)
    if approval is None or record.outcome is PermitOutcome.UNKNOWN:
        return state
    return replace(state, approvals={**state.approvals, record.client_order_id: replace(approval, is_answered=True)})


def _restricted(state: GateState, causes: tuple[Cause, ...], at: datetime) -> GateState:
    if not causes:
        return state
    restricted = without_expired(state.causes, at)
    for cause in causes:
        restricted = raised(restricted, cause)
    return replace(state, causes=restricted)


def _commanded(state: GateState, record: records.CommandReceived) -> GateState:
    causes = without_expired(state.causes, record.at)
    for cause in record.cleared:
        causes = cleared(causes, cause.code, cause.product)
    for cause in record.raised:
        causes = raised(causes, cause)
    state = replace(state, causes=causes, control_sequence=max(record.sequence, state.control_sequence))
    if record.subject != subjects.CONTROL_FLATTEN or not record.raised:
        return state
    wanted = WantedFlatten(sequence=record.sequence, product=record.raised[0].product, at=record.at)
    return replace(state, flattens=(*state.flattens, wanted))


def _marked(state: GateState, record: records.Marked) -> GateState:
    day = record.at.date()
    peak = record.equity if state.peak_equity is None else max(state.peak_equity, record.equity)
    if day == state.day:
        return replace(state, peak_equity=peak)
    return replace(state, day=day, day_start_equity=record.equity, peak_equity=peak)


def _opened(state: GateState, record: records.Opened) -> GateState:
    """Begin the books; what they are worth at that moment begins the day."""
    holdings: dict[str, Holding] = {}
    for position in record.positions:
        holdings[position.product] = Holding(
            quantity=position.quantity,
            cost=position.quantity * position.mark,
            strategy="opening",
            opened_at=record.at,
        )
    cash: dict[str, Decimal] = dict(record.cash)
    equity = sum(cash.values(), ZERO) + sum((holding.cost for holding in holdings.values()), ZERO)
    return replace(
        state,
        portfolio=Portfolio(cash=cash, holdings=holdings),
        is_opened=True,
        day=record.at.date(),
        day_start_equity=equity,
        peak_equity=equity,
    )
