"""Logging, configured once per process: one line for each event on stdout, JSON unless on a terminal.

Everywhere else: `log = structlog.get_logger()` and `log.info("tick done", read=26, sent=26)`. Event ids always,
payloads only at DEBUG, credentials never.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from pipeline import bounds

EventDict = MutableMapping[str, Any]

WHOLE_FIELDS = ("cloudevent", "data", "text")
"""Fields that are never cut: an event that only the log has."""


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records to *stream* (stdout), at *level* (a `logging` name) and
    above."""
    out = stream if stream is not None else sys.stdout
    on_terminal = out.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if on_terminal else "iso", utc=not on_terminal),
        structlog.processors.format_exc_info,
        bounded,
        *([printable] if on_terminal else []),
    ]
    rendering: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if on_terminal
        else [structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer(default=str)]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Some libraries log every connection. Only their warnings are useful.
    for chatty in ("aiohttp.access", "apscheduler", "urllib3", "werkzeug"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))


def bounded(_logger: Any, _method: str, event_dict: EventDict) -> EventDict:
    """Cut every text that is longer than a line of a log should be. Foreign texts, such as ids, may have megabytes."""
    for name, value in event_dict.items():
        limit = bounds.LOG_TRACEBACK_CHARACTERS if name == "exception" else bounds.LOG_FIELD_CHARACTERS
        if isinstance(value, str) and len(value) > limit and name not in WHOLE_FIELDS:
            event_dict[name] = f"{value[:limit]}… ({len(value)} characters)"
    return event_dict


def printable(_logger: Any, _method: str, event_dict: EventDict) -> EventDict:
    """Escape control characters, with which a foreign text could write to the terminal. JSON escapes them itself."""
    for name, value in event_dict.items():
        if isinstance(value, str) and not value.isprintable():
            kept = "\n\t" if name == "exception" else ""
            event_dict[name] = "".join(
                char if char.isprintable() or char in kept else char.encode("unicode_escape").decode() for char in value
            )
    return event_dict
