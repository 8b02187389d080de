"""Which of the gate's records follow from those before them, and what they must be."""

from collections.abc import Mapping
from dataclasses import dataclass

from gpt_trader.contracts.ids import ClientOrderId
from gpt_trader.contracts.intents import ApprovedIntent
from gpt_trader.contracts.message import digest
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.amending import Amended, amend
from gpt_trader.risk_gate.domain.commands import received
from gpt_trader.risk_gate.domain.consequences import has_slipped, of_fill, of_report
from gpt_trader.risk_gate.domain.decide import decide, request_of
from gpt_trader.risk_gate.domain.maker import follows, next_signal
from gpt_trader.risk_gate.domain.permits import PermitRefused, Refusal, permitted
from gpt_trader.risk_gate.domain.policy import Policy
from gpt_trader.risk_gate.domain.portfolio import value
from gpt_trader.risk_gate.domain.records import Record
from gpt_trader.risk_gate.domain.spelling import Spelling
from gpt_trader.risk_gate.domain.state import GateState

_WHOLE = 400
"""A command's payload is recorded up to this many characters."""
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"


class NotAllowed(Exception):
    """The domain would not have made this record at all; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """All that the records up to here add up to; the policy is None until one was adopted."""

    state: GateState
    policy: Policy | None
    intents: Mapping[ClientOrderId, ApprovedIntent]
    spelling: Spelling

    @property
    def limits(self) -> Policy:
        """The policy in force; raises NotAllowed where nothing may be decided yet."""
        if self.policy is None:
            raise NotAllowed("no policy was adopted before it")
        return self.policy


def again(record: Record, before: Before) -> Record | None:  # noqa: C901, PLR0911 - one arm per record
    """Make a record again; None = it is an input, and nothing before it says what it must be."""
    match record:
        case records.DecisionMade():
            return _decision(record, before)
        case records.OrderReported():
            raised = of_report(record.event, before.state, before.limits, record.at)
            return record.model_copy(update={"raised": raised})
        case records.FillReported():
            return _fill(record, before)
        case records.CommandReceived():
            return _command(record, before)
        case records.IntentStored():
            return _stored(record, before)
        case records.CancelAsked():
            return _asked(record, before)
        case records.AmendAsked():
            return _amendment(record, before)
        case records.PermitLogged():
            return _permit(record, before)
        case records.Marked():
            return _marked(record, before)
        case records.PolicyAdopted():
            policy = Policy.model_validate_json(record.document)
            return record.model_copy(update={"version": policy.version(), "document": policy.document()})
        case _:
            return None


def _decision(record: records.DecisionMade, before: Before) -> Record:
    """Decide again; a further step of a wish must be the one that the wish had come to."""
    state, policy = before.state, before.limits
    if record.follows is not None:
        maker = state.makers.get(record.follows.wish)
        if maker is None or not maker.is_due or follows(maker) != record.follows:
            raise NotAllowed("no wish had come to this step")
        if next_signal(maker, policy.execution, record.decision.decided_at) != record.decision.signal:
            raise NotAllowed("the step is not what its wish asks for")
    return decide(request_of(record), state, policy, before.spelling)


def _fill(record: records.FillReported, before: Before) -> Record:
    fill, state, policy = record.fill, before.state, before.limits
    is_slippage = has_slipped(fill, state.approvals.get(fill.client_order_id), policy)
    raised = of_fill(fill, state, policy, record.at)
    return record.model_copy(update={"is_slippage": is_slippage, "raised": raised})


def _command(record: records.CommandReceived, before: Before) -> Record | None:
    """Obey a command again; one that was not kept byte for byte is taken as it was understood."""
    if len(record.payload) >= _WHOLE or _UNREADABLE in record.payload:
        return None
    return received(record.subject, record.payload.encode(), record.sequence, before.state, record.at)


def _stored(record: records.IntentStored, before: Before) -> Record:
    intent = before.intents.get(record.client_order_id)
    if intent is None:
        raise NotAllowed("it stores an intent that no decision made")
    return record.model_copy(update={"payload_sha256": digest(intent.encode())})


def _asked(record: records.CancelAsked, before: Before) -> Record:
    intent, state = record.intent, before.state
    if (intent.stream_sequence, intent.previous_hash) != (state.intents_sequence + 1, state.intents_head):
        raise NotAllowed("it does not follow the intent before it")
    return record.model_copy(update={"payload_sha256": digest(intent.encode())})


def _amendment(record: records.AmendAsked, before: Before) -> Record:
    approval = before.state.approvals.get(record.client_order_id)
    if approval is None:
        raise NotAllowed("there is no such order")
    wanted = Amended(quantity=record.quantity, limit_price=record.limit_price, stop_price=record.stop_price)
    asked = amend(approval, wanted, record.reason, before.spelling, record.at)
    if asked is None:
        raise NotAllowed("the order could not be amended")
    return asked


def _permit(record: records.PermitLogged, before: Before) -> Record | None:
    """Ask for the permit again. The tick it was given on is not recorded, so the price alone can't be judged."""
    answer = permitted(record.body_sha256, before.state, before.limits, None, record.at)
    if not isinstance(answer, PermitRefused):
        return record.model_copy(update={"client_order_id": answer.client_order_id})
    if answer.reason is not Refusal.PRICE_MOVED:
        raise NotAllowed(f"the permit would be refused: {answer.reason}")
    return None


def _marked(record: records.Marked, before: Before) -> Record:
    valuation = value(before.state.portfolio, record.marks, before.limits.quote_currency)
    if valuation is None:
        raise NotAllowed("a held product has no mark in it, so there is no equity")
    return record.model_copy(update={"equity": valuation.equity})
