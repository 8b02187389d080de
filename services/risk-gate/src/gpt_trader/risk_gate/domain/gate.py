"""The fold: what each record makes of the state. Restart is nothing but this, over the whole journal."""

from collections.abc import Iterable
from dataclasses import replace

from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.fold.books import acknowledged, compared
from gpt_trader.risk_gate.domain.fold.fills import filled
from gpt_trader.risk_gate.domain.fold.futures import funded, seen, settled
from gpt_trader.risk_gate.domain.fold.orders import (
    decided,
    reported,
    stored,
    tended,
    voided,
    with_answer,
    with_permit,
)
from gpt_trader.risk_gate.domain.fold.standing import commanded, restricted
from gpt_trader.risk_gate.domain.fold.worth import marked, opened
from gpt_trader.risk_gate.domain.records import Record
from gpt_trader.risk_gate.domain.state import GateState
from gpt_trader.risk_gate.domain.trading_state import cleared, without_expired


def folded(entries: Iterable[Record], state: GateState) -> GateState:
    """Apply records in order."""
    for record in entries:
        state = evolve(state, record)
    return state


def evolve(state: GateState, record: Record) -> GateState:  # noqa: C901, PLR0911, PLR0912 - one arm per record
    """Return the state after a record; the only way a state comes about."""
    match record:
        case records.DecisionMade():
            return decided(state, record)
        case records.FillReported():
            return filled(restricted(state, record.raised, record.at), record)
        case records.OrderReported():
            return reported(restricted(state, record.raised, record.at), record)
        case records.IntentStored():
            return stored(state, record)
        case records.CancelAsked() | records.AmendAsked() | records.AmendEnded():
            return tended(state, record)
        case records.PermitLogged():
            permitted = replace(state, permitted=state.permitted.with_id(record.body_sha256))
            return with_permit(permitted, record)
        case records.PermitAnswered():
            return with_answer(state, record)
        case records.ApprovalVoided():
            return voided(state, record)
        case records.CauseRaised():
            return restricted(state, (record.cause,), record.at)
        case records.CauseCleared():
            return replace(state, causes=cleared(without_expired(state.causes, record.at), record.code, record.product))
        case records.DenialsWithheld():
            return state
        case records.CommandReceived():
            return acknowledged(commanded(state, record), record)
        case records.FlattenEnded():
            return replace(state, flattens=tuple(one for one in state.flattens if one.sequence != record.sequence))
        case records.CommandsLost():
            return replace(restricted(state, record.raised, record.at), control_sequence=0)
        case records.Marked():
            return marked(state, record)
        case records.PolicyAdopted():
            return replace(state, policy_version=record.version, policy_document=record.document)
        case records.Opened():
            return opened(state, record)
        case records.MarginSeen():
            return seen(state, record)
        case records.FundingPaid():
            return funded(state, record)
        case records.ContractSettled():
            return settled(state, record)
        case records.EpochClaimed():
            return replace(
                state, epoch=record.epoch, intents_sequence=record.intents_sequence, intents_head=record.intents_head
            )
        case _:
            return compared(state, record)
