"""One stream of lines from many processes: each with its name, in its colour on a terminal, as JSON when
asked."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

from workers.telemetry.logging import redact_text

# A program that writes no line end must not fill our memory.
MAX_LINE_BYTES = 16 * 1024
NAME_WIDTH = 10
COLOURS = {
    "supervisor": "1",
    "valkey": "31",
    "migrate": "34",
    "prepare": "34",
    "web": "32",
    "relay": "36",
    "worker": "33",
    "model": "35",
}
# What would move a terminal's cursor, ring or ask it something; colours stay.
_UNSAFE = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-9;?]*[A-Za-ln-z@`~]|\x1b[^\[]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"
)
_ACCESS = re.compile(
    r'"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|WSCONNECT|WSDISCONNECT|WSREJECT|WSCONNECTING) '
)


class Lines:
    """Write lines of named processes to one stream."""

    def __init__(self, *, stream: TextIO | None = None, log_format: str = "") -> None:
        self._stream = stream or sys.stdout
        self._is_json = log_format == "json"
        self._has_colour = self._stream.isatty()

    def write(self, name: str, text: str) -> None:
        """Write one line of process `name`."""
        text = _UNSAFE.sub("", text).rstrip()
        if _ACCESS.search(text):
            # Daphne writes its access log past our logging, addresses with their tokens included.
            text = redact_text(text)
        if not text:
            return
        if self._is_json:
            line = text if _is_json_object(text) else _as_json(name, text)
        elif self._has_colour:
            line = f"\x1b[{COLOURS.get(name, '37')}m{name:<{NAME_WIDTH}} |\x1b[0m {text}\x1b[0m"
        else:
            line = f"{name:<{NAME_WIDTH}} | {text}"
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            # Whoever read us is gone (`make run | head`): go on serving, in silence.
            pass

    def say(self, text: str) -> None:
        """Write a line of the supervisor's own."""
        self.write("supervisor", text)


def _is_json_object(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _as_json(name: str, text: str) -> str:
    now = datetime.now(UTC).isoformat()
    return json.dumps({"process": name, "event": text, "level": "info", "timestamp": now}, ensure_ascii=False)
