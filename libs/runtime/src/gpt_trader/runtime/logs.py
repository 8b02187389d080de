"""Structured logs on standard error: one JSON object per event, secrets blanked by name."""

import logging
import sys
from collections.abc import MutableMapping
from functools import cache
from typing import Any, Literal, NoReturn

import structlog

from gpt_trader.runtime import tracing

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

_SECRET_WORDS = ("seed", "secret", "password", "private", "token", "authorization", "jwt", "api_key", "signature")
_REDACTED = "[redacted]"
_LONGEST_ID = 64
"""A header is the sender's word: no more of it is repeated than an id needs."""
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(level: Level, style: Format) -> None:
    """Set up logging for this process; called once, by `lifecycle.run`'s caller before anything logs."""
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if style == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            name_decision,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def silence(*, for_good: bool = False) -> None:
    """Log nothing: simulated services speak of simulated trouble, thousands of times a second.

    `for_good` is faster, and can't be taken back: every logger that was used remembers it.
    """
    structlog.configure(
        processors=[_drop],
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=for_good,
    )


def _drop(_logger: object, _method: str, _event: MutableMapping[str, Any]) -> NoReturn:
    raise structlog.DropEvent


def get(service: str) -> structlog.typing.FilteringBoundLogger:
    """Return the service's log; events are words with fields: `log.info("order_denied", reason=…)`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(service=service)
    return logger


def name_decision(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the decision that this step follows from, so that one search finds the whole path of an order."""
    decision = tracing.decision_id()
    if decision is not None:
        event.setdefault("decision_id", decision[:_LONGEST_ID])
    return event


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank every field whose name says that it is a secret."""
    for field in event:
        if is_secret(field):
            event[field] = _REDACTED
    return event


@cache
def is_secret(name: str) -> bool:
    """Whether a field of that name may hold a secret; the path of a secret's file is none."""
    lowered = name.lower()
    return not lowered.endswith(("_file", "_path")) and any(word in lowered for word in _SECRET_WORDS)
