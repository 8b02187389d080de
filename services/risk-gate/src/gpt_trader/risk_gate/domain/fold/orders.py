"""From a verdict to the end of its order: approvals, permits, answers, reports."""

from dataclasses import replace
from decimal import Decimal

from gpt_trader.contracts.decisions import Verdict
from gpt_trader.contracts.intents import ApprovedIntent, Purpose
from gpt_trader.contracts.orders import OrderStatus, is_post_only_refusal
from gpt_trader.risk_gate.domain import maker, records
from gpt_trader.risk_gate.domain.checks.standing import content_of, kind_of, wish_of
from gpt_trader.risk_gate.domain.denials import is_wish
from gpt_trader.risk_gate.domain.exposure import Amending, Approval, terms_of
from gpt_trader.risk_gate.domain.fold.standing import restricted
from gpt_trader.risk_gate.domain.history import Paced, noted
from gpt_trader.risk_gate.domain.increments import ZERO
from gpt_trader.risk_gate.domain.maker import Makers
from gpt_trader.risk_gate.domain.permits import PermitOutcome
from gpt_trader.risk_gate.domain.state import GateState


def decided(state: GateState, record: records.DecisionMade) -> GateState:
    """Remember the signal and the verdict; an approval is reserved from this moment."""
    decision = record.decision
    at, product = decision.decided_at, decision.product
    history = state.history
    if record.is_infrastructure and decision.verdict is Verdict.DENIED:
        denials = noted(history.infrastructure_denials, at, product)
        history = replace(history, infrastructure_denials=denials)
    if decision.verdict is Verdict.DENIED and is_wish(record.purpose, record.follows):
        history = replace(history, denials=noted(history.denials, at, decision.signal.strategy))
    state = replace(
        restricted(state, record.raised, at),
        decisions=decision.sequence,
        decision_head=decision.hash,
        signal_ids=state.signal_ids.with_id(wish_of(decision.signal, record.purpose, record.follows)),
        makers=_made(state, record),
        history=history,
    )
    if record.preview is not None:
        state = replace(state, preview_failures=state.preview_failures + 1 if record.preview.refusals else 0)
    return state if record.intent is None else _approved(state, record, record.intent)


def _made(state: GateState, record: records.DecisionMade) -> Makers:
    """Begin, go on with, or give up wishes that are made before they are taken."""
    decision, intent = record.decision, record.intent
    if record.follows is not None:
        return maker.went_on(state.makers, record.follows.wish, intent)
    if intent is None or record.stop_price is not None:
        return state.makers
    if not record.purpose.is_entry:
        return maker.given_up(state.makers, decision.product)
    return state.makers if decision.step is None else maker.begun(state.makers, decision.signal, intent)


def _approved(state: GateState, record: records.DecisionMade, intent: ApprovedIntent) -> GateState:
    signal = record.decision.signal
    is_first = record.follows is None
    is_entry = intent.purpose.is_entry and is_first
    is_trade = intent.purpose in {Purpose.ENTRY, Purpose.EXIT} and is_first
    last = state.history.paced[-1] if state.history.paced else None
    before = ZERO if last is None else last.entry_notional_so_far
    paced = Paced(
        at=intent.approved_at if last is None else max(intent.approved_at, last.at),
        product=intent.product,
        is_entry=is_entry,
        is_trade=is_trade,
        content=content_of(signal),
        kind=kind_of(signal),
        trades_so_far=is_trade + (0 if last is None else last.trades_so_far),
        entries_so_far=is_entry + (0 if last is None else last.entries_so_far),
        entry_notional_before=before,
        entry_notional_so_far=before + _added(state, record, intent),
    )
    history = state.history.with_approval(paced)
    return replace(
        state,
        approvals=state.approvals.having(_approval(record, intent)),
        known_orders=state.known_orders.with_id(intent.client_order_id),
        known_terms=state.known_terms.with_id(terms_of(intent.client_order_id, intent.product, intent.side)),
        history=history.with_entry(intent.strategy, paced.at) if is_entry else history,
    )


