"""From a command's bytes to lines that are safe to store and show, in bounded memory."""

from __future__ import annotations

import codecs
from collections import deque

# A line longer than this is handed on in pieces: a page can lay out 8,192 characters, it cannot lay out 10
# MB.
LINE_CHARACTERS = 8192
# PostgreSQL's text refuses NUL, and a terminal shows nothing for it.
NUL_SHOWN = "\u2400"


class LineSplitter:
    """Turn chunks of bytes into lines of text; a long line comes in pieces, the last one without an end at
    `finish`."""

    def __init__(self, *, limit: int = LINE_CHARACTERS) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._limit = limit
        self._rest = ""

    def feed(self, chunk: bytes) -> list[str]:
        """Return the lines, or pieces of lines, that `chunk` completes; without their line ends."""
        return self._cut(self._decoder.decode(chunk), is_last=False)

    def finish(self) -> list[str]:
        """Return what is left."""
        return self._cut(self._decoder.decode(b"", final=True), is_last=True)

    def _cut(self, text: str, *, is_last: bool) -> list[str]:
        *whole, rest = (self._rest + text.replace("\0", NUL_SHOWN)).split("\n")
        lines: list[str] = []
        for line in whole:
            lines += self._pieces(line.removesuffix("\r")) or [""]
        pieces = self._pieces(rest)
        if is_last:
            self._rest = ""
            return lines + pieces
        self._rest = pieces.pop() if pieces else ""
        return lines + pieces

    def _pieces(self, line: str) -> list[str]:
        return [line[start : start + self._limit] for start in range(0, len(line), self._limit)]


class BoundedOutput:
    """Keep the first half and the last half of a stream of bytes; count all of it."""

    def __init__(self, limit_bytes: int) -> None:
        self._half = max(limit_bytes // 2, 1)
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.total_bytes = 0

    def add(self, chunk: bytes) -> None:
        """Take in the next bytes."""
        self.total_bytes += len(chunk)
        room = self._half - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        if not chunk:
            return
        self._tail.append(chunk)
        self._tail_bytes += len(chunk)
        while self._tail_bytes - len(self._tail[0]) >= self._half:
            self._tail_bytes -= len(self._tail.popleft())

    @property
    def is_truncated(self) -> bool:
        return self.total_bytes > self._half * 2

    def text(self) -> str:
        """Return what is kept; where something is missing, a line says how much."""
        tail = b"".join(self._tail)
        if not self.is_truncated:
            return _decode(bytes(self._head) + tail)
        tail = tail[-self._half :]
        missing = self.total_bytes - len(self._head) - len(tail)
        return f"{_decode(bytes(self._head))}\n[… {missing:,} bytes not kept …]\n{_decode(tail)}"


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\0", NUL_SHOWN)
