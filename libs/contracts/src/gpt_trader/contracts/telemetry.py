"""Liveness and alerts."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from gpt_trader.contracts.message import Hash, Instant, Message, Name

MOST_SHARDS = 64
"""Processes that one service may have."""


class Heartbeat(Message):
    """A service is alive and says how it is; `drift` names the settings that the files now say otherwise.

    `shard` is which of `shards` processes speaks; a service that is one process is the first of one.
    """

    service: Name
    version: str
    is_ready: bool
    detail: str
    configuration: Hash
    drift: str
    published_at: Instant
    shard: Annotated[int, Field(ge=0, le=MOST_SHARDS - 1)] = 0
    shards: Annotated[int, Field(ge=1, le=MOST_SHARDS)] = 1


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
