"""The bus: everything a service may import of it."""

from gpt_trader.runtime.bus.client import Bus, BusSettings, connect
from gpt_trader.runtime.bus.durability import NotDurable, require_fsync
from gpt_trader.runtime.bus.errors import (
    BusError,
    BusLost,
    BusUnavailable,
    FencedOff,
    Malformed,
    PublishRefused,
    PublishUnknown,
    StreamFull,
    SubscriberFailed,
    Unavailable,
)
from gpt_trader.runtime.bus.received import OnMessage, Received, decoded, problems

__all__ = [
    "Bus",
    "BusError",
    "BusLost",
    "BusSettings",
    "BusUnavailable",
    "FencedOff",
    "Malformed",
    "NotDurable",
    "OnMessage",
    "PublishRefused",
    "PublishUnknown",
    "Received",
    "StreamFull",
    "SubscriberFailed",
    "Unavailable",
    "connect",
    "decoded",
    "problems",
    "require_fsync",
]
