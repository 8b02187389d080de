"""Ids are derived from their cause, so that a retry repeats them and never makes a second thing."""

import uuid
from typing import NewType

SignalId = NewType("SignalId", str)
DecisionId = NewType("DecisionId", str)
IntentId = NewType("IntentId", str)
ClientOrderId = NewType("ClientOrderId", str)
VenueOrderId = NewType("VenueOrderId", str)
FillId = NewType("FillId", str)

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "gpt-trader")


def _derived(kind: str, *cause: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join((kind, *cause))))


def signal_id(strategy: str, product: str, action: str, cause: str) -> SignalId:
    """Name the signal that this strategy derives from this cause (a candle's start, a tick's sequence)."""
    return SignalId(_derived("signal", strategy, product, action, cause))


def decision_id(epoch: int, sequence: int) -> DecisionId:
    """Name a gate record by the epoch that wrote it and its place in the chain."""
    return DecisionId(_derived("decision", str(epoch), str(sequence)))


def intent_id(cause: str, epoch: int) -> IntentId:
    """Name the one approval that a decision may lead to."""
    return IntentId(_derived("intent", cause, str(epoch)))


def client_order_id(approval: IntentId) -> ClientOrderId:
    """Return the id under which the venue will know the order of this approval, for ever."""
    return ClientOrderId(_derived("order", approval))
