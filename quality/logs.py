"""Structured logs: one JSON line per finished unit of work, in Elastic Common Schema.

The event comes first, its fields after it; `correlation_id` (the request's id) is bound once and
stands on every line of that work.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, TextIO

import ecs_logging
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_SECRET_KEY = re.compile(r"password|passwd|secret|token|authorization|dsn|database_url", re.I)
_URL_PASSWORD = re.compile(r"(?P<user>://[^\s:/@]*):[^\s/@]+@")


def redacted(text: str) -> str:
    """The text with the password of every URL in it replaced."""
    return _URL_PASSWORD.sub(r"\g<user>:***@", text)


def configure(service: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for a process named `service`.

    People at a terminal get coloured lines, everything else JSON.
    """
    stream = stream if stream is not None else sys.stderr
    render: list[Processor]
    if stream.isatty():
        render = [structlog.dev.ConsoleRenderer()]
    else:
        render = [ecs_logging.StructlogFormatter()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**{"service.name": service})


def get_logger(name: str) -> Any:
    """A structlog logger: `log.info("check_finished", check_id=…, status=…)`."""
    return structlog.get_logger(name)


def bind_correlation(request_id: str) -> None:
    """Put the request's id on every following line of this thread."""
    structlog.contextvars.bind_contextvars(correlation_id=request_id)


def unbind_correlation() -> None:
    """Take it off again: threads of a pool serve one request after the other."""
    structlog.contextvars.unbind_contextvars("correlation_id")


def _redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if key != "event" and _SECRET_KEY.search(key):
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = redacted(value)
    return event
