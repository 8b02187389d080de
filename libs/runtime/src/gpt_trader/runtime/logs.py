"""Structured logs on standard error: one JSON object per event, secrets blanked by name."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

_SECRET_WORDS = ("seed", "secret", "password", "private", "token", "authorization", "jwt", "api_key", "signature")
_REDACTED = "[redacted]"
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
            structlog.contextvars.merge_contextvars,
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


def get(service: str) -> structlog.typing.FilteringBoundLogger:
    """Return the service's log; events are words with fields: `log.info("order_denied", reason=…)`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(service=service)
    return logger


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank every field whose name says that it is a secret."""
    for field in event:
        if is_secret(field):
            event[field] = _REDACTED
    return event


def is_secret(name: str) -> bool:
    """Whether a field of that name may hold a secret; the path of a secret's file is none."""
    lowered = name.lower()
    return not lowered.endswith(("_file", "_path")) and any(word in lowered for word in _SECRET_WORDS)
