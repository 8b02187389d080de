"""Liveness and alerts."""

from enum import StrEnum

from gpt_trader.contracts.message import Instant, Message, Name


class Heartbeat(Message):
    """A service is alive and says how it is."""

    service: Name
    version: str
    is_ready: bool
    detail: str
    published_at: Instant


class Severity(StrEnum):
    """How soon a person must look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Alert(Message):
    """Something a person should know, with what to do about it."""

    severity: Severity
    code: Name
    service: Name
    text: str
    hint: str
    occurred_at: Instant
