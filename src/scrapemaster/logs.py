"""Structured logs on standard error."""

from __future__ import annotations

import io
import logging
import re
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, WrappedLogger

from scrapemaster.settings import Settings

#: Fields whose values never reach a log.
_SECRET = re.compile(r"password|secret|token|authorization|cookie|api_?key", re.IGNORECASE)
#: Control characters could forge lines or colours (H36); JSON escapes them by itself.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def set_up_logs(settings: Settings) -> None:
    """Send all logs of this process, the libraries' too, to standard error in the set format."""
    console = settings.log_format == "console"
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_secrets,
        _one_line,
    ]
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())


def _hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in event:
        if _SECRET.search(key):
            event[key] = "***"
    return event


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str) and _CONTROL.search(value):
            event[key] = _escaped(value)
    return event


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def _traceback(target: TextIO, exc_info: ExcInfo) -> None:
    """Plain, as the one with local variables would show secrets; indented and escaped, as an error's text may be a stranger's."""
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    target.writelines(f"\n    {_escaped(line)}" for line in plain.getvalue().strip("\n").split("\n"))
