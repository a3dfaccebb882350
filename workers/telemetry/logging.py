"""One line an event, for people on a terminal and as JSON for machines; secrets never pass.

`configure_logging` sets up structlog and the standard library's logging in one stream, so that Django, Celery, Daphne and
our own code read alike. `PYAGENT_LOG=json` writes JSON lines; otherwise lines are for people.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRET_NAME = re.compile(r"(password|passwd|secret|token|api[_-]?key|authorization|cookie|credential)$", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"(?i)(bearer\s+|basic\s+)[a-z0-9._~+/=-]{8,}|\b(sk|pk|pya|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{12,}|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)
_HIDDEN = "[hidden]"


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: hide values whose name or shape says that they are secrets."""
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = _HIDDEN
        elif isinstance(value, str):
            event[name] = _SECRET_VALUE.sub(_HIDDEN, value)
    return event


def configure_logging(process: str, *, level: str | None = None) -> None:
    """Set up logging for this process; `process` names it in every line."""
    is_json = os.environ.get("PYAGENT_LOG") == "json"
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso" if is_json else "%H:%M:%S", utc=is_json),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if is_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level or os.environ.get("PYAGENT_LOG_LEVEL", "INFO"))
    for name in ("httpx", "httpcore", "daphne.http_protocol", "daphne.ws_protocol", "django.channels.server"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(process=process)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger whose calls read `log.info("what happened", fact=value)`."""
    return structlog.stdlib.get_logger(name)  # type: ignore[no-any-return]
