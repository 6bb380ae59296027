"""The log: structlog on stderr, console or JSON, without secrets and without people.

Mews's tokens travel in request bodies: bodies are never logged.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Any

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
HIDDEN = "***"


def configure(log_format: str, level: str, secrets: Sequence[str] = ()) -> None:
    """Sets up the log once per process. Effects: replaces structlog's global configuration."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redactor(secrets),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def redactor(secrets: Sequence[str]) -> structlog.typing.Processor:
    """A processor that hides the given secrets wherever they stand in an event."""
    hidden = [secret for secret in secrets if secret]

    def redact(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {name: _clean(value, hidden) for name, value in event.items()}

    return redact


def _clean(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
    elif isinstance(value, dict):
        value = {name: _clean(one, secrets) for name, one in value.items()}
    elif isinstance(value, (list, tuple)):
        value = [_clean(one, secrets) for one in value]
    return value
