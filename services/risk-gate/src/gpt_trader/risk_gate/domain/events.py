"""Which records are told to everybody as events: all that no stream holds otherwise (PS1)."""

from gpt_trader.contracts.events import GateEvent
from gpt_trader.risk_gate.domain import records
from gpt_trader.risk_gate.domain.records import CauseRaised, Record


def told(number: int, record: Record) -> tuple[GateEvent, ...]:
    """Return the events of a record with its number in the journal.

    Decisions, reports and fills are in their own streams, so of these only the causes that came with them are told;
    what is in INTENTS says nothing new.
    """
    match record:
        case records.DecisionMade():
            at = record.decision.decided_at
            return tuple(_event(number, CauseRaised(cause=cause, at=at)) for cause in record.raised)
        case records.OrderReported() | records.FillReported():
            return tuple(_event(number, CauseRaised(cause=cause, at=record.at)) for cause in record.raised)
        case records.IntentStored() | records.CancelAsked() | records.EpochClaimed():
            return ()
        case _:
            return (_event(number, record),)


def _event(number: int, record: Record) -> GateEvent:
    content = record.model_dump(mode="json", exclude={"kind", "v"})
    return GateEvent(record=number, kind=record.kind, content=content)
