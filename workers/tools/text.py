"""Text from commands, files and models, made fit to be shown and sent: bounded, and free of terminal
escapes."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"""\x1b\[[0-?]*[ -/]*[@-~]                      # CSI: colours, cursor
      | \x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?     # OSC, DCS, SOS, PM, APC: titles, clipboard
      | \x1b[ -/]*[0-~]?                            # other escapes
      | [\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]        # single control characters, C1 among them
    """,
    re.VERBOSE,
)
_UNPAIRED = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Return `text` as a person would read it: no escapes or control characters, progress bars at their last
    state."""
    text = text.replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join(_last_state(line) for line in text.split("\n"))
    return _UNPAIRED.sub("\ufffd", _ESCAPES.sub("", text))


def _last_state(line: str) -> str:
    """What a terminal shows of a line that was written over, as progress bars do."""
    return line.rstrip("\r").rpartition("\r")[2]


def bound(text: str, limit: int) -> str:
    """Return `text`, or its head and tail around a line that says how much is missing; at most `limit`
    characters."""
    if len(text) <= limit:
        return text
    note = f"\n[… {len(text) - limit} of {len(text)} characters left out …]\n"
    if limit <= 2 * len(note):
        return text[:limit]
    room = limit - len(note)
    head = room * 2 // 5  # the end of a command's output says more than its start
    return text[:head] + note + text[len(text) - (room - head) :]


def first_line(text: str, limit: int = 120) -> str:
    """Return the first line that holds something, shortened; for titles."""
    line = next((line.strip() for line in clean(text).splitlines() if line.strip()), "")
    return line if len(line) <= limit else line[: limit - 1] + "…"