def _added(state: GateState, record: records.DecisionMade, intent: ApprovedIntent) -> Decimal:
    """Return what it adds to the entries' notional: of a further step only what it costs more than the first."""
    if record.follows is None:
        return intent.reserved_notional
    known = state.makers.get(record.follows.wish)
    counted = ZERO if known is None else known.reserved * intent.quantity / known.total
    return max(intent.reserved_notional - counted, ZERO)


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
        contract_size=intent.contract_size,
        limit_price=intent.limit_price,
        mark=intent.mark,
        reserved=intent.reserved_notional,
        stop_price=record.decision.signal.stop_price,
        target_price=record.decision.signal.target_price,
        epoch=intent.epoch,
        policy_version=intent.policy_version,
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
        trigger_price=intent.stop_price,
        form=intent.form,
    )


def stored(state: GateState, record: records.IntentStored) -> GateState:
    """Note that the bus keeps the intent: the next one follows it in the chain."""
    approval = state.approvals.get(record.client_order_id)
    if approval is not None:
        state = replace(state, approvals=state.approvals.having(replace(approval, is_stored=True)))
    return replace(
        state,
        intents_sequence=record.stream_sequence,
        intents_head=record.payload_sha256,
    )


def voided(state: GateState, record: records.ApprovalVoided) -> GateState:
    """Forget an approval that can never become an order, and the wish that it was a step of."""
    own = record.client_order_id
    return replace(state, approvals=state.approvals.without(own), makers=maker.voided(state.makers, own))


def tended(state: GateState, record: records.CancelAsked | records.AmendAsked | records.AmendEnded) -> GateState:
    """Note what is done with an order that rests."""
    match record:
        case records.CancelAsked():
            return _cancel_asked(state, record)
        case records.AmendAsked():
            return _amend_asked(state, record)
        case records.AmendEnded():
            return _amend_ended(state, record)


def _cancel_asked(state: GateState, record: records.CancelAsked) -> GateState:
    """Note that an order is to be canceled, and that the chain of intents goes on from the request."""
    intent = record.intent
    approval = state.approvals.get(intent.client_order_id)
    if approval is not None:
        state = replace(state, approvals=state.approvals.having(replace(approval, cancel_asked_at=record.at)))
    return replace(state, intents_sequence=intent.stream_sequence, intents_head=record.payload_sha256)


def _amend_asked(state: GateState, record: records.AmendAsked) -> GateState:
    """Count an order by the larger of its sizes from the moment that the venue may be told of the other one."""
    approval = state.approvals.get(record.client_order_id)
    if approval is None:
        return state
    amending = Amending(record.quantity, record.limit_price, record.stop_price, record.at)
    amended = replace(approval, amending=amending)
    return replace(state, approvals=state.approvals.having(amended))


def _amend_ended(state: GateState, record: records.AmendEnded) -> GateState:
    """Take over what the venue made of an amendment; what it did not do is not asked of this order again."""
    approval = state.approvals.get(record.client_order_id)
    if approval is None or approval.amending is None:
        return state
    ended = replace(
        approval,
        amending=None,
        quantity=record.quantity,
        limit_price=record.limit_price,
        trigger_price=record.stop_price,
        is_fixed=not record.is_applied,
    )
    return replace(state, approvals=state.approvals.having(ended))


def reported(state: GateState, record: records.OrderReported) -> GateState:
    """Take over a step of an order's life; an older revision changes nothing."""
    event = record.event
    state = replace(state, orders_sequence=max(record.sequence, state.orders_sequence))
    if event.status is OrderStatus.REJECTED and not is_post_only_refusal(event.reason):
        rejections = noted(state.history.rejections, record.at, event.product)
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
    return settled(state, updated, event.reason)


def with_permit(state: GateState, record: records.PermitLogged) -> GateState:
    """Note that the one permit is out."""
    approval = state.approvals.get(record.client_order_id)
    if approval is None:
        return state
    noted = replace(approval, permitted_at=record.at, is_answered=False)
    return replace(state, approvals=state.approvals.having(noted))


def with_answer(state: GateState, record: records.PermitAnswered) -> GateState:
    """Note a definitive answer; an order that was over before it came has nothing to note."""
    approval = state.approvals.get(record.client_order_id)
    if approval is None or record.outcome is PermitOutcome.UNKNOWN:
        return state
    return replace(state, approvals=state.approvals.having(replace(approval, is_answered=True)))


def settled(state: GateState, approval: Approval, reason: str = "") -> GateState:
    """Keep an approval until nothing more can come of it; its wish may then go on."""
    if approval.is_over:
        makers = maker.step_over(state.makers, approval, reason)
        return replace(state, approvals=state.approvals.without(approval.client_order_id), makers=makers)
    return replace(state, approvals=state.approvals.having(approval))
