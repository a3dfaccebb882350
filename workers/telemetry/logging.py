"""One line an event, for people on a terminal and as JSON for machines; secrets never pass.

`configure_logging` sets up structlog and the standard library's logging in one stream, so that Django, Celery, Daphne and
our own code read alike. `PYAGENT_LOG=json` writes JSON lines; otherwise lines are for people.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import orjson
import structlog

# A name that holds one of these words is a secret's, unless it counts or points: input_tokens, token_file, key_id.
_SECRET_NAME = re.compile(
    r"(?i)(password|passwd|passphrase|secret|token|credential|cookie|authorization|private|session_?id"
    r"|(?:api|vault|signing|encryption|access)[_-]?key|(?:^|_)key$)"
)
_HARMLESS_NAME = re.compile(
    r"(?i)(tokens|_s|_count|_ref|_file|_id|_path|_length)$|^(tokens?_|keyring|key_?name)"
)
_SECRET_VALUE = re.compile(
    r"(?i)(?P<kept>\bbearer\s+|\bauthorization[\"']?\s*[:=]\s*[\"']?(?:[a-z]+\s+)?)[a-z0-9._~+/=-]{8,}"
    r"|\b(?:sk|pk|pya|ghp|gho|ghs|github_pat|glpat|xox[abp])[-_][A-Za-z0-9_-]{12,}"
    r"|(?<=://)[^/\s@\"']+(?=@)"
    r"|(?P<query>[?&](?:[a-z_]*(?:token|secret|password|signature|key)|code|state)=)[^&\s\"'#]+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"
)
_HIDDEN = "[hidden]"
# Bounds the work on one value: a deep structure is shown in short anyway.
_DEPTH = 4


def _hide(match: re.Match[str]) -> str:
    return f"{match['kept'] or match['query'] or ''}{_HIDDEN}"


def redact_text(text: str) -> str:
    """Return `text` without what looks like a secret: keys, bearer tokens, credentials and tokens in addresses."""
    return _SECRET_VALUE.sub(_hide, text)


def _redact_value(name: str, value: Any, depth: int) -> Any:
    if isinstance(value, bool | int | float | None):
        return value
    if _SECRET_NAME.search(name) and not _HARMLESS_NAME.search(name):
        return _HIDDEN
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes):
        return redact_text(value.decode("utf-8", "replace"))
    if depth and isinstance(value, Mapping):
        return {key: _redact_value(str(key), item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_redact_value(name, item, depth - 1) for item in value]
    return redact_text(str(value))


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: hide values whose name or shape says that they are secrets, however deep."""
    for name, value in event.items():
        if not name.startswith("_"):  # structlog's own
            event[name] = _redact_value(name, value, _DEPTH)
    return event


def to_json(event: Mapping[str, Any], *, default: Callable[[Any], Any] = str, **_: Any) -> str:
    """Return one JSON line; whatever stands in it, there is one."""
    try:
        return orjson.dumps(event, default=default, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # A lone surrogate or a number beyond 64 bits, which the standard library writes down.
        return json.dumps(event, default=default, skipkeys=True)


def _without_traceback(record: logging.LogRecord) -> bool:
    # A request that Django refuses, such as one for a host that is not ours. Anybody can send many; none of our code is in it.
    if record.name.startswith("django.security."):
        record.exc_info = None
    return True


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
        structlog.processors.JSONRenderer(serializer=to_json)
        if is_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_without_traceback)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level or os.environ.get("PYAGENT_LOG_LEVEL", "INFO"))
    for name in (
        "httpx",
        "httpx2",
        "httpcore",
        "daphne.http_protocol",
        "daphne.ws_protocol",
        "django.channels.server",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(process=process)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger whose calls read `log.info("what happened", fact=value)`."""
    return structlog.stdlib.get_logger(name)
